package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/peterh/liner"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newCmd) }

// exitUnknown is what cmd.exe gives for a command that it does not find.
const exitUnknown = 9009 & 0xff

func newCmd(s Streams) *cobra.Command {
	var stop bool
	c := &cobra.Command{
		Use: "cmd [FILE]", Short: "A prompt that reads lines by the quoting of Windows",
		Long: `A prompt, or a file of lines, in which the commands of Windows' documentation run as they
are printed: backslashes stay, double quotes hold words together, %windir%, %systemroot%, what
'set NAME=VALUE' sets and the environment are expanded, ^ takes the meaning of a character
away and continues a line at its end, names answer without case, with .exe, .cmd or .msc, and
behind a path.

Built in are echo, set, rem, help, exit [CODE] and casement itself; one command stands on a line.

Exit codes: that of the last line, or of exit; 1 where the line was wrong, 49 (9009 modulo 256)
where its command is not known.`,
		Example: "  casement cmd\n  casement cmd setup.cmd\n  echo 'reg query HKLM\\SOFTWARE' | casement cmd",
		Args:    operands(0, 1, "at most one file"),
	}
	c.Flags().BoolVarP(&stop, "errexit", "e", false, "end at the first line that fails")
	c.RunE = func(c *cobra.Command, args []string) error {
		p := &prompt{s: s, vars: lineVars{}, stop: stop}
		if len(args) == 1 {
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("cmd: %w", err)
			}
			defer f.Close()
			return p.loop(c.Context(), func() (string, error) { return readLine(f) })
		}
		if _, ok := terminal(s.In); ok && s.In == os.Stdin {
			return p.interactive(c.Context())
		}
		return p.loop(c.Context(), func() (string, error) { return readLine(s.In) })
	}
	return c
}

// prompt runs lines.
type prompt struct {
	s    Streams
	vars lineVars
	stop bool
	code int // of the last line
}

// errExit ends a prompt.
var errExit = errors.New("exit")

// interactive reads from the terminal, with history and editing.
func (p *prompt) interactive(ctx context.Context) error {
	editor := liner.NewLiner()
	defer editor.Close()
	editor.SetCtrlCAborts(true)
	editor.SetCompleter(func(line string) (list []string) {
		for _, name := range commandNames() {
			if strings.HasPrefix(name, strings.ToLower(line)) {
				list = append(list, name)
			}
		}
		return list
	})
	return p.loop(ctx, func() (string, error) {
		for {
			line, err := editor.Prompt("casement> ")
			if errors.Is(err, liner.ErrPromptAborted) {
				continue
			}
			if err == nil && strings.TrimSpace(line) != "" {
				editor.AppendHistory(line)
			}
			return line, err
		}
	})
}

func commandNames() []string {
	names := []string{"casement", "echo", "exit", "help", "rem", "set"}
	for name := range personalities {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// loop runs the lines that next gives until the end, exit, or a failure with -e.
func (p *prompt) loop(ctx context.Context, next func() (string, error)) error {
	for ctx.Err() == nil {
		line, err := next()
		for err == nil && strings.HasSuffix(line, "^") && !strings.HasSuffix(line, "^^") {
			var more string
			more, err = next()
			line = strings.TrimSuffix(line, "^") + more
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("cmd: read a line: %w", err)
		}
		if err := p.line(ctx, line); errors.Is(err, errExit) || p.stop && p.code != exitOK {
			break
		}
	}
	if p.code == exitOK {
		return context.Cause(ctx)
	}
	return &exitError{code: p.code}
}

// line runs one line and keeps its exit code.
func (p *prompt) line(ctx context.Context, line string) error {
	line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff")) // which editors of Windows put before a file
	if strings.HasPrefix(line, "@") && !strings.HasPrefix(line, "@{") {
		line = line[1:] // hides the line in a batch file; lines are not shown here
	}
	if line == "" || strings.HasPrefix(line, "::") {
		return nil
	}
	line = p.vars.expand(line)
	words, err := splitLine(line)
	if err == nil && len(words) == 0 {
		return nil
	}
	if err != nil {
		if first, _, _ := strings.Cut(line, " "); strings.EqualFold(first, "rem") {
			return nil
		}
		fmt.Fprintln(p.s.Err, "cmd:", err)
		p.code = exitFailure
		return nil
	}
	switch name := toolName(words[0]); {
	case name == "rem":
		return nil
	case name == "echo":
		return p.echo(line)
	case name == "set":
		return p.set(line)
	case name == "exit":
		return p.exit(words[1:])
	case name == "casement":
		p.code = conclude(p.s, dispatch(ctx, words, p.s))
	case name == "help" && len(words) == 1:
		fmt.Fprintln(p.s.Out, "Commands:", strings.Join(commandNames(), ", ")+"; 'help TERM' explains a term.")
	case name == "help":
		p.code = conclude(p.s, dispatch(ctx, append([]string{"casement"}, words...), p.s))
	case personalities[name] != nil:
		p.code = conclude(p.s, personalities[name](ctx, p.s, words[1:]))
	default:
		fmt.Fprintf(p.s.Err, "cmd: %s is not a command of this prompt: %s\n", printable(words[0]), strings.Join(commandNames(), ", "))
		p.code = exitUnknown
	}
	return nil
}

func (p *prompt) echo(line string) error {
	text := strings.TrimSpace(line[len("echo"):])
	if strings.EqualFold(text, "off") || strings.EqualFold(text, "on") {
		return nil
	}
	fmt.Fprintln(p.s.Out, text)
	p.code = exitOK
	return nil
}

func (p *prompt) set(line string) error {
	name, value, ok := strings.Cut(strings.TrimSpace(line[len("set"):]), "=")
	if !ok || strings.TrimSpace(name) == "" {
		fmt.Fprintln(p.s.Err, "cmd: set wants NAME=VALUE")
		p.code = exitFailure
		return nil
	}
	p.vars[strings.ToLower(strings.TrimSpace(name))] = value
	p.code = exitOK
	return nil
}

func (p *prompt) exit(args []string) error {
	if len(args) > 0 && strings.EqualFold(args[0], "/b") {
		args = args[1:]
	}
	if len(args) > 0 {
		n, err := strconv.ParseUint(args[0], 10, 32)
		if err != nil {
			fmt.Fprintln(p.s.Err, "cmd: exit wants a number")
			p.code = exitFailure
			return nil
		}
		p.code = 0
		if n != 0 {
			p.code = processCode(uint32(n))
		}
	}
	return errExit
}

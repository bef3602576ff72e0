package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
	"github.com/peterh/liner"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newShell) }

func newShell(s Streams) *cobra.Command {
	var f shellFlags
	c := &cobra.Command{
		Use: "shell HOST", Short: "Work on a host line by line",
		Long: "Work on a host line by line: cmd on Windows, sh elsewhere. Folder and variables stay from line\n" +
			"to line. Programs that draw on a screen do not work, and on hosts other than Windows commands\n" +
			"get an empty input; 'casement run' gives them yours. Ctrl-C reaches the command, Ctrl-D or exit\n" +
			"ends the shell." + remoteHelp + `

Exit codes: that of exit or of the last command, 1 where the shell could not be opened,
2 wrong command line.`,
		Example: "  casement shell here\n  casement shell web1 --env LANG=C -d /var/log\n  echo 'cd /; pwd' | casement shell here",
		Args:    operands(1, 1, "one host"),
	}
	f.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o, err := f.options()
		if err != nil {
			return err
		}
		return f.single(c.Context(), s, args[0], func(ctx context.Context, conn *casement.Connection) error {
			windows, err := isWindows(ctx, conn)
			if err != nil {
				return err
			}
			if windows {
				return runCommand(ctx, conn, o, wsmanclient.CommandOptions{Command: "cmd.exe", ConsoleStdin: true, Stdout: s.Out, Stderr: s.Err}, s.In)
			}
			shell, err := conn.Shell(ctx, o)
			if err != nil {
				return err
			}
			defer shell.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the host ends it when it is idle
			l := &lineShell{s: s, shell: shell, host: args[0], mark: "\x1e" + rand.Text() + " "}
			return l.loop(ctx)
		})
	}
	return c
}

// isWindows asks a host whether its shell is cmd. This machine's own service is not asked.
func isWindows(ctx context.Context, conn *casement.Connection) (bool, error) {
	if conn.Target() == "." {
		return false, nil
	}
	id, err := conn.Identify(ctx, false)
	if err != nil {
		return false, err
	}
	return strings.Contains(strings.ToLower(id.ProductVendor), "microsoft"), nil
}

// lineShell feeds lines to one sh on the host. After each line sh prints a mark with
// the exit code and the folder, so that the end of the line's output is known.
type lineShell struct {
	s     Streams
	shell *wsmanclient.Shell
	host  string
	mark  string

	cmd   *wsmanclient.Command
	ended chan struct{} // closed when sh has ended
	last  uint32        // its exit code then
	marks chan string   // CODE FOLDER after each line
	code  uint32
	dir   string
}

// quoteSh makes one word of sh of any text.
func quoteSh(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// start runs sh in the folder of the one before it.
func (l *lineShell) start(ctx context.Context) error {
	l.marks, l.ended = make(chan string, 1), make(chan struct{})
	out := &markFilter{w: l.s.Out, mark: l.mark, marks: l.marks}
	cmd, err := l.shell.Start(ctx, wsmanclient.CommandOptions{Command: "exec sh 2>&1", Stdout: out, Stderr: l.s.Err})
	if err != nil {
		return err
	}
	l.cmd = cmd
	ended := l.ended
	go func() {
		if code, err := cmd.Wait(ctx); err == nil {
			l.last = code
		}
		close(ended)
	}()
	first := "trap : INT"
	if l.dir != "" {
		first += "; cd " + quoteSh(l.dir)
	}
	_, err = l.run(ctx, first, false)
	return err
}

// run gives sh a line and waits for its end. alive is false where sh has ended.
func (l *lineShell) run(ctx context.Context, line string, eval bool) (alive bool, err error) {
	if eval {
		// $? is that of the line before, not of the mark.
		line = fmt.Sprintf("(exit %d); command eval %s </dev/null", l.code&0xff, quoteSh(line))
	}
	text := line + "\nprintf '" + strings.Replace(l.mark, "\x1e", `\036`, 1) + "%s %s\\036' \"$?\" \"$PWD\"\n"
	if _, err := io.WriteString(l.cmd.Stdin, text); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return false, err
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	for {
		select {
		case m := <-l.marks:
			code, dir, _ := strings.Cut(m, " ")
			var n uint32
			if _, err := fmt.Sscan(code, &n); err != nil {
				return false, fmt.Errorf("the shell answers %q where its exit code is due", m)
			}
			l.code, l.dir = n, dir
			return true, nil
		case <-l.ended:
			l.code = l.last
			return false, nil
		case <-interrupts:
			if err := l.cmd.Signal(ctx, winrs.SignalCtrlC); err != nil {
				return false, err
			}
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// loop reads lines until the end of the input or of sh.
func (l *lineShell) loop(ctx context.Context) error {
	if err := l.start(ctx); err != nil {
		return err
	}
	defer func() { l.cmd.Close() }() //nolint:errcheck // the shell goes with it
	next, stop := l.reader()
	defer stop()
	for {
		line, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		alive, err := l.run(ctx, line, true)
		if err != nil {
			return err
		}
		if alive {
			continue
		}
		switch first, _, _ := strings.Cut(strings.TrimSpace(line), " "); first {
		case "exit", "exec", "logout":
			return l.end()
		}
		fmt.Fprintf(l.s.Err, "casement: that line ended the shell (code %d); a new one goes on, without the variables\n", l.code)
		l.cmd.Close() //nolint:errcheck // it has ended
		failed := l.code
		if err := l.start(ctx); err != nil {
			return err
		}
		l.code = failed
	}
	return l.end()
}

func (l *lineShell) end() error {
	if l.code == 0 {
		return nil
	}
	return &exitError{code: processCode(l.code)}
}

// reader gives the lines of the terminal, with history and editing, or of the input.
func (l *lineShell) reader() (next func() (string, error), stop func()) {
	if _, ok := terminal(l.s.In); !ok || l.s.In != os.Stdin {
		return func() (string, error) { return readLine(l.s.In) }, func() {}
	}
	editor := liner.NewLiner()
	editor.SetCtrlCAborts(true)
	return func() (string, error) {
		line, err := editor.Prompt(printable(l.host+":"+l.dir) + "$ ")
		if errors.Is(err, liner.ErrPromptAborted) {
			return "", nil
		}
		if err == nil && strings.TrimSpace(line) != "" {
			editor.AppendHistory(line)
		}
		return line, err
	}, func() { editor.Close() }
}

// markFilter passes output through and takes the marks out of it. A mark ends with the
// byte 0x1E.
type markFilter struct {
	w     io.Writer
	mark  string
	marks chan<- string
	held  []byte
}

// maxMark bounds a mark, in bytes: a path and a number.
const maxMark = 64 << 10

// Write implements io.Writer.
func (f *markFilter) Write(b []byte) (int, error) {
	f.held = append(f.held, b...)
	for {
		i := strings.Index(string(f.held), f.mark)
		if i < 0 {
			keep := partial(f.held, f.mark)
			err := f.pass(len(f.held) - keep)
			return len(b), err
		}
		if err := f.pass(i); err != nil {
			return len(b), err
		}
		rest := f.held[len(f.mark):]
		end := strings.IndexByte(string(rest), '\x1e')
		if end < 0 {
			if len(rest) > maxMark {
				return len(b), errors.New("the mark of the shell has no end")
			}
			return len(b), nil
		}
		text := string(rest[:end])
		f.held = append(f.held[:0], rest[end+1:]...)
		f.marks <- text
	}
}

// pass writes the first n held bytes.
func (f *markFilter) pass(n int) error {
	if n == 0 {
		return nil
	}
	_, err := f.w.Write(f.held[:n])
	f.held = append(f.held[:0], f.held[n:]...)
	return err
}

// partial is how many bytes at the end of b may begin a mark.
func partial(b []byte, mark string) int {
	for n := min(len(b), len(mark)-1); n > 0; n-- {
		if string(b[len(b)-n:]) == mark[:n] {
			return n
		}
	}
	return 0
}

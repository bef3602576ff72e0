package cli

import (
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newHelp) }

//go:embed glossary.txt
var glossaryText string

// explanation is one entry of the glossary. long is what its short name stands for, or
// empty.
type explanation struct{ name, long, text string }

// glossary reads the embedded entries, sorted as they stand.
func glossary() []explanation {
	var list []explanation
	for line := range strings.Lines(glossaryText) {
		head, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		name, long, _ := strings.Cut(head, " (")
		list = append(list, explanation{name, strings.TrimSuffix(long, ")"), text})
	}
	return list
}

// foldTerm makes terms compare without case, blanks, hyphens and a plural s.
func foldTerm(s string) string {
	s = strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(s))
	return strings.TrimSuffix(s, "s")
}

func findTerm(words []string) (explanation, bool) {
	want := foldTerm(strings.Join(words, " "))
	for _, t := range glossary() {
		if foldTerm(t.name) == want || t.long != "" && foldTerm(t.long) == want {
			return t, true
		}
	}
	return explanation{}, false
}

func (t explanation) print(w io.Writer) error {
	name := t.name
	if t.long != "" {
		name += " (" + t.long + ")"
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", name, wrap(t.text, 80, "    "))
	return err
}

// wrap breaks a text into lines of at most width columns with an indent.
func wrap(text string, width int, indent string) string {
	var out strings.Builder
	column := 0
	for n, word := range strings.Fields(text) {
		switch {
		case n == 0:
			out.WriteString(indent)
			column = len(indent)
		case column+1+len(word) > width:
			out.WriteString("\n" + indent)
			column = len(indent)
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += len(word)
	}
	return out.String()
}

// newHelp explains commands and terms. A command goes before a term of the same name;
// where both exist the term is printed too.
func newHelp(s Streams) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND | TERM]", Short: "Explain a command, or a term of WMI and WinRM",
		Long:    "Explain a command or a term. 'casement help glossary' prints all terms.\n\nExit codes: 0 explained, 1 neither a command nor a term.",
		Example: "  casement help query\n  casement help listener\n  casement help wmi plug-in",
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			if len(args) == 0 {
				return root.Help()
			}
			if len(args) == 1 && strings.EqualFold(args[0], "glossary") {
				for n, t := range glossary() {
					if n > 0 {
						fmt.Fprintln(s.Out)
					}
					if err := t.print(s.Out); err != nil {
						return err
					}
				}
				return nil
			}
			t, isTerm := findTerm(args)
			cmd, rest, err := root.Find(args)
			isCommand := err == nil && cmd != root && len(rest) == 0
			if isTerm {
				if err := t.print(s.Out); err != nil || !isCommand {
					return err
				}
				fmt.Fprintln(s.Out)
			}
			if isCommand {
				return cmd.Help()
			}
			return fmt.Errorf("help: %q is neither a command ('casement help') nor a term ('casement help glossary')", strings.Join(args, " "))
		},
	}
}

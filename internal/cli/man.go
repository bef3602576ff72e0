package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func init() { subcommands = append(subcommands, newMan) }

func newMan(s Streams) *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Hidden: true, Short: "Write the manual pages into a folder", Args: operands(1, 1, "one folder"),
		Long:    "Write a manual page of section 1 for each command into a folder, for packages.",
		Example: "  casement man /usr/share/man/man1",
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil { // #nosec G301 -- manual pages are for everybody
				return fmt.Errorf("man: %w", err)
			}
			n, err := writeManual(c.Root(), args[0])
			if err != nil {
				return fmt.Errorf("man: %w", err)
			}
			_, err = fmt.Fprintf(s.Out, "%s in %s.\n", plural(n, "manual page"), args[0])
			return err
		},
	}
}

// writeManual writes the page of a command and those below it.
func writeManual(c *cobra.Command, dir string) (n int, err error) {
	if c.Hidden {
		return 0, nil
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	if err := os.WriteFile(filepath.Join(dir, name+".1"), manualPage(c, name), 0o644); err != nil { // #nosec G306 -- as above
		return 0, err
	}
	n = 1
	for _, sub := range c.Commands() {
		below, err := writeManual(sub, dir)
		if err != nil {
			return n, err
		}
		n += below
	}
	return n, nil
}

// manualPage is the page of one command in the man macros.
func manualPage(c *cobra.Command, name string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %s 1 \"\" Casement \"Casement manual\"\n.SH NAME\n%s \\- %s\n", roff(strings.ToUpper(name)), roff(name), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(c.UseLine()))
	text := c.Long
	if text == "" {
		text = c.Short
	}
	b.WriteString(".SH DESCRIPTION\n.nf\n")
	block(&b, text)
	b.WriteString(".fi\n")
	options(&b, "OPTIONS", c.NonInheritedFlags())
	options(&b, "OPTIONS OF ALL COMMANDS", c.InheritedFlags())
	if c.Example != "" {
		b.WriteString(".SH EXAMPLES\n.nf\n")
		block(&b, c.Example)
		b.WriteString(".fi\n")
	}
	var see []string
	if c.HasParent() {
		see = append(see, manualName(c.Parent()))
	}
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			see = append(see, manualName(sub))
		}
	}
	if len(see) > 0 {
		b.WriteString(".SH SEE ALSO\n" + strings.Join(see, ",\n") + "\n")
	}
	return b.Bytes()
}

func manualName(c *cobra.Command) string {
	return ".BR " + roff(strings.ReplaceAll(c.CommandPath(), " ", "-")) + " (1)"
}

func block(b *bytes.Buffer, text string) {
	for line := range strings.Lines(text) {
		b.WriteString(roff(strings.TrimRight(line, "\n")) + "\n")
	}
}

func options(b *bytes.Buffer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	b.WriteString(".SH " + title + "\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n\\fB")
		if f.Shorthand != "" {
			b.WriteString("\\-" + f.Shorthand + ", ")
		}
		b.WriteString(roff("--"+f.Name) + "\\fR")
		if value != "" {
			b.WriteString(" " + roff(value))
		}
		b.WriteString("\n" + roff(usage) + "\n")
	})
}

// roff escapes what the formatter would take for itself.
func roff(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	s = strings.ReplaceAll(s, "-", `\-`)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// The terms that the document uses without explaining them.
func TestHelpTerms(t *testing.T) {
	for _, name := range []string{"listener", "message", "Winrs", "event forwarding", "IPMI", "BMC", "ICF", "WMI plug-in", "namespace", "cimom", "Listeners", "wmi plugin"} {
		r := cli(t, "", append([]string{"casement", "help"}, strings.Fields(name)...)...).want(t, 0)
		lines := strings.SplitN(r.out, "\n", 2)
		if !strings.HasPrefix(foldTerm(lines[0]), foldTerm(name)) || len(lines[1]) < 60 {
			t.Errorf("%s: %s", name, r.out)
		}
	}
	cli(t, "", "casement", "help", "frobnication").want(t, 1, "neither a command")
	cli(t, "", "casement", "help", "query").want(t, 0, "casement query HOST WQL")
	cli(t, "", "casement", "help").want(t, 0, "Available Commands")
}

// docs/glossary.md says the same as the program.
func TestGlossaryPage(t *testing.T) {
	var want strings.Builder
	want.WriteString("# Glossary\n\nThe terms of WMI and WinRM, as `casement help TERM` explains them.\n")
	var names []string
	for _, e := range glossary() {
		head := e.name
		if e.long != "" {
			head += " (" + e.long + ")"
		}
		if e.name == "" || e.text == "" {
			t.Errorf("an entry is not whole: %+v", e)
		}
		names = append(names, strings.ToLower(e.name))
		want.WriteString("\n**" + head + "**: " + e.text + "\n")
	}
	if !slices.IsSorted(names) {
		t.Error("the terms are not sorted")
	}
	path := filepath.Join("..", "..", "docs", "glossary.md")
	if os.Getenv("CASEMENT_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != want.String() {
		t.Errorf("docs/glossary.md differs from glossary.txt; CASEMENT_UPDATE=1 go test -run TestGlossaryPage ./internal/cli writes it (%v)", err)
	}
}

// Every command has help with an example, and none takes a password as a flag.
func TestEveryCommandHasHelp(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		switch {
		case c.Short == "":
			t.Errorf("%s has no short help", c.CommandPath())
		case c.HasSubCommands() || c.Hidden || c.DisableFlagParsing || c.Name() == "version":
		case c.Example == "":
			t.Errorf("%s has no example", c.CommandPath())
		}
		if f := c.Flags().Lookup("password"); f != nil {
			t.Errorf("%s has --password", c.CommandPath())
		}
		wide := strings.HasPrefix(c.CommandPath(), "casement pool") || c.Name() == "doctor"
		for line := range strings.Lines(c.UsageString()) {
			if n := utf8.RuneCountInString(line) - 1; n > helpWidth && !strings.Contains(c.Example, strings.TrimSpace(line)) {
				t.Errorf("%s --help: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); wide && n > helpWidth {
				t.Errorf("%s --help: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(Streams{In: strings.NewReader(""), Out: os.Stdout, Err: os.Stderr}))
}

func TestManualAndCompletion(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	cli(t, "", "casement", "man", dir).want(t, 0, "manual pages")
	b, err := os.ReadFile(filepath.Join(dir, "casement-reg.1"))
	if err != nil || !strings.HasPrefix(string(b), ".TH CASEMENT\\-REG 1 ") || !strings.Contains(string(b), `HKLM\eSOFTWARE`) {
		t.Errorf("%v %s", err, b)
	}
	for _, page := range []string{"casement.1", "casement-query.1", "casement-user-add.1", "casement-completion-bash.1"} {
		if _, err := os.Stat(filepath.Join(dir, page)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "casement-man.1")); err == nil {
		t.Error("a hidden command has a page")
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		cli(t, "", "casement", "completion", shell).want(t, 0, "casement")
	}
	cli(t, "", "casement", "__complete", "query", "-o", "").want(t, 0, "json")
	cli(t, "", "casement", "qurey").want(t, 2, "is it query?")
	cli(t, "", "casement", "query", "--frob").want(t, 2, "--help")
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
)

// spellings are the names by which the documents of Windows call the tools, by the
// names of the tools as toolName folds them. Links are made for those that answer.
var spellings = map[string][]string{
	"configure-smremoting": {"Configure-SMRemoting.exe", "Configure-SMRemoting", "configure-smremoting.exe"},
	"dcomcnfg":             {"DCOMCNFG", "DCOMCnfg.exe", "dcomcnfg.exe"},
	"gpedit":               {"gpedit.msc"},
	"lusrmgr":              {"lusrmgr.msc"},
	"mofcomp":              {"mofcomp.exe"},
	"net":                  {"net.exe"},
	"netsh":                {"netsh.exe"},
	"reg":                  {"reg.exe"},
	"rundll32":             {"Rundll32", "rundll32.exe"},
	"runas":                {"Runas", "runas.exe"},
	"wf":                   {"WF.msc", "wf.msc"},
	"winmgmt":              {"winmgmt.exe"},
	"winrm":                {"Winrm", "winrm.cmd"},
	"winrs":                {"Winrs", "winrs.exe"},
	"wmimgmt":              {"wmimgmt.msc"},
}

// stands makes a tool of the name that is a command line of casement.
func stands(name string, line ...string) { personalities[name] = standIn(line...) }

// standIn is a command line of casement to which what is behind the name of a tool is
// added; a question for help is that of casement.
func standIn(line ...string) personality {
	return func(ctx context.Context, s Streams, args []string) error {
		if wantsHelp(args) {
			args = append(slices.Clone(args[:len(args)-1]), "--help")
		}
		root := newRoot(s)
		root.SetArgs(append(slices.Clone(line), args...))
		return root.ExecuteContext(ctx)
	}
}

// linkNames are the names that links have, sorted.
func linkNames() []string {
	var names []string
	for tool := range personalities {
		names = append(append(names, tool), spellings[tool]...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func init() { subcommands = append(subcommands, newNames) }

const namesHelp = `This binary answers to the names of Windows' tools, in any case, with or without .exe, .cmd or .msc.
'casement cmd' and 'casement NAME ...' know them always. For a shell, links by these names are made in
a folder of your choice, which you then add to PATH: nothing is put where other programs are, since
names such as net may be taken there. Only links to this binary are replaced or removed.`

func newNames(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "names", Short: "The names of Windows' tools: list them, and make links by them", Long: namesHelp,
		Example: "  casement names list\n  casement names install ~/.local/share/casement/bin\n  casement names remove ~/.local/share/casement/bin"}
	c.AddCommand(
		&cobra.Command{Use: "list", Short: "List the names", Args: operands(0, 0, "no operand"), Example: "  casement names list", Long: namesHelp,
			RunE: func(*cobra.Command, []string) error {
				for _, name := range linkNames() {
					if _, err := fmt.Fprintln(s.Out, name); err != nil {
						return err
					}
				}
				return nil
			}},
		namesInstall(s),
		&cobra.Command{Use: "remove DIR", Short: "Remove the links from a folder", Args: operands(1, 1, "a folder"), Long: namesHelp,
			Example: "  casement names remove ~/.local/share/casement/bin",
			RunE:    func(_ *cobra.Command, args []string) error { return removeNames(s, args[0]) }})
	return group(c)
}

func namesInstall(s Streams) *cobra.Command {
	var to string
	c := &cobra.Command{Use: "install DIR", Short: "Make a link by each name in a folder", Args: operands(1, 1, "a folder"), Long: namesHelp,
		Example: "  casement names install ~/.local/share/casement/bin\n  casement names install --to /usr/bin/casement pkg/usr/lib/casement/names"}
	c.Flags().StringVar(&to, "to", "", "what the links lead to, for a package (default: this program)")
	c.RunE = func(_ *cobra.Command, args []string) error {
		if to == "" {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			to = self
		}
		return installNames(s, args[0], to)
	}
	return c
}

// installNames links each name to a binary. What is there and is no link to it stays.
func installNames(s Streams, dir, to string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 -- programs are for everybody
		return fmt.Errorf("make the folder: %w", err)
	}
	made, kept := 0, 0
	for _, name := range linkNames() {
		path := filepath.Join(dir, name)
		_, err := os.Lstat(path)
		switch {
		case err == nil && leadsTo(path, to):
			continue
		case err == nil:
			fmt.Fprintf(s.Err, "casement: %s is another program and stays\n", printable(path))
			kept++
			continue
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if err := os.Symlink(to, path); err != nil {
			return fmt.Errorf("make a link: %w", err)
		}
		made++
	}
	fmt.Fprintf(s.Out, "%d links were made in %s.\n", made, printable(dir))
	if !slices.Contains(filepath.SplitList(os.Getenv("PATH")), dir) {
		fmt.Fprintf(s.Out, "Add it to PATH: export PATH=%s:$PATH\n", quoteSh(dir))
	}
	if kept > 0 {
		return fmt.Errorf("%d names were taken", kept)
	}
	return nil
}

// leadsTo tells whether a path is a link to a binary.
func leadsTo(path, to string) bool {
	text, err := os.Readlink(path)
	if err != nil || text == to {
		return err == nil
	}
	a, err1 := os.Stat(path)
	b, err2 := os.Stat(to)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

func removeNames(s Streams, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	gone := 0
	for _, name := range linkNames() {
		path := filepath.Join(dir, name)
		if !leadsTo(path, self) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove a link: %w", err)
		}
		gone++
	}
	_, err = fmt.Fprintf(s.Out, "%d links were removed.\n", gone)
	return err
}

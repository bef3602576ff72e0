//go:build !nonats

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
	"github.com/spf13/cobra"
)

func init() { poolCommands = append(poolCommands, poolImport, poolExport) }

func formatNames(list []lists.Format) string {
	names := make([]string, len(list))
	for n, f := range list {
		names[n] = string(f)
	}
	return strings.Join(names, ", ")
}

// formatOf reads a format; "" stays.
func formatOf(text string, list []lists.Format) (lists.Format, error) {
	f := lists.Format(strings.ToLower(text))
	if text != "" && !slices.Contains(list, f) {
		return "", usageError("--format: %q is none of %s", text, formatNames(list))
	}
	return f, nil
}

func poolImport(s Streams, f *poolFlags) *cobra.Command {
	var format, credential string
	var tags []string
	var skip, dry bool
	c := &cobra.Command{Use: "import FILE", Short: "Add the servers of a list", Args: operands(1, 1, "a file"),
		Long: "Add the servers of a list, all or none: what is wrong with it is said with its line. FILE may be -\n" +
			"for the standard input. The format is found out: our CSV and JSON, Windows Admin Center's CSV,\n" +
			"Server Manager's ServerList.xml, one name or address per line, an inventory of Ansible (INI or YAML;\n" +
			"groups become tags), a hosts file. Passwords and vaults of a list are not taken.\n\nExit codes: 0 added, 1 not added, 2 wrong command line.",
		Example: "  casement pool import ServerList.xml --tag tokyo\n  casement pool import inventory.yml --dry-run\n  getent hosts | casement pool import - --format hosts"}
	c.Flags().StringVar(&format, "format", "", "the format, where it is not found out: "+formatNames(lists.Readable))
	c.Flags().StringSliceVar(&tags, "tag", nil, "a tag for all; may be repeated")
	c.Flags().StringVar(&credential, "credential", "", "the credential of those that name none")
	c.Flags().BoolVar(&skip, "skip-existing", false, "leave out what is in the pool already")
	c.Flags().BoolVar(&dry, "dry-run", false, "show what would be added, and add nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		as, err := formatOf(format, lists.Readable)
		if err != nil {
			return err
		}
		for _, t := range tags {
			if err := lists.CheckTag(t); err != nil {
				return usageError("--tag: %w", err)
			}
		}
		list, err := readList(s, args[0], as)
		if err != nil {
			return err
		}
		for _, n := range list.Notes {
			fmt.Fprintln(s.Err, printable(n.String()))
		}
		for n := range list.Servers {
			e := &list.Servers[n]
			if e.Tags = append(e.Tags, tags...); e.Credential == "" {
				e.Credential = credential
			}
			e.AddedBy = whoAmI()
			if err := e.Clean(); err != nil {
				return fmt.Errorf("line %d: %w. Nothing was added", list.Lines[n], err)
			}
		}
		return f.with(c, func(ctx context.Context, p *pool.Pool) error {
			servers, err := newServers(p, list, skip)
			if err != nil {
				return err
			}
			return addFound(ctx, s, p, servers, dry, fmt.Sprintf(" (%s)", list.Format))
		})
	}
	return c
}

// readList reads the list of a file, or of the standard input for -.
func readList(s Streams, name string, as lists.Format) (*lists.List, error) {
	in := s.In
	if name != "-" {
		file, err := os.Open(name) // #nosec G304 -- the name is the user's to choose
		if err != nil {
			return nil, err
		}
		defer file.Close() //nolint:errcheck // it is only read
		in = file
	}
	list, err := lists.Read(in, as, name)
	if errors.As(err, new(*lists.Error)) {
		if name = filepath.Base(name); name == "-" {
			name = "the standard input"
		}
		return nil, fmt.Errorf("%s: %w. Nothing was added", name, err)
	}
	return list, err
}

// newServers are those of a list that the pool has not.
func newServers(p *pool.Pool, list *lists.List, skip bool) ([]pool.Server, error) {
	var servers []pool.Server
	for n, e := range list.Servers {
		_, err := p.Get(e.Name)
		switch {
		case errors.Is(err, cim.ErrNotFound):
			servers = append(servers, e)
		case err != nil:
			return nil, err
		case !skip:
			return nil, fmt.Errorf("line %d: %s is in the pool already; --skip-existing leaves such out. Nothing was added", list.Lines[n], e.Name)
		}
	}
	return servers, nil
}

// addFound adds servers, or with dry shows them.
func addFound(ctx context.Context, s Streams, p *pool.Pool, servers []pool.Server, dry bool, what string) error {
	if dry {
		if err := lists.Write(s.Out, lists.CSV, servers); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.Err, "%d would be added%s.\n", len(servers), what)
		return err
	}
	if len(servers) > 0 {
		if err := p.Add(ctx, servers); err != nil {
			return fmt.Errorf("%w. Nothing was added", err)
		}
	}
	_, err := fmt.Fprintf(s.Out, "%d added%s; the pool has %d.\n", len(servers), what, len(p.Servers()))
	return err
}

func poolExport(s Streams, f *poolFlags) *cobra.Command {
	var format, file string
	c := &cobra.Command{Use: "export [SERVERS]", Short: "Write the servers as a list", Args: operands(0, 1, "one SERVERS at most"),
		Long: "Write the servers of the pool as a list, without passwords. csv and json have all that was written\n" +
			"about a server; wac is for Windows Admin Center; the others leave out what they have no place for.\n" +
			"'casement pool import' reads each of them.\n\nExit codes: 0 written, 1 not written, 2 wrong command line.",
		Example: "  casement pool export --format ansible --to inventory.ini\n  casement pool export tag:web --format text"}
	c.Flags().StringVar(&format, "format", string(lists.CSV), "one of "+formatNames(lists.Writable))
	c.Flags().StringVar(&file, "to", "", "a new file to write; it must not exist (default: the standard output)")
	c.RunE = func(c *cobra.Command, args []string) error {
		as, err := formatOf(format, lists.Writable)
		if err != nil {
			return err
		}
		return f.with(c, func(_ context.Context, p *pool.Pool) error {
			var servers []pool.Server
			if len(args) == 0 {
				args = []string{"all"}
				if len(p.Servers()) == 0 {
					return errors.New("the pool is empty: there is nothing to write")
				}
			}
			names, err := pickServers(p, args[0])
			if err != nil {
				return err
			}
			for _, name := range names {
				e, err := p.Get(name)
				if err != nil {
					return err
				}
				servers = append(servers, e.Server)
			}
			return writeTo(s.Out, file, func(w io.Writer) error { return lists.Write(w, as, servers) })
		})
	}
	return c
}

// writeTo writes to a new file, or to out for "".
func writeTo(out io.Writer, name string, write func(io.Writer) error) (err error) {
	if name == "" {
		return write(out)
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) // #nosec G302,G304 -- a list without secrets, where the user wants it
	if err != nil {
		return fmt.Errorf("--to wants a new file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return write(file)
}

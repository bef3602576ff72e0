//go:build !nonats

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/casementhq/casement/pool"
	"github.com/spf13/cobra"
)

func init() { poolCommands = append(poolCommands, poolCredential, poolWorkers) }

const credentialHelp = `Credentials are named accounts by which servers are managed. Passwords go in and never come out:
they are sealed for the key of this pool, and of each worker that was admitted. A server uses the
one that its entry names, else that of one of its tags, else the pool's.`

func poolCredential(s Streams, f *poolFlags) *cobra.Command {
	c := &cobra.Command{Use: "credential", Short: "Keep the accounts by which servers are managed", Long: credentialHelp,
		Example: "  casement pool credential add ops --user 'CORP\\ops' --for all\n  casement pool credential list"}
	c.AddCommand(credentialAdd(s, f), credentialList(s, f), credentialRemove(s, f))
	return group(c)
}

func credentialAdd(s Streams, f *poolFlags) *cobra.Command {
	var n pool.Credential
	var scheme, file string
	var stdin bool
	var purposes []string
	c := &cobra.Command{Use: "add NAME --user USER", Short: "Add or replace a credential", Args: operands(1, 1, "a name"),
		Long:    credentialHelp + "\n\nExit codes: 0 kept, 1 not kept, 2 wrong command line.",
		Example: "  casement pool credential add ops --user 'CORP\\ops' --for all\n  pass show web | casement pool credential add web --user admin --for tag:web --password-stdin"}
	c.Flags().StringVarP(&n.User, "user", "u", "", `user, DOMAIN\user or user@realm`)
	c.Flags().StringSliceVar(&purposes, "for", nil, "tag:TAG, or all for the whole pool; may be repeated")
	c.Flags().StringVar(&scheme, "auth", "", "Negotiate, Kerberos, Basic, Digest or CredSSP (default: chosen by rule)")
	c.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from the first line of the standard input")
	c.Flags().StringVar(&file, "password-file", "", "read the password from the first line of a file")
	c.MarkFlagsMutuallyExclusive("password-stdin", "password-file")
	c.RunE = func(c *cobra.Command, args []string) error {
		n.Name = args[0]
		parsed, err := schemeOf(scheme)
		if err != nil {
			return err
		}
		n.Scheme = parsed
		for _, purpose := range purposes {
			if strings.EqualFold(purpose, "all") {
				purpose = pool.ForAll
			}
			n.For = append(n.For, purpose)
		}
		if err := n.Clean(); err != nil {
			return usageError("%w", err)
		}
		password, err := credentialPassword(s, n.User, stdin, file)
		if err != nil {
			return err
		}
		defer clear(password)
		return f.with(c, func(ctx context.Context, p *pool.Pool) error {
			if err := p.SetCredential(ctx, n, password); err != nil {
				return err
			}
			_, err := fmt.Fprintf(s.Out, "The credential %s is kept.\n", n.Name)
			return err
		})
	}
	return c
}

// credentialPassword asks for a password, or reads it.
func credentialPassword(s Streams, user string, stdin bool, file string) ([]byte, error) {
	if file != "" {
		b, err := os.ReadFile(file) // #nosec G304 -- the name is the user's to choose
		if err != nil {
			return nil, fmt.Errorf("read the password: %w", err)
		}
		line, _, _ := bytes.Cut(b, []byte("\n"))
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
			return nil, fmt.Errorf("read the password: the first line of %s is empty", file)
		}
		return line, nil
	}
	if stdin {
		line, err := readLine(s.In)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the password: %w", err)
		}
		if line == "" {
			return nil, errors.New("read the password: the first line of the standard input is empty")
		}
		return []byte(line), nil
	}
	password, err := askSecret(s, "Password of "+user+": ")
	if errors.Is(err, errNoTerminal) {
		return nil, usageError("a password is needed and %w: give --password-stdin or --password-file", err)
	}
	if err == nil && password == "" {
		err = errors.New("the password is empty, nothing was changed")
	}
	return []byte(password), err
}

func credentialList(s Streams, f *poolFlags) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the credentials; passwords are not shown", Args: operands(0, 0, "no operand"), Example: "  casement pool credential list -o json"}
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return f.with(c, func(ctx context.Context, p *pool.Pool) error {
			list, err := p.Credentials(ctx)
			if err != nil {
				return err
			}
			if len(list) == 0 && *format == "table" {
				fmt.Fprintln(s.Err, "There are no credentials. 'casement pool credential add NAME --user USER --for all' keeps the first.")
				return nil
			}
			l := listing{format: *format, columns: []string{"Name", "User", "Authentication", "For"}}
			for _, n := range list {
				for i, what := range n.For {
					if n.For[i] = "tag:" + what; what == pool.ForAll {
						n.For[i] = "all"
					}
				}
				l.add(n.Name, n.User, string(n.Scheme), strings.Join(n.For, " "))
			}
			return l.print(s.Out)
		})
	}
	return c
}

func credentialRemove(s Streams, f *poolFlags) *cobra.Command {
	c := &cobra.Command{Use: "remove NAME...", Short: "Forget credentials", Args: operands(1, -1, "names"), Example: "  casement pool credential remove ops"}
	c.RunE = func(c *cobra.Command, args []string) error {
		return f.with(c, func(ctx context.Context, p *pool.Pool) error {
			for _, name := range args {
				if err := p.RemoveCredential(ctx, name); err != nil {
					return err
				}
				fmt.Fprintf(s.Out, "The credential %s is forgotten.\n", name)
			}
			return nil
		})
	}
	return c
}

func poolWorkers(s Streams, f *poolFlags) *cobra.Command {
	c := &cobra.Command{Use: "workers", Short: "Say which workers may open the credentials",
		Long:    "Workers of a cluster open credentials only while their key is admitted. 'casement pool worker'\nprints its key.",
		Example: "  casement pool workers list\n  casement pool workers add age1pq1... --note rack4"}
	var note string
	add := &cobra.Command{Use: "add KEY", Short: "Admit a worker: the credentials are sealed for it, too", Args: operands(1, 1, "a key"), Example: "  casement pool workers add age1pq1... --note rack4"}
	add.Flags().StringVar(&note, "note", "", "what people want to remember of it")
	add.RunE = func(c *cobra.Command, args []string) error {
		return f.with(c, func(ctx context.Context, p *pool.Pool) error {
			if err := p.AdmitWorker(ctx, args[0], note, whoAmI()); err != nil {
				return err
			}
			_, err := fmt.Fprintln(s.Out, "The worker is admitted.")
			return err
		})
	}
	remove := &cobra.Command{Use: "remove KEY", Short: "Dismiss a worker: the credentials are sealed anew without its key", Args: operands(1, 1, "a key"), Example: "  casement pool workers remove age1pq1...",
		Long: "Dismiss a worker: the credentials are sealed anew without its key. Passwords that it opened before\nit may have kept: change them."}
	remove.RunE = func(c *cobra.Command, args []string) error {
		return f.with(c, func(ctx context.Context, p *pool.Pool) error {
			if err := p.DismissWorker(ctx, args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintln(s.Out, "The worker is dismissed. It may have kept the passwords that it opened: change them.")
			return err
		})
	}
	list := &cobra.Command{Use: "list", Short: "List the admitted workers", Args: operands(0, 0, "no operand"), Example: "  casement pool workers list -o json"}
	format := formatFlag(list)
	list.RunE = func(c *cobra.Command, _ []string) error {
		return f.with(c, func(ctx context.Context, p *pool.Pool) error {
			workers, err := p.Workers(ctx)
			if err != nil {
				return err
			}
			if len(workers) == 0 && *format == "table" {
				fmt.Fprintln(s.Err, "No worker is admitted. 'casement pool worker' prints its key, and 'casement pool workers add KEY' admits it.")
				return nil
			}
			l := listing{format: *format, columns: []string{"Since", "By", "Note", "Key"}}
			for _, w := range workers {
				l.add(rfc3339(w.Since), w.By, w.Note, w.Key)
			}
			return l.print(s.Out)
		})
	}
	c.AddCommand(add, list, remove)
	return group(c)
}

//go:build !nonats

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/find"
	"github.com/casementhq/casement/pool/lists"
	"github.com/spf13/cobra"
)

func init() { poolCommands = append(poolCommands, poolFind) }

// findFlags say what is looked for and what is done with what is found.
type findFlags struct {
	directory  find.DirectoryOptions
	inside     bool
	user       string
	tls        string
	keytab     string
	ccache     string
	krb5       string
	add        bool
	tags       []string
	credential string
}

func poolFind(s Streams, f *poolFlags) *cobra.Command {
	var o findFlags
	c := &cobra.Command{Use: "find {--directory [DOMAIN] | --dns NAMES...}", Short: "Look for servers in a directory or in DNS",
		Long: "Look for servers, and with --add add those that the pool has not.\n\n" +
			"--directory asks Active Directory for computers whose accounts are enabled, but not for clients:\n" +
			"the controllers that DNS names for DOMAIN, or --controller. The connection is sealed by Kerberos or\n" +
			"NTLM, or by TLS with --tls. Without --user the tickets of kinit are used; the password is asked for,\n" +
			"or is CASEMENT_PASSWORD's.\n\n" +
			"--dns asks for names, as web1 or web[01:20].corp.example, and of addresses for their names: one, the\n" +
			"first octets as 10.0.4., or a network of up to 1,024 addresses as 10.0.4.0/22. A name of an address\n" +
			"that does not lead back to it is shown and not added.\n\nExit codes: 0 found, 1 failed or nothing found, 2 wrong command line.",
		Example: "  casement pool find --directory corp.example --name 'web*' --add --tag web\n  casement pool find --directory --controller dc1.corp.example --tls ldaps -u 'CORP\\anna'\n  casement pool find --dns web[01:20].corp.example 10.0.4.0/24"}
	d := c.Flags()
	d.BoolVar(&o.inside, "directory", false, "look in the directory of the domain that is named")
	inDNS := d.Bool("dns", false, "ask DNS for the names and addresses that are given")
	d.StringVar(&o.directory.Controller, "controller", "", "domain controller, host or host:port (default: those of DNS)")
	d.StringVar(&o.directory.Address, "controller-address", "", "address that is dialled for --controller, host:port")
	d.StringVar(&o.tls, "tls", "", "starttls or ldaps: sign in over TLS with a password, in place of a sealed connection")
	d.StringVar(&o.directory.Thumbprint, "thumbprint", "", "SHA-256 of the controller's certificate, in place of all other checks of it")
	d.StringVarP(&o.user, "user", "u", "", `user, DOMAIN\user or user@realm; the password is asked for`)
	d.StringVar(&o.keytab, "keytab", "", "keytab of the user, in place of a password")
	d.StringVar(&o.ccache, "ccache", "", "credential cache with the user's tickets (default: KRB5CCNAME, else that of kinit)")
	d.StringVar(&o.krb5, "krb5-conf", "", "configuration of Kerberos (default: KRB5_CONFIG, else /etc/krb5.conf)")
	d.StringVar(&o.directory.Base, "base", "", "where to search from, OU=Web,DC=corp,DC=example (default: the domain)")
	d.StringVar(&o.directory.Name, "name", "", "what names look like, with * for anything")
	d.StringVar(&o.directory.System, "os", "", "what operating systems look like, with * for anything")
	d.BoolVar(&o.directory.Clients, "clients", false, "show clients too; the pool refuses to manage them")
	d.IntVar(&o.directory.Most, "most", 0, "how many are wanted (default 100000)")
	d.BoolVar(&o.add, "add", false, "add what the pool has not")
	d.StringSliceVar(&o.tags, "tag", nil, "a tag for what is added; may be repeated")
	d.StringVar(&o.credential, "credential", "", "the credential of what is added")
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.inside == *inDNS {
			return usageError("one of --directory and --dns says where to look")
		}
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
		defer stop()
		for _, t := range o.tags {
			if err := lists.CheckTag(t); err != nil {
				return usageError("--tag: %w", err)
			}
		}
		var found []pool.Server
		var err error
		if o.inside {
			found, err = o.inDirectory(ctx, s, args, *format)
		} else {
			found, err = o.inDNS(ctx, s, args, *format)
		}
		if err != nil || !o.add {
			return err
		}
		return f.with(c, func(ctx context.Context, p *pool.Pool) error { return o.addTo(ctx, s, p, found) })
	}
	return c
}

var errNothingFound = errors.New("nothing was found")

// inDirectory shows the computers of a directory, and gives those that can be added.
func (o *findFlags) inDirectory(ctx context.Context, s Streams, args []string, format string) ([]pool.Server, error) {
	if len(args) > 1 {
		return nil, usageError("--directory wants one domain, %d given", len(args))
	}
	d := o.directory
	if len(args) == 1 {
		d.Domain = args[0]
	}
	if d.Domain == "" && d.Controller == "" {
		return nil, usageError("--directory wants the name of a domain, or --controller")
	}
	switch strings.ToLower(o.tls) {
	case "":
	case string(find.StartTLS):
		d.Security = find.StartTLS
	case string(find.LDAPS):
		d.Security = find.LDAPS
	default:
		return nil, usageError("--tls: %q is neither starttls nor ldaps", o.tls)
	}
	if o.keytab != "" && o.ccache != "" {
		return nil, usageError("--keytab and --ccache exclude each other")
	}
	account, err := (&accountSource{s: s, user: o.user, keyless: o.keytab != "" || o.ccache != ""}).account(d.Domain + d.Controller)
	if err != nil {
		return nil, err
	}
	d.Credentials = auth.Credentials{Username: account.user, Password: account.password}
	d.Tickets = tickets.New(tickets.Options{Keytab: o.keytab, CCache: o.ccache, Config: o.krb5})
	defer d.Tickets.Close() //nolint:errcheck // nothing is lost
	all, err := find.InDirectory(ctx, d)
	if err != nil {
		return nil, err
	}
	l := listing{format: format, columns: []string{"Name", "OS", "Version", "DN"}}
	var servers []pool.Server
	for _, x := range all.Computers {
		l.add(x.Name, x.System, x.Version, x.DN)
		if lists.CheckName(x.Name) != nil {
			fmt.Fprintf(s.Err, "%s is no host name and cannot be added\n", printable(x.Name))
			continue
		}
		servers = append(servers, pool.Server{Name: x.Name})
	}
	if err := l.print(s.Out); err != nil {
		return nil, err
	}
	if all.More {
		fmt.Fprintf(s.Err, "there are more than these %d\n", len(all.Computers))
	}
	if len(all.Computers) == 0 {
		return nil, errNothingFound
	}
	return servers, nil
}

// inDNS shows what DNS knows, and gives what can be added.
func (o *findFlags) inDNS(ctx context.Context, s Streams, args []string, format string) ([]pool.Server, error) {
	if len(args) == 0 {
		return nil, usageError("--dns wants names or addresses")
	}
	hosts, err := find.InDNS(ctx, nil, args...)
	if err != nil {
		return nil, err
	}
	l := listing{format: format, columns: []string{"Name", "Addresses", "Asked", "Confirmed"}}
	var servers []pool.Server
	for _, h := range hosts {
		var addresses []string
		for _, a := range h.Addresses {
			addresses = append(addresses, a.String())
		}
		l.add(h.Name, strings.Join(addresses, " "), h.Asked, h.Confirmed)
		if h.Confirmed {
			servers = append(servers, pool.Server{Name: h.Name})
		}
	}
	if err := l.print(s.Out); err != nil {
		return nil, err
	}
	if len(hosts) == 0 {
		return nil, errNothingFound
	}
	return servers, nil
}

// addTo adds what the pool has not.
func (o *findFlags) addTo(ctx context.Context, s Streams, p *pool.Pool, found []pool.Server) error {
	var servers []pool.Server
	seen := map[string]bool{}
	for _, e := range found {
		key := strings.ToLower(e.Name)
		if _, err := p.Get(e.Name); !errors.Is(err, cim.ErrNotFound) || seen[key] {
			continue
		}
		seen[key] = true
		e.Tags, e.Credential, e.AddedBy = append([]string(nil), o.tags...), o.credential, whoAmI()
		servers = append(servers, e)
	}
	return addFound(ctx, s, p, servers, false, "")
}

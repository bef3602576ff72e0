//go:build !nonats

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
	"github.com/spf13/cobra"
)

func init() {
	poolCommands = append(poolCommands, poolAdd, poolList, poolShow, poolRemove, poolTag, poolManageAs)
}

func poolAdd(s Streams, f *poolFlags) *cobra.Command {
	var e pool.Server
	var transport string
	c := &cobra.Command{Use: "add NAME...", Short: "Add servers by name or address", Args: operands(1, -1, "names"),
		Long:    "Add servers by name or address, all or none. They are not asked by this; 'casement pool refresh'\nand 'casement pool serve' do that.\n\nExit codes: 0 added, 1 not added, 2 wrong command line.",
		Example: "  casement pool add web1.example.com web2.example.com --tag web --tag tokyo\n  casement pool add db1 --address 10.0.0.7 --transport dcom --credential ops"}
	c.Flags().StringSliceVar(&e.Tags, "tag", nil, "a tag; may be repeated")
	c.Flags().StringVar(&e.Credential, "credential", "", "the credential to use (default: that of a tag, else the pool's)")
	c.Flags().StringVar(&e.Address, "address", "", "what is dialled in place of the name")
	c.Flags().StringVar(&e.Endpoint, "endpoint", "", "URL of WinRM (default http://NAME:5985/wsman)")
	c.Flags().StringVar(&transport, "transport", "", "winrm, dcom or both (default: WinRM, and DCOM for those that cannot)")
	c.Flags().StringVar(&e.Thumbprint, "thumbprint", "", "SHA-256 of the server's certificate, in place of all other checks of it")
	c.RunE = func(c *cobra.Command, args []string) error {
		names := splitNames(args)
		if len(names) > 1 && (e.Address != "" || e.Endpoint != "" || e.Thumbprint != "") {
			return usageError("--address, --endpoint and --thumbprint belong to one server")
		}
		e.Transport, e.AddedBy = pool.Transport(transport), whoAmI()
		list := make([]pool.Server, len(names))
		for n, name := range names {
			list[n] = e
			list[n].Name, list[n].Tags = name, slices.Clone(e.Tags)
			if err := list[n].Clean(); err != nil {
				return usageError("%w", err)
			}
		}
		return f.with(c, func(ctx context.Context, p *pool.Pool) error {
			if err := p.Add(ctx, list); err != nil {
				return err
			}
			_, err := fmt.Fprintf(s.Out, "%d added; the pool has %d.\n", len(list), len(p.Servers()))
			return err
		})
	}
	return c
}

func poolList(s Streams, f *poolFlags) *cobra.Command {
	c := &cobra.Command{Use: "list [FILTER...]", Short: "List the servers and the state of each",
		Long: `List the servers and the state of each, as it was last found; 'casement pool refresh' asks them.

FILTER is words, which some column has, and KEY:VALUE pairs, all of which must match. Commas stand
between alternatives, - before a word or a key excludes (write -- before it), and > and < compare:

  state                 ok, info, attention, blocked, none, or a part of its text
  name, tag, role, os, domain, ip, reason, transport
  credential, as        what the entry names; the account that was signed in
  alert                 a threshold that is passed: cpu, memory, disk, service, events
  cpu, memory, disk     per cent in use; of the fullest disk
  events                of the last 24 hours
  services              that need attention
  failures, missed      parts of the data, and probes in a row, without an answer
  last, uptime          since the last contact, since the start, in s, m, h or d

-o json, csv and xml give per cent as numbers, and nothing for what is not known.

Exit codes: 0 listed, 1 failed, 2 wrong command line.`,
		Example: "  casement pool list\n  casement pool list state:blocked,attention\n  casement pool list 'tag:web' 'last:>1h' -o csv\n  casement pool list -- -state:ok"}
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		filter, err := pool.ParseFilter(strings.Join(args, " "))
		if err != nil {
			return usageError("%w", err)
		}
		return f.with(c, func(_ context.Context, p *pool.Pool) error {
			all, now := p.Servers(), time.Now()
			picked := filter.Pick(all, now)
			if len(all) == 0 && *format == "table" {
				fmt.Fprintln(s.Err, "The pool is empty. Add the first server with 'casement pool add NAME'.")
				return nil
			}
			l := listServers(picked, now, *format)
			var left []string
			if width := terminalWidth(s.Out); *format == "table" && width > 0 {
				l, left = l.fitted(width, serverFit)
			}
			if err := l.print(s.Out); err != nil {
				return err
			}
			if len(left) > 0 {
				fmt.Fprintf(s.Err, "Not shown, for want of width: %s; -o list has all.\n", strings.Join(left, ", "))
			}
			asked := func(e pool.Entry) bool { return e.Snapshot != nil || e.Paused }
			if *format == "table" && !slices.ContainsFunc(all, asked) {
				fmt.Fprintln(s.Err, "None was asked yet: 'casement pool refresh' does, and 'casement pool serve' again and again.")
			}
			if len(args) > 0 && *format == "table" {
				fmt.Fprintf(s.Err, "%d of %d, filtered\n", len(picked), len(all))
			}
			return nil
		})
	}
	return c
}

// serverFit is how the table of servers fits a terminal.
var serverFit = fitting{
	cut:   []cut{{"Name", 20}, {"Manageability", 24}, {"Reason", 24}, {"OS", 14}, {"Tags", 8}},
	spare: []string{"OS", "Tags", "CPU", "Memory", "Disk", "LastContact"},
}

// listServers is the list for people, or with the level in a column of its own, numbers
// without units and nothing for what is not known, for programs.
func listServers(list []pool.Entry, now time.Time, format string) *listing {
	people := format == "table" || format == "list"
	l := &listing{format: format, columns: []string{"Name", "Manageability", "Reason", "LastContact", "OS", "CPU", "Memory", "Disk", "Tags"}}
	if !people {
		l.columns = slices.Insert(l.columns, 2, "Level")
	}
	for _, e := range list {
		state, level := e.Condition()
		r := poolRow(e)
		var contact any = cim.Null(cim.String)
		switch {
		case !r.contact.IsZero() && format == "table":
			contact = ago(now.Sub(r.contact))
		case !r.contact.IsZero():
			contact = rfc3339(r.contact)
		}
		row := []any{e.Name, string(state), r.reason, contact, r.os, percent(r.cpu, people), percent(r.memory, people), percent(r.disk, people), strings.Join(e.Tags, " ")}
		if people {
			row[1] = levelSigns[level] + " " + string(state)
		} else {
			row = slices.Insert(row, 2, any(string(level)))
		}
		l.add(row...)
	}
	return l
}

// percent is a number with its unit for people, and bare for programs, which get NULL
// where it is not known.
func percent(n *int, people bool) any {
	switch {
	case n == nil && people:
		return ""
	case n == nil:
		return cim.Null(cim.Sint64)
	case people:
		return fmt.Sprintf("%d%%", *n)
	}
	return *n
}

// levelSigns go before a state: the shape tells what the colour would.
var levelSigns = map[pool.Level]string{pool.LevelOK: "●", pool.LevelInfo: "◐", pool.LevelAttention: "▲", pool.LevelBlocked: "✕", pool.LevelNone: "○"}

// shownServer is what a row shows of a snapshot: zero or nil where it is not known. Numbers
// are per cent.
type shownServer struct {
	reason, os        string
	contact           time.Time
	cpu, memory, disk *int
}

func poolRow(e pool.Entry) (r shownServer) {
	x := e.Snapshot
	if x == nil {
		return r
	}
	r.reason, r.contact = x.Reason, x.Contact
	if x.Facts != nil {
		r.os = strings.TrimPrefix(x.Facts.OS, "Microsoft ")
	}
	used := func(free, whole uint64) *int { return new(int(100 - min(free, whole)*100/whole)) }
	if x.Counters != nil && x.Counters.CPU != nil {
		r.cpu = new(int(math.Round(*x.Counters.CPU)))
	}
	if x.Counters != nil && x.Counters.Available != nil && x.Facts != nil && x.Facts.Memory > 0 {
		r.memory = used(*x.Counters.Available, x.Facts.Memory)
	}
	fullest := -1.0
	for _, d := range x.Disks {
		if d.Size > 0 && 1-float64(d.Free)/float64(d.Size) > fullest {
			fullest, r.disk = 1-float64(d.Free)/float64(d.Size), used(d.Free, d.Size)
		}
	}
	return r
}

// ago is how long ago something was, for people.
func ago(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	}
	return fmt.Sprintf("%d d ago", d/(24*time.Hour))
}

func poolShow(s Streams, f *poolFlags) *cobra.Command {
	c := &cobra.Command{Use: "show NAME", Short: "Show all that is known of a server", Args: operands(1, 1, "a name"),
		Long:    "Show all that is known of a server; -o json has the tiles too.\n\nExit codes: 0 shown, 1 failed, 2 wrong command line or no such server.",
		Example: "  casement pool show web1\n  casement pool show web1 -o json"}
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return f.with(c, func(ctx context.Context, p *pool.Pool) error {
			e, err := p.Get(args[0])
			if err != nil {
				return noServer(p.Servers(), args[0])
			}
			if *format == "json" {
				j := json.NewEncoder(s.Out)
				j.SetIndent("", "  ")
				return j.Encode(e)
			}
			as, _, err := p.CredentialOf(ctx, e.Server)
			if err != nil {
				return err
			}
			l := listing{format: *format, columns: []string{"Name", "Manageability", "Level", "Reason", "Address", "Endpoint", "Transport", "Credential", "User", "Tags", "Paused", "Added", "AddedBy", "Note", "LastContact", "OS", "Domain", "Addresses", "Booted", "CPU", "Memory", "Disk"}}
			if *format == "table" {
				l.format = "list"
			}
			state, level := e.Condition()
			r := poolRow(e)
			people := *format == "table" || *format == "list"
			var facts pool.Facts
			contact, booted, transport := "", "", string(e.Transport)
			if x := e.Snapshot; x != nil {
				contact = rfc3339(x.Contact)
				if x.Transport != "" {
					transport = string(x.Transport)
				}
				if x.Facts != nil {
					facts = *x.Facts
				}
			}
			booted = rfc3339(facts.Booted)
			l.add(e.Name, string(state), string(level), r.reason, e.Address, e.Endpoint, transport, as.Name, as.User, strings.Join(e.Tags, " "), e.Paused, rfc3339(e.Added), e.AddedBy, e.Note,
				contact, r.os, facts.Domain, strings.Join(facts.Addresses, " "), booted, percent(r.cpu, people), percent(r.memory, people), percent(r.disk, people))
			return l.print(s.Out)
		})
	}
	return c
}

func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// each does something with each server that is picked, and says how many it were.
func (f *poolFlags) each(c *cobra.Command, s Streams, operand, done string, do func(ctx context.Context, p *pool.Pool, name string) error) error {
	return f.with(c, func(ctx context.Context, p *pool.Pool) error {
		names, err := pickServers(p, operand)
		if err != nil {
			return err
		}
		return eachOf(ctx, s, p, names, done, do)
	})
}

// eachOf does something with each server of a list, and says how many it were, also where
// one fails.
func eachOf(ctx context.Context, s Streams, p *pool.Pool, names []string, done string, do func(ctx context.Context, p *pool.Pool, name string) error) error {
	for n, name := range names {
		if err := do(ctx, p, name); err != nil {
			if len(names) > 1 {
				err = fmt.Errorf("%w (%d of %d %s before that)", err, n, len(names), done)
			}
			return err
		}
	}
	_, err := fmt.Fprintf(s.Out, "%d %s.\n", len(names), done)
	return err
}

func poolRemove(s Streams, f *poolFlags) *cobra.Command {
	c := &cobra.Command{Use: "remove SERVERS", Short: "Remove servers, and what is known of them", Args: operands(1, 1, "servers"),
		Long: poolHelp + "\n\nExit codes: 0 removed, 1 failed, 2 wrong command line or no such server.", Example: "  casement pool remove web1,web2\n  casement pool remove 'last:>30d'"}
	c.RunE = func(c *cobra.Command, args []string) error {
		return f.each(c, s, args[0], "removed", func(ctx context.Context, p *pool.Pool, name string) error { return p.Remove(ctx, name) })
	}
	return c
}

func poolTag(s Streams, f *poolFlags) *cobra.Command {
	c := &cobra.Command{Use: "tag SERVERS TAG...", Short: "Give servers tags, and take them away", Args: operands(2, -1, "servers and tags"),
		Long:    "Give servers tags; one with - before it is taken away (write -- before the operands then).\n\nExit codes: 0 done, 1 failed, 2 wrong command line or no such server.",
		Example: "  casement pool tag web1,web2 tokyo\n  casement pool tag -- tag:tokyo -old"}
	c.RunE = func(c *cobra.Command, args []string) error {
		for _, tag := range args[1:] {
			if err := lists.CheckTag(strings.TrimPrefix(tag, "-")); err != nil {
				return usageError("%w", err)
			}
		}
		return f.each(c, s, args[0], "tagged", func(ctx context.Context, p *pool.Pool, name string) error {
			return p.Update(ctx, name, func(e *pool.Server) error {
				for _, tag := range args[1:] {
					if less, ok := strings.CutPrefix(tag, "-"); ok {
						e.Tags = slices.DeleteFunc(e.Tags, func(t string) bool { return strings.EqualFold(t, less) })
						continue
					}
					e.Tags = append(e.Tags, tag)
				}
				return nil
			})
		})
	}
	return c
}

func poolManageAs(s Streams, f *poolFlags) *cobra.Command {
	var name string
	c := &cobra.Command{Use: "manage-as SERVERS --credential NAME", Short: "Say with which credential servers are managed", Args: operands(1, 1, "servers"),
		Long:    "Say with which credential servers are managed; an empty NAME goes back to that of a tag, else the\npool's.\n\nExit codes: 0 done, 1 failed, 2 wrong command line or no such server.",
		Example: "  casement pool manage-as web1 --credential ops"}
	c.Flags().StringVar(&name, "credential", "", "name of the credential ('casement pool credential list')")
	c.RunE = func(c *cobra.Command, args []string) error {
		if !c.Flags().Changed("credential") {
			return usageError("--credential NAME is missing")
		}
		return f.each(c, s, args[0], "changed", func(ctx context.Context, p *pool.Pool, server string) error {
			return p.Update(ctx, server, func(e *pool.Server) error { e.Credential = name; return nil })
		})
	}
	return c
}

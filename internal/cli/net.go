package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/service"
)

const netHelp = `net changes local users and groups, and starts and stops WMI, with the syntax of net.exe.

  net localgroup                                 lists the groups
  net localgroup GROUP                           lists its members
  net localgroup GROUP /add [/comment:TEXT]      makes a group
  net localgroup GROUP /delete                   deletes a group
  net localgroup GROUP NAME... /add              adds members
  net localgroup GROUP NAME... /delete           removes members
  net user                                       lists the users
  net user NAME                                  shows a user
  net user NAME * [/add]                         sets the password that is asked for; /add makes the user
  net user NAME /add [/fullname:TEXT] [/comment:TEXT] [/active:no]
  net user NAME /active:yes|no
  net user NAME /delete
  net accounts                                   shows when failed logons lock a user out
  net accounts [/lockoutthreshold:N] [/lockoutduration:MINUTES] [/lockoutwindow:MINUTES]
                                                 changes that; threshold 0: never, duration 0: until it is ended
  net stop winmgmt                               ends WMI over DCOM of the service that runs; WinRM stays
  net start winmgmt                              starts it with the port and level that winmgmt has set

A password as an argument is refused, since everybody can read arguments: '*' asks for it, or
takes the first line of a standard input that is no terminal.

--state DIR   the state folder (default: $CASEMENT_STATE, else that of 'casement up')

Examples:
  net localgroup WinRMRemoteWMIUsers__ alice /add
  net user alice * /add
  net stop winmgmt

Exit codes: 0 done, 2 refused, not found, or a wrong command line (as net.exe).
`

func init() {
	listed("net", "Change local users and groups, start and stop WMI (syntax of net.exe)", netHelp, runNet)
}

// netError is a failure of net: exit code 2, with the number that net.exe gives.
func netError(err error) error {
	var exit *exitError
	if err == nil || errors.As(err, &exit) {
		return err
	}
	for _, known := range []struct {
		err  error
		code int
	}{{accounts.ErrNoSuchUser, 2221}, {accounts.ErrNoSuchGroup, 1376}, {accounts.ErrNoSuchMember, 1377}, {accounts.ErrNoDomainName, 1387}} {
		if errors.Is(err, known.err) {
			return &exitError{code: exitUsage, err: fmt.Errorf("net: system error %d: %w", known.code, err)}
		}
	}
	return &exitError{code: exitUsage, err: fmt.Errorf("net: %w", err)}
}

func netUsage(format string, args ...any) error {
	return usageError("net: "+format+"; 'net /?' shows the syntax", args...)
}

// netCall is one parsed command line of net.
type netCall struct {
	s        Streams
	state    *service.State
	store    *accounts.Store
	operands []string
	switches map[string]string // lower-case names
}

func (c *netCall) has(name string) bool { _, ok := c.switches[name]; return ok }

// only refuses switches that are not in the list, and /add beside /delete.
func (c *netCall) only(known ...string) error {
	for name := range c.switches {
		if !slices.Contains(known, name) {
			return netUsage("unknown switch /%s", name)
		}
	}
	if c.has("add") && c.has("delete") {
		return netUsage("/add and /delete exclude each other")
	}
	return nil
}

func runNet(ctx context.Context, s Streams, args []string) error {
	state, args, err := takeState(args)
	if err != nil {
		return err
	}
	if wantsHelp(args) {
		_, err := fmt.Fprint(s.Out, netHelp)
		return err
	}
	if len(args) == 0 {
		return netUsage("what to change is missing: localgroup, user, accounts, start or stop")
	}
	if verb := strings.ToLower(args[0]); verb == "start" || verb == "stop" {
		return netError(netService(ctx, s, state, verb, args[1:]))
	}
	c := &netCall{s: s, switches: map[string]string{}}
	for _, a := range args[1:] {
		if name, ok := strings.CutPrefix(a, "/"); ok && name != "" {
			name, value, _ := strings.Cut(name, ":")
			c.switches[strings.ToLower(name)] = value
			continue
		}
		c.operands = append(c.operands, a)
	}
	run := map[string]func(*netCall) error{"localgroup": netLocalgroup, "user": netUser, "users": netUser, "accounts": netAccounts}[strings.ToLower(args[0])]
	if run == nil {
		return netUsage("%q is not known: localgroup, user, accounts, start or stop", args[0])
	}
	return netError(withState(state, func(st *service.State) error {
		c.state, c.store = st, st.Accounts
		return run(c)
	}))
}

func netLocalgroup(c *netCall) error {
	if err := c.only("add", "delete", "comment"); err != nil {
		return err
	}
	change := c.has("add") || c.has("delete")
	if c.has("comment") && (!c.has("add") || len(c.operands) != 1) {
		return netUsage("/comment is for a new group")
	}
	switch {
	case !change && len(c.operands) == 0:
		return c.listGroups()
	case !change && len(c.operands) == 1:
		return c.showGroup(c.operands[0])
	case !change || len(c.operands) == 0:
		return netUsage("localgroup wants a group, and members with /add or /delete")
	case len(c.operands) == 1 && c.has("add"):
		if _, err := c.store.AddGroup(c.operands[0], c.switches["comment"]); err != nil {
			return err
		}
	case len(c.operands) == 1:
		if err := c.store.DeleteGroup(c.operands[0]); err != nil {
			return err
		}
	default:
		do := c.store.AddMember
		if c.has("delete") {
			do = c.store.RemoveMember
		}
		for _, member := range c.operands[1:] {
			err := do(c.operands[0], member)
			if errors.Is(err, accounts.ErrExists) {
				return fmt.Errorf("system error 1378: %w", err)
			}
			if err != nil {
				return err
			}
		}
	}
	return c.done()
}

func (c *netCall) done() error {
	_, err := fmt.Fprintln(c.s.Out, "Done.")
	return err
}

func (c *netCall) listGroups() error {
	groups, err := c.store.Groups()
	if err != nil {
		return err
	}
	machine, err := c.store.Machine()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.s.Out, "Local groups of \\\\%s\n\n", machine)
	for _, g := range groups {
		fmt.Fprintln(c.s.Out, "*"+g.Name)
	}
	return nil
}

func (c *netCall) showGroup(name string) error {
	g, err := c.store.LookupGroup(name)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.s.Out, "Group    %s\nComment  %s\n\nMembers\n\n", g.Name, g.Comment)
	for _, m := range g.Members {
		fmt.Fprintln(c.s.Out, c.memberName(c.store.AccountName(m)))
	}
	return nil
}

// memberName leaves the machine's own name out, as net.exe does.
func (c *netCall) memberName(name string) string {
	if machine, err := c.store.Machine(); err == nil {
		return strings.TrimPrefix(name, machine+`\`)
	}
	return name
}

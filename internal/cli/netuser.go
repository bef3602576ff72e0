package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/casementhq/casement/accounts"
)

func netUser(c *netCall) error {
	if err := c.only("add", "delete", "active", "comment", "fullname"); err != nil {
		return err
	}
	if len(c.operands) == 0 {
		if len(c.switches) > 0 {
			return netUsage("a user name is missing")
		}
		return c.listUsers()
	}
	active, err := c.active()
	if err != nil {
		return err
	}
	name, ask := c.operands[0], false
	switch {
	case len(c.operands) > 2:
		return netUsage("user wants one name and '*' for a password")
	case len(c.operands) == 2 && c.operands[1] != "*":
		return netUsage("a password as an argument is refused, since everybody on this machine can read arguments: give '*' instead")
	case len(c.operands) == 2:
		ask = true
	}
	if (c.has("comment") || c.has("fullname")) && !c.has("add") {
		return netUsage("/comment and /fullname are for a new user")
	}
	switch {
	case c.has("add"):
		err = c.addUser(name, ask, active)
	case c.has("delete"):
		if ask || active != nil {
			return netUsage("/delete stands alone")
		}
		if err = c.store.DeleteUser(name); err == nil {
			err = c.state.Permit("") // nobody runs as its Unix user any more
		}
	case !ask && active == nil:
		return c.showUser(name)
	default:
		err = c.changeUser(name, ask, active)
	}
	if err != nil {
		return err
	}
	return c.done()
}

func (c *netCall) active() (*bool, error) {
	if !c.has("active") {
		return nil, nil
	}
	yes := strings.EqualFold(c.switches["active"], "yes")
	if !yes && !strings.EqualFold(c.switches["active"], "no") {
		return nil, netUsage("/active is yes or no")
	}
	return &yes, nil
}

func (c *netCall) password(name string) (string, error) {
	_, onTerminal := terminal(c.s.In)
	p := newPassword{stdin: !onTerminal}
	return p.get(c.s, name)
}

func (c *netCall) addUser(name string, ask bool, active *bool) error {
	n := accounts.NewUser{Name: name, FullName: c.switches["fullname"], Comment: c.switches["comment"], Disabled: active != nil && !*active}
	if _, err := c.store.LookupUser(name); err == nil {
		return fmt.Errorf("system error 2224: add user %s: %w", name, accounts.ErrExists)
	}
	if ask {
		var err error
		if n.Password, err = c.password(name); err != nil {
			return err
		}
	}
	if _, err := c.store.AddUser(n); err != nil {
		return err
	}
	if !ask {
		fmt.Fprintf(c.s.Err, "net: %s has no password yet and cannot sign in; 'net user %s *' sets one\n", name, name)
	}
	return nil
}

func (c *netCall) changeUser(name string, ask bool, active *bool) error {
	if _, err := c.store.LookupUser(name); err != nil {
		return err
	}
	if ask {
		password, err := c.password(name)
		if err != nil {
			return err
		}
		if err := c.store.SetPassword(name, password); err != nil {
			return err
		}
	}
	if active == nil {
		return nil
	}
	if err := c.store.SetDisabled(name, !*active); err != nil || !*active {
		return err
	}
	_, err := c.store.Unlock(name)
	return err
}

func (c *netCall) listUsers() error {
	users, err := c.store.Users()
	if err != nil {
		return err
	}
	machine, err := c.store.Machine()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.s.Out, "Users of \\\\%s\n\n", machine)
	for _, u := range users {
		fmt.Fprintln(c.s.Out, u.Name)
	}
	return nil
}

func (c *netCall) showUser(name string) error {
	u, err := c.store.LookupUser(name)
	if err != nil {
		return err
	}
	groups, err := c.store.Groups()
	if err != nil {
		return err
	}
	var in []string
	for _, g := range groups {
		for _, m := range g.Members {
			if m == u.SID {
				in = append(in, "*"+g.Name)
			}
		}
	}
	set := "Never"
	if !u.PasswordSet.IsZero() {
		set = u.PasswordSet.UTC().Format(time.RFC3339)
	}
	active := "Yes"
	if u.Disabled {
		active = "No"
	} else if from := c.lockedFrom(u); len(from) > 0 {
		active = "Locked from " + strings.Join(from, ", ")
	}
	_, err = fmt.Fprintf(c.s.Out, "User             %s\nFull name        %s\nComment          %s\nActive           %s\nPassword set     %s\nUnix user        %s\nGroups           %s\n",
		u.Name, u.FullName, u.Comment, active, set, u.UnixUser, strings.Join(in, " "))
	return err
}

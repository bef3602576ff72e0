package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/accounts"
)

// netAccounts shows and changes when failed logons lock a user out.
func netAccounts(c *netCall) error {
	if err := c.only("lockoutthreshold", "lockoutduration", "lockoutwindow"); err != nil {
		return err
	}
	if len(c.operands) > 0 {
		return netUsage("accounts takes no operand")
	}
	p, err := c.store.LockoutPolicy()
	if err != nil {
		return err
	}
	if len(c.switches) == 0 {
		return c.showAccounts(p)
	}
	for name, put := range map[string]func(int){
		"lockoutthreshold": func(n int) { p.Threshold = n },
		"lockoutduration":  func(n int) { p.Duration = time.Duration(n) * time.Minute },
		"lockoutwindow":    func(n int) { p.Window = time.Duration(n) * time.Minute },
	} {
		if !c.has(name) {
			continue
		}
		n, err := strconv.ParseUint(c.switches[name], 10, 20)
		if err != nil {
			return netUsage("/%s wants a number, such as /%[1]s:10", name)
		}
		put(int(n))
	}
	if err := c.store.SetLockoutPolicy(p); err != nil {
		return fmt.Errorf("system error 87: %w", err)
	}
	return c.done()
}

func (c *netCall) showAccounts(p accounts.LockoutPolicy) error {
	orNever := func(n int) string {
		if n == 0 {
			return "Never"
		}
		return strconv.Itoa(n)
	}
	_, err := fmt.Fprintf(c.s.Out, "%-54s%s\n%-54s%s\n%-54s%d\n", "Lockout threshold:", orNever(p.Threshold),
		"Lockout duration (minutes):", orNever(int(p.Duration/time.Minute)), "Lockout observation window (minutes):", int(p.Window/time.Minute))
	return err
}

// lockedFrom are the addresses from which a user is locked out, for net user.
func (c *netCall) lockedFrom(u accounts.User) (list []string) {
	for _, l := range c.store.Lockouts() {
		if l.Policy && strings.EqualFold(l.User, u.Name) {
			list = append(list, addressText(l))
		}
	}
	return list
}

package pool

import (
	"context"
	"errors"
	"time"

	"github.com/casementhq/casement/cim"
)

// gatherProperties asks for what Server Manager's Local Server page shows beside the
// facts: when updates were last installed, Remote Desktop, NIC teaming. A host that does
// not have one of them does not tell, and that is no failure. See spec/console.md 2.1.
func gatherProperties(ctx context.Context, c *collection) error {
	f := c.next.Facts
	if f == nil {
		return errNotAsked
	}
	err := c.optional(c.each(ctx, tileLimit, "SELECT InstalledOn FROM Win32_QuickFixEngineering", 20000, func(i *cim.Instance) {
		if t := dayOf(textOf(i, "InstalledOn")); t.After(f.LastUpdate) {
			f.LastUpdate = t
		}
	}))
	if err != nil || !c.windows("6.0") {
		return err
	}
	const server = `SYSTEM\CurrentControlSet\Control\Terminal Server`
	r, code, err := c.stdRegProv(ctx, "GetDWORDValue", server, "fDenyTSConnections")
	if err := c.optional(err); err != nil {
		return err
	}
	if v, bad := outOf(r, "uValue").As(cim.Uint32); err == nil && code == 0 && bad == nil {
		denied, ok := v.Uint()
		if on := denied == 0; ok {
			f.RemoteDesktop = &on
		}
	}
	if !c.windows("6.2") { // NIC teaming came with Windows Server 2012
		return nil
	}
	return c.optional(c.teaming(ctx, f))
}

// teaming asks whether network adapters are teamed.
func (c *collection) teaming(ctx context.Context, f *Facts) error {
	ctx, cancel := context.WithTimeout(ctx, tileLimit)
	defer cancel()
	s, err := c.conn.Session(ctx, `root\standardcimv2`)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // the answer is there
	rows, err := s.Query(ctx, "SELECT Name FROM MSFT_NetLbfoTeam", cim.QueryOptions{OperationOptions: cim.OperationOptions{Timeout: tileLimit}})
	if err != nil {
		return err
	}
	teamed := false
	err = cim.Each(ctx, rows, func(*cim.Instance) error { teamed = true; return nil })
	if err == nil {
		f.Teaming = &teamed
	}
	return err
}

// optional drops the error of a host that answers and does not have what was asked for.
func (c *collection) optional(err error) error {
	var own *cim.Error
	if errors.As(err, &own) && !lost(err) || errors.Is(err, cim.ErrNotFound) {
		return nil
	}
	return err
}

// dayOf reads a day as Win32_QuickFixEngineering.InstalledOn has it: 11/18/2026 in every
// language; the zero time where it is none.
func dayOf(s string) time.Time {
	t, err := time.Parse("1/2/2006", s)
	if err != nil {
		return time.Time{}
	}
	return t
}

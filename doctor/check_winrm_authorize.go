package doctor

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// The account may use WinRM and WMI over it: RootSDDL, the WMI plug-in, the
// namespace. It is asked for the operating system. See spec/winrm.md 5.7.
func init() {
	register(check{id: "winrm.authorize", layer: LayerWinRM, title: "The account may read WMI over WinRM", transport: "winrm", needs: []string{"winrm.identify", "encryption"}, run: winrmAuthorize})
}

func winrmAuthorize(ctx context.Context, x *examination) found {
	session := x.winrm.signed.client.Session(x.target.Namespace)
	defer session.Close() //nolint:errcheck // nothing is open in it
	rows, err := session.Query(ctx, "SELECT Caption, Version FROM Win32_OperatingSystem", cim.QueryOptions{})
	if err == nil {
		defer rows.Close() //nolint:errcheck // what matters was read
		var some []*cim.Instance
		if some, err = rows.Next(ctx, 1); len(some) > 0 {
			x.told(hostFacts{os: text(some[0], "Caption"), version: text(some[0], "Version")})
			return found{detail: session.Namespace()}
		}
	}
	if endOf(err) {
		return found{outcome: Warn, detail: "signed in, and it lists no operating system: its provider is broken, or the account sees less than all"}
	}
	x.winrm.denied = err
	f := failed(err)
	f.seen = []string{err.Error()}
	if f.code == "0x80070005" {
		f.detail = "signed in, then refused"
	}
	return f
}

// text is a property of an instance where it is one line of text.
func text(i *cim.Instance, name string) string {
	s, _ := i.Get(name).Str()
	return clean(s)
}

package doctor

import (
	"context"

	"github.com/casementhq/casement/wsman"
)

// Messages are sealed, or go over TLS. See spec/winrm.md 5.3 and 5.4.
func init() {
	register(check{id: "encryption", layer: LayerAuth, title: "Messages are encrypted", transport: "winrm", needs: []string{"bindings"}, run: encryption})
}

func encryption(ctx context.Context, x *examination) found {
	s := x.winrm.signed
	how := ""
	switch {
	case x.target.overTLS():
		how = "by TLS"
	case s.wasSealed():
		how = "sealed by " + s.mechanism()
	}
	c, err := x.readConfig(ctx)
	open := err == nil && c.Service.AllowUnencrypted
	switch {
	case how == "":
		return found{outcome: Warn, detail: "messages go in the clear: everybody on the way reads and changes them; use https or Negotiate"}
	case open:
		return found{outcome: Warn, detail: how + "; the host's AllowUnencrypted is true: it would take messages in the clear, too (" +
			hresult(wsman.CodeUnencryptedDisabled) + " is what others get without)"}
	}
	return found{detail: how}
}

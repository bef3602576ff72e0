package doctor

import (
	"context"
	"strings"
)

// Over https the sign-in is bound to the TLS channel, which CbtHardeningLevel
// may demand. See spec/winrm.md 5.6.
func init() {
	register(check{id: "bindings", layer: LayerAuth, title: "The sign-in is bound to its channel", transport: "winrm", needs: []string{wayKerberos, wayNTLM, wayOther}, run: bindings})
}

func bindings(ctx context.Context, x *examination) found {
	if !x.target.overTLS() {
		return found{outcome: Info, detail: "none over http: messages are sealed instead"}
	}
	bound := "bound to the certificate"
	if m := x.winrm.signed.mechanism(); m != "NTLM" && m != "Kerberos" {
		bound = m + " cannot be bound"
	}
	c, err := x.readConfig(ctx)
	if err != nil {
		return found{detail: bound, seen: []string{"winrm/config: " + err.Error()}}
	}
	level := c.Service.Auth.CbtHardeningLevel
	if strings.EqualFold(level, "None") {
		return found{outcome: Warn, detail: bound + "; the host's CbtHardeningLevel is None: it does not look"}
	}
	return found{detail: bound + ", CbtHardeningLevel " + level}
}

package doctor

import (
	"context"
	"fmt"
	"net/netip"
)

// An account of the host, which has no ticket, signs in by NTLM.
func init() {
	register(check{id: wayNTLM, layer: LayerAuth, title: "NTLM signs in", transport: "winrm", needs: []string{"auth.offer", "auth.client"}, run: authNTLM})
}

func authNTLM(ctx context.Context, x *examination) found {
	if x.way() != wayNTLM {
		return found{outcome: Info, detail: "not used"}
	}
	return x.trySignIn(ctx)
}

// trySignIn signs in and says as whom.
func (x *examination) trySignIn(ctx context.Context) found {
	s := x.signInWinRM(ctx)
	if s.err != nil {
		return failed(s.err)
	}
	return found{detail: s.mechanism(), seen: []string{fmt.Sprintf("%s by %s, %s", s.identity, s.mechanism(), s.took)}}
}

func hasNoName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

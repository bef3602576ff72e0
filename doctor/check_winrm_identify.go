package doctor

import (
	"context"
	"fmt"
	"strings"
)

// The service tells what it is, once it knows who asks. See spec/winrm.md 4.5.
func init() {
	register(check{id: "winrm.identify", layer: LayerWinRM, title: "The service answers Identify", transport: "winrm", needs: []string{wayKerberos, wayNTLM, wayOther}, run: winrmIdentify})
}

func winrmIdentify(_ context.Context, x *examination) found {
	s := x.winrm.signed
	switch {
	case s == nil:
		return fail(codeServerError, "nobody signed in")
	case s.fault != nil:
		f := failed(s.fault)
		f.seen = []string{s.fault.Error()}
		return f
	}
	x.identified(s.answer)
	how := "in the clear"
	switch {
	case x.target.overTLS():
		how = "TLS"
	case s.wasSealed():
		how = "encrypted"
	}
	x.note("winrm", fmt.Sprintf("%s, %s, Identify %d ms", x.target.port(), how, s.took.Milliseconds()))
	return found{detail: strings.TrimSpace(fmt.Sprintf("%d ms", s.took.Milliseconds())), seen: []string{s.answer.ProductVendor + ", " + s.answer.ProductVersion}}
}

package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// The service offers the scheme that is to be used; Server Manager wants both
// Kerberos and Negotiate. See spec/winrm.md 5.2 and 9.
func init() {
	register(check{id: "auth.offer", layer: LayerAuth, title: "The schemes that are needed are offered", transport: "winrm", needs: []string{"http"}, run: authOffer})
}

func authOffer(ctx context.Context, x *examination) found {
	a, _, err := x.post(ctx, http.Header{}, "")
	if a == nil {
		return fail(wsman.CodeDestinationUnreachable, "no answer to a request without a sign-in: "+reason(err))
	}
	list := offered(a.header)
	x.winrm.offer = list
	seen := []string{fmt.Sprintf("HTTP %d, WWW-Authenticate %s", a.status, strings.Join(list, ", "))}
	if a.status != http.StatusUnauthorized {
		return found{outcome: Info, detail: fmt.Sprintf("it asks nobody to sign in (HTTP %d)", a.status), seen: seen}
	}
	text := strings.Join(list, ", ")
	if text == "" {
		text = "none"
	}
	scheme := x.scheme()
	switch {
	case scheme == string(wsmanclient.Certificate):
		return found{detail: text, seen: seen}
	case !slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, scheme) }):
		f := fail(wsman.CodeAccessDenied, fmt.Sprintf("%s is not offered, but %s", scheme, text))
		f.code, f.name = "", "" // an offer is no refusal
		f.seen = seen
		return f
	}
	f := found{detail: text, seen: seen}
	if x.facts().kind == casementHost && x.way() != wayKerberos && !slices.Contains(list, "Kerberos") {
		f.detail += "; no Kerberos, as it is in no domain"
		return f
	}
	for _, want := range []string{"Kerberos", "Negotiate"} {
		if !slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, want) }) {
			f.outcome = Warn
			f.detail = fmt.Sprintf("%s; %s is switched off there: Server Manager needs both Kerberos and Negotiate", text, want)
		}
	}
	return f
}

package doctor

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/casementhq/casement/wsman"
)

// What answers at the endpoint is WinRM: HTTP, at this path, with nothing in
// between. It is asked Identify without signing in. See spec/winrm.md 4.5, 5.9.
func init() {
	register(check{id: "http", layer: LayerHTTP, title: "WinRM answers at this path", transport: "winrm", needs: []string{winrmPort, "tls"}, run: checkHTTP})
}

func checkHTTP(ctx context.Context, x *examination) found {
	a, first, err := x.post(ctx, http.Header{"Wsmanidentify": {"unauthenticated"}}, identifyBody)
	h := &x.winrm.http
	if a == nil {
		return x.noHTTP(ctx, first, err)
	}
	h.read(a)
	seen := []string{fmt.Sprintf("HTTP %d %s, Server %q, %d bytes of %q", a.status, http.StatusText(a.status), h.server, len(a.body), a.header.Get("Content-Type"))}
	f := x.readHTTP(a)
	if err != nil && f.outcome != Fail {
		f = fail(wsman.CodeNetworkTimedOut, err.Error())
	}
	f.seen = append(seen, f.seen...)
	return f
}

func (h *httpFacts) read(a *httpAnswer) {
	h.status, h.took, h.proxy = a.status, a.took, proxied(a)
	h.server, h.location = clean(a.header.Get("Server")), clean(a.header.Get("Location"))
	if d, err := http.ParseTime(a.header.Get("Date")); err == nil {
		h.date, h.at = d, time.Now()
	}
}

// noHTTP explains a connection over which no HTTP came back.
func (x *examination) noHTTP(ctx context.Context, first []byte, err error) found {
	h := &x.winrm.http
	h.spoke = speaks(first)
	switch {
	case h.spoke == "TLS":
		return fail(codeTLS, "it speaks TLS: it is an https listener; use https://")
	case h.spoke != "":
		f := fail(codeServerError, "no HTTP answers, but "+h.spoke)
		f.seen = []string{fmt.Sprintf("the first bytes are %q", first)}
		return f
	case late(ctx, err):
		return fail(wsman.CodeNetworkTimedOut, "it takes the connection and says nothing")
	case strings.Contains(err.Error(), "response headers exceeded"):
		return fail(codeServerError, fmt.Sprintf("what answers sends headers without an end (more than %d kB)", maxHead>>10))
	}
	return fail(wsman.CodeDestinationUnreachable, endedText+": "+reason(err))
}

// endedText says that a connection was taken and nothing came.
const endedText = "the connection ended without an answer"

// readHTTP judges an answer. See spec/winrm.md 5.9.
func (x *examination) readHTTP(a *httpAnswer) found {
	h := &x.winrm.http
	media, params, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	h.html = media == "text/html"
	if strings.Contains(media, "xml") && len(a.body) > 0 {
		if f, ok := x.readIdentify(a.body, params["charset"]); ok {
			return f
		}
	}
	between := ""
	if h.proxy {
		between = "; a proxy stands between (" + strings.TrimSpace("Via "+clean(a.header.Get("Via"))) + ")"
	}
	switch {
	case a.status == http.StatusUnauthorized:
		if len(offered(a.header)) == 0 {
			return fail(codeServerError, "it asks for a sign-in and offers no scheme: it is no WinRM"+between)
		}
		return found{detail: "asks for a sign-in even for Identify"}
	case a.status == http.StatusProxyAuthRequired:
		return fail(wsman.CodeHTTPServiceUnavailable, "a proxy between wants a sign-in of its own (HTTP 407)")
	case a.status >= 300 && a.status < 400:
		return fail(codeRedirect, fmt.Sprintf("HTTP %d sends elsewhere, to %q; no redirection is followed, for it would take the credentials along", a.status, h.location))
	case a.status == http.StatusBadRequest && bytes.Contains(a.body, []byte("HTTPS")):
		h.spoke = "TLS"
		return fail(codeTLS, "it is an https listener; use https://")
	case a.status == http.StatusNotFound && x.httpSys():
		return fail(wsman.CodeHTTPNotFound, "HTTP 404 from http.sys of Windows: the WinRM service does not run, or listens at another prefix"+between)
	case a.status == http.StatusNotFound:
		return fail(wsman.CodeHTTPNotFound, "HTTP 404: no WinRM at this path"+between)
	case a.status == http.StatusBadGateway, a.status == http.StatusGatewayTimeout:
		return fail(wsman.CodeHTTPServiceUnavailable, fmt.Sprintf("HTTP %d: a proxy between does not reach the host%s", a.status, between))
	case a.status == http.StatusServiceUnavailable:
		return fail(wsman.CodeHTTPServiceUnavailable, "HTTP 503: the service is there and cannot answer now"+between)
	case a.status == http.StatusForbidden:
		return fail(wsman.CodeAccessDenied, "HTTP 403: the host refuses this address (filters of the listener)"+between)
	case h.html:
		return fail(codeHTML, fmt.Sprintf("HTTP %d with a page of HTML: something other than WinRM listens there%s", a.status, between))
	case a.status == http.StatusBadRequest:
		return fail(codeBadRequest, "HTTP 400: it does not understand the request"+between)
	case a.status >= 500:
		return fail(codeServerError, fmt.Sprintf("HTTP %d without a fault: its event log may tell%s", a.status, between))
	}
	return fail(codeServerError, fmt.Sprintf("HTTP %d with %d bytes of %q: that is no answer of WinRM%s", a.status, len(a.body), media, between))
}

// httpSys tells whether Windows' own HTTP server answered, and not WinRM.
func (x *examination) httpSys() bool {
	return strings.HasPrefix(x.winrm.http.server, "Microsoft-HTTPAPI")
}

// readIdentify reads SOAP, and says whether it was that of WinRM.
func (x *examination) readIdentify(body []byte, charset string) (found, bool) {
	m, err := wsman.DecodeResponse(body, charset)
	if err != nil {
		var f *wsman.Fault
		if asRemote(err, &f) {
			x.winrm.http.fault = f
			return found{detail: "it answers with a fault: " + hresult(f.Code), seen: []string{f.Error()}}, true
		}
		return fail(wsman.CodeInvalidXML, "it answers with XML that cannot be read as SOAP"), true
	}
	id, err := m.ReadIdentifyResponse()
	if err != nil {
		return fail(wsman.CodeInvalidXML, "its answer to Identify cannot be read"), true
	}
	x.identified(id)
	f := found{detail: clean(id.ProductVendor)}
	if x.winrm.http.proxy {
		f.outcome, f.detail = Warn, f.detail+"; a proxy stands between, over which NTLM and Kerberos fail unless it keeps connections apart"
	}
	return f, true
}

// identified notes what a service says of itself.
func (x *examination) identified(id *wsman.IdentifyResponse) {
	h := hostFacts{}
	switch {
	case strings.HasPrefix(id.ProductVendor, "Microsoft"):
		h.kind = windowsHost
	case id.ProductVendor == "Casement":
		h.kind = casementHost
	}
	if v, ok := strings.CutPrefix(id.ProductVersion, "OS: "); ok {
		if v, _, _ = strings.Cut(v, " "); v != "0.0.0" {
			h.version = clean(v)
		}
	}
	x.told(h)
}

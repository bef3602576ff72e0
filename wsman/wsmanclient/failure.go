package wsmanclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/httpauth"
)

// Codes of what goes wrong below SOAP. See spec section 5.9.
const (
	codeCannotDecrypt   wsman.Code = 0x803380F9
	codeHTTPRedirect    wsman.Code = 0x80338110
	codeHTTPServerError wsman.Code = 0x80338170
	codeHTTPBadRequest  wsman.Code = 0x80338171
	codeHTML            wsman.Code = 0x80338173
	codeCannotConnect   wsman.Code = 0x80338112
	codeName            wsman.Code = 0x803381B9
	codeTLS             wsman.Code = 0x803381BA
)

// fault is a failure on this side of the wire.
func (c *Client) fault(code wsman.Code, why string, cause error) *wsman.Fault {
	f := wsman.NewFault(code, why)
	f.Err = cause
	return f
}

// explain turns what went wrong below SOAP into a fault with the documented
// code and a text that says what was tried, what came back and what to do. The
// caller's own context error stays what it is.
func (c *Client) explain(err error, limit time.Duration) error {
	var f *wsman.Fault
	if errors.As(err, &f) {
		return err
	}
	at := c.url.String()
	var dns *net.DNSError
	var refused *httpauth.UnauthorizedError
	var kerberos *krb5.Error
	switch {
	case errors.Is(err, errTimedOut):
		return c.fault(wsman.CodeNetworkTimedOut, fmt.Sprintf(
			"%s did not answer within %s; check that the host is up and its firewall lets you in, or allow more time", at, limit), err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, net.ErrClosed) && !errors.Is(err, httpauth.ErrConnectionLost):
		return fmt.Errorf("wsmanclient: %s: %w", at, err)
	case c.opts.Proxy != "" && (errors.As(err, &dns) || errors.Is(err, syscall.ECONNREFUSED)):
		return c.fault(codeCannotConnect, "the proxy on the way to "+c.url.Host+" cannot be reached: check its address and that it runs", err)
	case errors.As(err, &dns):
		return c.fault(codeName, "the name "+c.url.Hostname()+" cannot be resolved; check its spelling and the name service", err)
	case errors.As(err, &refused):
		return c.unauthorized(refused)
	case errors.As(err, &kerberos):
		return c.fault(wsman.Code(kerberos.Code), "Kerberos for "+c.url.Hostname()+": "+kerberos.Detail, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return c.fault(codeCannotConnect, "nothing listens at "+c.url.Host+
			": check the port and that the service runs there (winrm quickconfig)", err)
	case errors.Is(err, auth.ErrMessageAltered), errors.Is(err, auth.ErrNotProtected), errors.Is(err, httpauth.ErrMalformed):
		return c.fault(codeCannotDecrypt, "the answer of "+at+" is not sealed as it must be; it was not used", err)
	case errors.Is(err, httpauth.ErrTooLarge):
		return c.fault(wsman.CodeMaxEnvelopeSizeExceeded, "the answer of "+at+" is larger than was asked for; ask for fewer items at a time", err)
	}
	if f := c.explainTLS(err); f != nil {
		return f
	}
	if c.url.Scheme == "http" && strings.Contains(err.Error(), "answer with status 400") {
		// A TLS server in Go answers so and resets the connection.
		return c.fault(codeTLS, at+" answered HTTP 400 and hung up: it is probably an https listener; use https://", err)
	}
	if errors.Is(err, httpauth.ErrConnectionLost) {
		return c.fault(codeCannotConnect, "the connection to "+at+
			" ended before the answer came; it is not known whether the request was carried out", err)
	}
	return c.fault(codeCannotConnect, "no connection to "+at+" could be had: "+err.Error(), err)
}

// explainTLS explains failures of TLS, and http where https is meant.
func (c *Client) explainTLS(err error) *wsman.Fault {
	host := c.url.Hostname()
	var record tls.RecordHeaderError
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &record):
		return c.fault(codeTLS, c.url.Host+" does not speak TLS: it is probably an http listener; use http:// or the https port (5986)", err)
	case errors.As(err, &name):
		return c.fault(codeTLS, "the certificate of "+host+" is for other names ("+names(name.Certificate)+
			"); use one of these, or skip the check of the name", err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return c.fault(codeTLS, fmt.Sprintf("the certificate of %s is valid from %s to %s and it is not that time; renew it, or pin it", host,
			invalid.Cert.NotBefore.Format(time.DateOnly), invalid.Cert.NotAfter.Format(time.DateOnly)), err)
	case errors.As(err, &unknown):
		return c.fault(codeTLS, "the certificate of "+host+
			" is of an issuer that this machine does not trust; trust the issuer, pin the certificate, or skip the check of the issuer", err)
	case strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`):
		return c.fault(codeTLS, c.url.Host+" speaks TLS: it is an https listener; use https://", err)
	case strings.Contains(err.Error(), "TLS with") && errors.Is(err, syscall.ECONNRESET):
		return c.fault(codeCannotConnect, "the connection to "+c.url.Host+" was reset before TLS began: does its firewall let this port through?", err)
	case strings.Contains(err.Error(), "TLS with"):
		return c.fault(codeTLS, "TLS with "+host+" failed: "+err.Error(), err)
	}
	return nil
}

func names(cert *x509.Certificate) string {
	list := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		list = append(list, ip.String())
	}
	if len(list) == 0 {
		list = append(list, cert.Subject.CommonName)
	}
	return strings.Join(list, ", ")
}

// unauthorized explains a 401.
func (c *Client) unauthorized(e *httpauth.UnauthorizedError) *wsman.Fault {
	if e.Scheme == httpauth.Certificate {
		return c.fault(wsman.CodeAccessDenied, c.url.String()+" refused the certificate: its setting Auth/Certificate is false, it does not trust the "+
			"certificate's issuer, or the certificate is too old or not for the authentication of clients", e)
	}
	offered := strings.Join(e.Offered, ", ")
	if offered == "" {
		offered = "none"
	}
	why := fmt.Sprintf("%s refused %s for user %s", c.url, cmpOr(e.Scheme, "no authentication"), c.opts.Credentials.Username)
	if errors.Is(e, auth.ErrLogonFailure) {
		why += ": unknown user or wrong password, or the account may not log on from here"
	} else {
		why += ": it offers " + offered + "; use one of these"
	}
	f := c.fault(wsman.CodeAccessDenied, why, e)
	return f
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// mediaType splits a content type. That of nearly all answers costs nothing.
func mediaType(contentType string) (media, charset string) {
	if contentType == "application/soap+xml;charset=UTF-8" {
		return "application/soap+xml", "UTF-8"
	}
	media, params, _ := mime.ParseMediaType(contentType)
	return media, params["charset"]
}

// decode reads the header of an answer. A SOAP fault is the error, and so is an
// HTTP status that has none.
func (c *Client) decode(ctx context.Context, r *httpauth.Response) (*wsman.Message, error) {
	media, charset := mediaType(r.ContentType)
	if r.Status != http.StatusOK && (!strings.Contains(media, "xml") || len(r.Body) == 0) {
		return nil, c.httpFailure(r, media)
	}
	if media == "text/html" {
		return nil, c.httpFailure(r, media)
	}
	m, err := wsman.DecodeResponse(r.Body, charset)
	if err != nil {
		var f *wsman.Fault
		if errors.As(err, &f) && f.Remote {
			c.trace(ctx).fault(f)
		}
		return nil, err
	}
	if r.Status != http.StatusOK {
		return nil, c.httpFailure(r, media)
	}
	return m, nil
}

// httpFailure explains an answer that is no SOAP. See spec section 5.9.
func (c *Client) httpFailure(r *httpauth.Response, media string) *wsman.Fault {
	got := fmt.Sprintf("%s answered HTTP %d %s", c.url, r.Status, http.StatusText(r.Status))
	switch {
	case r.Status == http.StatusBadRequest && bytes.Contains(r.Body, []byte("HTTPS server")):
		return c.fault(codeTLS, got+": it is an https listener; use https://", nil)
	case r.Status == http.StatusNotFound:
		return c.fault(wsman.CodeHTTPNotFound, got+": no WinRM at this path; check port and URL prefix", nil)
	case r.Status == http.StatusRequestEntityTooLarge:
		return c.fault(wsman.CodeHTTPRequestTooLarge, got+": the request is larger than the host's MaxEnvelopeSizekb; send less at a time", nil)
	case r.Status == http.StatusServiceUnavailable:
		return c.fault(wsman.CodeHTTPServiceUnavailable, got+": try again later", nil)
	case r.Status >= 300 && r.Status < 400:
		return c.fault(codeHTTPRedirect, got+": redirections are not followed; use the address it names: "+clip(r.Header.Get("Location")), nil)
	case media == "text/html":
		return c.fault(codeHTML, got+" with a page of HTML: something other than WinRM listens there; check port and path", nil)
	case r.Status == http.StatusBadRequest:
		return c.fault(codeHTTPBadRequest, got+": it did not understand the request, or its sealing", nil)
	case r.Status == http.StatusForbidden:
		return c.fault(wsman.CodeAccessDenied, got+": the host refuses this address or user", nil)
	}
	return c.fault(codeHTTPServerError, got+" without saying why; its event log may tell", nil)
}

// clip bounds what a peer sent for a message.
func clip(s string) string {
	if len(s) > 128 {
		return s[:128] + "…"
	}
	return s
}

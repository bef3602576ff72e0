package doctor

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/casementhq/casement/wsman"
)

// Over https: the certificate is one that this machine takes. All that is wrong
// with it is told, and which. See spec/winrm.md 5.4.
func init() {
	register(check{id: "tls", layer: LayerTLS, title: "The certificate is the host's own, valid and trusted", transport: "winrm", needs: []string{winrmPort},
		applies: func(t Target, _ Options) bool { return t.overTLS() }, run: checkTLS})
}

// A tlsFault is one thing that is wrong with a certificate.
type tlsFault string

const (
	tlsNone    tlsFault = ""
	tlsNotTLS  tlsFault = "not TLS"
	tlsVersion tlsFault = "version"
	tlsBroken  tlsFault = "handshake"
	tlsPin     tlsFault = "pin"
	tlsName    tlsFault = "name"
	tlsExpired tlsFault = "expiry"
	tlsEarly   tlsFault = "not yet valid"
	tlsEKU     tlsFault = "EKU"
	tlsChain   tlsFault = "chain"
)

type tlsFacts struct {
	faults     []tlsFault // what stops, the first that a client meets first
	names      []string
	thumbprint string // SHA-256
	selfSigned bool
	issuer     string
	from, to   time.Time
}

// soon is how long before its end a certificate is warned about.
const soon = 30 * 24 * time.Hour

func checkTLS(ctx context.Context, x *examination) found {
	u, err := x.target.endpoint()
	if err != nil {
		return failed(err)
	}
	raw, err := x.dial(ctx, x.winrm.port.address)
	if err != nil {
		return fail(codeTLS, "the connection was lost: "+reason(err))
	}
	defer raw.Close() //nolint:errcheck // nothing of it is kept
	facts := &x.winrm.tls
	config := x.tlsConfig(u)
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		facts.faults = []tlsFault{handshakeFault(err)}
		if late(ctx, err) {
			return fail(wsman.CodeNetworkTimedOut, handshakeText(ctx, err))
		}
		return fail(codeTLS, handshakeText(ctx, err))
	}
	state := c.ConnectionState()
	leaf := state.PeerCertificates[0]
	facts.read(leaf)
	problems, texts := x.judge(state, config.ServerName)
	seen := append([]string{
		fmt.Sprintf("%s, %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite)),
		fmt.Sprintf("certificate of %s, for %s, by %s, valid %s to %s, SHA-256 %s", leaf.Subject, strings.Join(facts.names, ", "), leaf.Issuer,
			leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly), facts.thumbprint),
	}, texts...)
	stops, excused := x.stopping(problems)
	facts.faults = stops
	switch {
	case len(stops) > 0:
		f := fail(codeTLS, strings.Join(texts, "; "))
		f.seen = seen
		return f
	case len(excused) > 0:
		return found{outcome: Warn, detail: "not checked, as you said: " + strings.Join(texts, "; "), seen: seen}
	case time.Until(leaf.NotAfter) < soon && !x.pinned():
		return found{outcome: Warn, detail: fmt.Sprintf("it ends on %s, in %d days", leaf.NotAfter.Format(time.DateOnly), int(time.Until(leaf.NotAfter).Hours()/24)), seen: seen}
	}
	f := found{detail: tls.VersionName(state.Version), seen: seen}
	if x.pinned() {
		f.detail += ", pinned"
	}
	return f
}

func (t *tlsFacts) read(leaf *x509.Certificate) {
	sum := sha256.Sum256(leaf.Raw)
	t.thumbprint = strings.ToUpper(hex.EncodeToString(sum[:]))
	t.names = slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		t.names = append(t.names, ip.String())
	}
	if len(t.names) == 0 {
		t.names = []string{leaf.Subject.CommonName}
	}
	t.names = t.names[:min(len(t.names), 10)]
	for n := range t.names {
		t.names[n] = clean(t.names[n]) // a certificate may name anything
	}
	t.selfSigned = leaf.Issuer.String() == leaf.Subject.String()
	t.issuer, t.from, t.to = clean(leaf.Issuer.String()), leaf.NotBefore, leaf.NotAfter
}

// pin is the thumbprint that is demanded, in lower case without separators.
func (x *examination) pin() string {
	pin := x.options.TLS.SHA256
	if x.target.Thumbprint != "" {
		pin = x.target.Thumbprint
	}
	return strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(pin))
}

func (x *examination) pinned() bool { return x.pin() != "" }

// judge lists everything that is wrong with a certificate.
func (x *examination) judge(state tls.ConnectionState, name string) (list []tlsFault, texts []string) {
	leaf := state.PeerCertificates[0]
	add := func(f tlsFault, format string, args ...any) {
		list, texts = append(list, f), append(texts, fmt.Sprintf(format, args...))
	}
	now := time.Now()
	if pin := x.pin(); pin != "" && subtle.ConstantTimeCompare([]byte(pin), []byte(strings.ToLower(x.winrm.tls.thumbprint))) != 1 {
		add(tlsPin, "the thumbprint is %s, and %s was pinned", x.winrm.tls.thumbprint, strings.ToUpper(pin))
	}
	if leaf.VerifyHostname(name) != nil {
		add(tlsName, "the name %s is not in it, but %s", name, strings.Join(x.winrm.tls.names, ", "))
	}
	switch {
	case now.After(leaf.NotAfter):
		add(tlsExpired, "it ended on %s", leaf.NotAfter.Format(time.DateOnly))
	case now.Before(leaf.NotBefore):
		add(tlsEarly, "it begins on %s only: one of the two clocks is wrong, or it", leaf.NotBefore.Format(time.DateOnly))
	}
	if !forServers(leaf) {
		add(tlsEKU, "it is not for servers: the extended key usage Server Authentication is missing")
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	// Dates and usage were judged above: here the chain alone is.
	o := x509.VerifyOptions{Intermediates: between, CurrentTime: leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	if x.options.TLS.Config != nil {
		o.Roots = x.options.TLS.Config.RootCAs
	}
	if now.After(leaf.NotBefore) && now.Before(leaf.NotAfter) {
		o.CurrentTime = now
	}
	if _, err := leaf.Verify(o); err != nil {
		var unknown x509.UnknownAuthorityError
		switch {
		case x.winrm.tls.selfSigned:
			add(tlsChain, "it is signed by itself, which this machine does not trust")
		case errors.As(err, &unknown):
			add(tlsChain, "its issuer %s is not trusted here", leaf.Issuer)
		default:
			add(tlsChain, "its chain does not hold: %s", strings.TrimPrefix(err.Error(), "x509: "))
		}
	}
	return list, texts
}

func forServers(c *x509.Certificate) bool {
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 ||
		slices.ContainsFunc(c.ExtKeyUsage, func(u x509.ExtKeyUsage) bool { return u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageAny })
}

// stopping are the faults that a client with these options refuses, in the order
// in which it meets them; excused are the others.
func (x *examination) stopping(list []tlsFault) (stops, excused []tlsFault) {
	o := x.options.TLS
	for _, f := range list {
		skip := false
		switch {
		case x.pinned():
			if f != tlsPin {
				continue // the pin stands for all of it
			}
		case f == tlsName:
			skip = o.SkipCN
		case f == tlsChain, f == tlsEKU:
			skip = o.SkipCA
		}
		if skip {
			excused = append(excused, f)
		} else {
			stops = append(stops, f)
		}
	}
	return stops, excused
}

func handshakeFault(err error) tlsFault {
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record):
		return tlsNotTLS
	case strings.Contains(err.Error(), "protocol version"):
		return tlsVersion
	}
	return tlsBroken
}

func handshakeText(ctx context.Context, err error) string {
	switch {
	case handshakeFault(err) == tlsNotTLS:
		return "it does not speak TLS: it may be an http listener"
	case handshakeFault(err) == tlsVersion:
		return "it offers only versions of TLS before 1.2"
	case late(ctx, err):
		return "it takes the connection and says nothing"
	case errors.Is(err, io.EOF), isErrno(err, syscall.ECONNRESET, 10054):
		return endedText + ": " + reason(err)
	}
	return "the TLS handshake failed: " + reason(err)
}

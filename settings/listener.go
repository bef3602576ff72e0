package settings

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/registry"
)

// KeyListener is the registry key of the listeners; each is a key Address+Transport.
const KeyListener = KeyWSMAN + `\Listener`

// Listener is one winrm/config/listener. See [MS-WSMV] 2.2.4.19.
type Listener struct {
	Address               string // *, IP:address or MAC:xx-xx-xx-xx-xx-xx
	Transport             string // HTTP or HTTPS
	Port                  uint32 // default from Service/DefaultPorts
	Hostname              string // default: none for HTTP, the machine's name for HTTPS
	Enabled               bool   // default true
	URLPrefix             string // default wsman
	CertificateThumbprint string // HTTPS only
	Source                registry.Source
}

// ListeningOn returns the addresses on which the listener listens: those of Address
// that pass the filters, in order; none when it is not enabled.
func (l Listener) ListeningOn(h Host, v4, v6 IPFilter) []netip.Addr {
	if !l.Enabled {
		return nil
	}
	out := slices.DeleteFunc(h.addrs(l.Address), func(a netip.Addr) bool {
		if a.Is4() {
			return !v4.Contains(a)
		}
		return !v6.Contains(a)
	})
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// Fields returns the elements of the listener in schema order; on is what ListeningOn
// returned, and each address is one ListeningOn element.
func (l Listener) Fields(on []netip.Addr) []Field {
	f := []Field{
		{Name: "Address", Value: l.Address, ReadOnly: true},
		{Name: "Transport", Value: l.Transport, ReadOnly: true},
		{Name: "Port", Value: strconv.FormatUint(uint64(l.Port), 10)},
		{Name: "Hostname", Value: l.Hostname},
		{Name: "Enabled", Value: strconv.FormatBool(l.Enabled)},
		{Name: "URLPrefix", Value: l.URLPrefix},
		{Name: "CertificateThumbprint", Value: l.CertificateThumbprint},
	}
	for _, a := range on {
		f = append(f, Field{Name: "ListeningOn", Value: a.String(), ReadOnly: true})
	}
	for i := range f {
		f[i].Source = l.Source
	}
	return f
}

func (l Listener) key() string { return KeyListener + `\` + l.Address + "+" + l.Transport }

func (l Listener) is(o Listener) bool {
	return strings.EqualFold(l.Address, o.Address) && l.Transport == o.Transport
}

// Listeners returns the listeners of the hive, and the one that Group Policy makes when
// it sets AllowAutoConfig; that one hides a local one for the same Address and
// Transport. A damaged listener is a Problem and does not listen.
func Listeners(r Reader, w *WinRM) ([]Listener, []Problem) {
	var out []Listener
	var bad []Problem
	if gpo, ok := policyListener(r, w); ok {
		out = append(out, gpo)
	}
	for _, name := range r.Keys(KeyListener) {
		l, p := loadListener(r, w, name)
		if p != nil {
			bad = append(bad, *p)
			continue
		}
		if !slices.ContainsFunc(out, l.is) {
			out = append(out, l)
		}
	}
	return out, bad
}

func policyListener(r Reader, w *WinRM) (Listener, bool) {
	v, _, _ := r.Value(KeyPolicy+`\Service`, "AllowAutoConfig")
	if n, _ := v.Uint(); n != 1 {
		return Listener{}, false
	}
	return Listener{Address: "*", Transport: "HTTP", Port: w.Service.DefaultPorts.HTTP, Enabled: true,
		URLPrefix: "wsman", Source: registry.SourceGPO}, true
}

func loadListener(r Reader, w *WinRM, name string) (Listener, *Problem) {
	key := KeyListener + `\` + name
	address, transport, _ := strings.Cut(name, "+")
	src := registry.SourceHive
	l, err := newListener(address, transport)
	if err == nil {
		l.Port = w.defaultPort(l.Transport)
		for _, n := range []string{"Port", "Hostname", "Enabled", "URLPrefix", "CertificateThumbprint"} {
			v, s, ok := r.Value(key, n)
			if !ok {
				continue
			}
			src = max(src, s)
			if n == "Enabled" || n == "Port" {
				if _, num := v.Uint(); !num {
					err = schemaErr(n, "is a %v", v.Type())
					break
				}
			} else if _, text := v.Text(); !text {
				err = schemaErr(n, "is a %v", v.Type())
				break
			}
			if err = l.set(n, v.String()); err != nil {
				break
			}
		}
	}
	if err == nil {
		l.Source = src
		return l, nil
	}
	p := problem("Listener/"+clip(name), key, err.Setting, src, "%s", err.Message)
	return l, &p
}

// newListener checks the keys of a listener.
func newListener(address, transport string) (Listener, *Error) {
	l := Listener{Enabled: true, URLPrefix: "wsman", Transport: strings.ToUpper(transport)}
	if l.Transport != "HTTP" && l.Transport != "HTTPS" {
		return l, schemaErr("Transport", "%q is not HTTP or HTTPS", clip(transport))
	}
	var err *Error
	l.Address, err = canonAddress(address)
	return l, err
}

func canonAddress(s string) (string, *Error) {
	if s == "*" {
		return s, nil
	}
	kind, rest, _ := strings.Cut(s, ":")
	switch strings.ToUpper(kind) {
	case "IP":
		if a, err := netip.ParseAddr(strings.Trim(rest, "[]")); err == nil && !strings.Contains(a.Zone(), `\`) {
			return "IP:" + a.String(), nil
		}
	case "MAC":
		if isMAC(rest) {
			return "MAC:" + strings.ToLower(rest), nil
		}
	}
	return "", fail(CodeListenerAddress, "Address", "%q is not *, IP:<address> or MAC:<xx-xx-xx-xx-xx-xx>", clip(s))
}

func isMAC(s string) bool {
	pairs := strings.Split(s, "-")
	for _, p := range pairs {
		if len(p) != 2 || !isHex(p[0]) || !isHex(p[1]) {
			return false
		}
	}
	return len(pairs) == 6 || len(pairs) == 8
}

func (w *WinRM) defaultPort(transport string) uint32 {
	if transport == "HTTPS" {
		return w.Service.DefaultPorts.HTTPS
	}
	return w.Service.DefaultPorts.HTTP
}

// set checks and stores one property.
func (l *Listener) set(name, value string) *Error {
	switch name {
	case "Address", "Transport":
		if cur := map[string]string{"Address": l.Address, "Transport": l.Transport}[name]; !strings.EqualFold(cur, value) {
			return fail(CodeCannotChangeKeys, name, "the keys of a listener cannot change; delete and create it")
		}
	case "Port":
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 16)
		if err != nil || n == 0 {
			return fail(CodePortInvalid, name, "%q is outside 1 to 65535", clip(value))
		}
		l.Port = uint32(n)
	case "Hostname":
		if len(value) > 255 || strings.IndexFunc(strings.TrimPrefix(value, "*."), notHostRune) >= 0 {
			return schemaErr(name, "%q is no host name", clip(value))
		}
		l.Hostname = value
	case "Enabled":
		b, ok := parseBool(value)
		if !ok {
			return schemaErr(name, "%q is not true or false", clip(value))
		}
		l.Enabled = b
	case "URLPrefix":
		p, why := checkURLPrefix(value)
		if why != "" {
			return schemaErr(name, "%q %s", clip(value), why)
		}
		l.URLPrefix = p
	case "CertificateThumbprint":
		t, why := checkThumbprint(value)
		if why != "" {
			return schemaErr(name, "%q %s", clip(value), why)
		}
		l.CertificateThumbprint = t
	case "ListeningOn":
		return fail(CodeReadOnly, name, "the property is read-only")
	default:
		return schemaErr(clip(name), "no such property of a listener; names are case-sensitive")
	}
	return nil
}

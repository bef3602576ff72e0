package settings

import (
	"encoding/hex"
	"net/netip"
	"strings"
)

// Host holds the facts of this machine that a listener depends on, as found by the
// caller at the time of the call.
type Host struct {
	Name         string // DNS name, the default Hostname of an HTTPS listener
	Interfaces   []Interface
	Certificates []Certificate // those with a private key and in their period of validity
}

// Interface is one network interface.
type Interface struct {
	MAC   []byte // hardware address, as net.HardwareAddr
	Addrs []netip.Addr
}

// Certificate is what is known of a certificate in the machine's store.
type Certificate struct {
	Thumbprint string   // 40 hexadecimal digits
	Names      []string // common name and DNS names, wildcards included
	ServerAuth bool     // may authenticate servers
}

// names reports whether the certificate is for a host name.
func (c Certificate) names(host string) bool {
	for _, n := range c.Names {
		if hostMatches(n, host) || hostMatches(host, n) {
			return true
		}
	}
	return false
}

// hostMatches compares names without case; *.domain matches one more label.
func hostMatches(pattern, host string) bool {
	if strings.EqualFold(pattern, host) {
		return true
	}
	suffix, ok := strings.CutPrefix(pattern, "*.")
	_, rest, cut := strings.Cut(host, ".")
	return ok && cut && strings.EqualFold(suffix, rest)
}

// addrs returns the addresses that a listener Address stands for.
func (h Host) addrs(address string) []netip.Addr {
	var out []netip.Addr
	kind, rest, _ := strings.Cut(address, ":")
	for _, i := range h.Interfaces {
		mac := strings.EqualFold(kind, "MAC") && strings.EqualFold(macText(i.MAC), rest)
		for _, a := range i.Addrs {
			if address == "*" || mac {
				out = append(out, a)
				continue
			}
			if want, err := netip.ParseAddr(rest); strings.EqualFold(kind, "IP") && err == nil && sameAddr(want, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// sameAddr compares addresses; a wanted address without a zone matches any zone.
func sameAddr(want, a netip.Addr) bool {
	return want == a || want.Zone() == "" && want == a.WithZone("")
}

// macText prints a hardware address as 00-1a-02-03-04-05.
func macText(m []byte) string {
	pairs := make([]string, len(m))
	for i := range m {
		pairs[i] = hex.EncodeToString(m[i : i+1])
	}
	return strings.Join(pairs, "-")
}

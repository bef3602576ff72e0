package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// portWords are the names that stand for ports which Windows assigns.
var portWords = []string{"RPC", "RPC-EPMap", "IPHTTPS", "IPHTTPSIn", "IPHTTPSOut", "Teredo", "Ply2Disc", "mDNS", "CORTANA_OUT"}

func checkPort(s string) error {
	if slices.ContainsFunc(portWords, func(w string) bool { return strings.EqualFold(w, s) }) {
		return nil
	}
	lo, hi, isRange := strings.Cut(s, "-")
	a, err1 := strconv.ParseUint(lo, 10, 16)
	b, err2 := a, error(nil)
	if isRange {
		b, err2 = strconv.ParseUint(hi, 10, 16)
	}
	if err1 != nil || err2 != nil || b < a {
		return fmt.Errorf("%q is no port, range of ports or port name", clip(s))
	}
	return nil
}

var addrWords = []string{"LocalSubnet", "LocalSubnet4", "LocalSubnet6", "DNS", "DHCP", "WINS", "DefaultGateway", "IntrAnet", "RmtIntrAnet", "Internet", "Ply2Renders", "CaptivePortal"}

// addAddr adds an address of a field LA4, LA6, RA4 or RA6. LocalSubnet in both the 4 and
// the 6 field is one entry.
func addAddr(list []string, field, value string) ([]string, error) {
	if i := slices.IndexFunc(addrWords, func(w string) bool { return strings.EqualFold(w, value) }); i >= 0 {
		if !slices.Contains(list, addrWords[i]) {
			list = append(list, addrWords[i])
		}
		return list, nil
	}
	is6, ok := addrFamily(value)
	if !ok || is6 != (field[2] == '6') {
		return list, fmt.Errorf("%q is no address of this family, range or prefix", clip(value))
	}
	return append(list, value), nil
}

// addrFamily reports the family of an address, a prefix, a mask or a range.
func addrFamily(s string) (is6, ok bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Is6(), a.Zone() == ""
	}
	sep := "-"
	if strings.Contains(s, "/") {
		if p, err := netip.ParsePrefix(s); err == nil {
			return p.Addr().Is6(), true
		}
		sep = "/" // address and mask
	}
	lo, hi, cut := strings.Cut(s, sep)
	a, err1 := netip.ParseAddr(lo)
	b, err2 := netip.ParseAddr(hi)
	return a.Is6(), cut && err1 == nil && err2 == nil && a.Is6() == b.Is6() && a.Zone()+b.Zone() == "" && (sep == "/" || !b.Less(a))
}

// String prints the rule string in the order that Windows uses. Parsing it gives an
// equal rule, except for ID and Source, which are not part of it.
func (r Rule) String() string {
	var b strings.Builder
	put := func(name, value string) {
		if value != "" {
			b.WriteString(name + "=" + value + "|")
		}
	}
	if b.WriteString(r.Version); r.Version == "" {
		b.WriteString("v2.31")
	}
	b.WriteByte('|')
	put("Action", string(r.Action))
	put("Active", strings.ToUpper(strconv.FormatBool(r.Active)))
	put("Dir", string(r.Dir))
	if r.Protocol != AnyProtocol {
		put("Protocol", strconv.Itoa(r.Protocol))
	}
	for _, p := range r.Profiles.names() {
		put("Profile", p)
	}
	putPorts(put, "LPort", r.LocalPorts)
	putPorts(put, "RPort", r.RemotePorts)
	putAddrs(put, "LA", r.LocalAddrs)
	putAddrs(put, "RA", r.RemoteAddrs)
	put("App", r.Program)
	put("Svc", r.Service)
	put("Name", r.Name)
	put("Desc", r.Description)
	put("EmbedCtxt", r.Group)
	for _, f := range r.Extra {
		b.WriteString(f.Name + "=" + f.Value + "|")
	}
	return b.String()
}

// putPorts prints single ports and ranges; a range has a field of its own since 2.10.
func putPorts(put func(name, value string), name string, ports []string) {
	for _, p := range ports {
		if strings.Contains(p, "-") && checkPort(p) == nil && p[0] >= '0' && p[0] <= '9' {
			put(name+"2_10", p)
		} else {
			put(name, p)
		}
	}
}

func putAddrs(put func(name, value string), name string, addrs []string) {
	for _, a := range addrs {
		is6, ok := addrFamily(a)
		switch {
		case ok && is6:
			put(name+"6", a)
		case ok, strings.HasSuffix(a, "4"):
			put(name+"4", a)
		case strings.HasSuffix(a, "6"):
			put(name+"6", a)
		default:
			put(name+"4", a)
			put(name+"6", a)
		}
	}
}

// Validate checks a rule before it is stored: that its string reads back as itself.
func (r Rule) Validate() error {
	if r.ID == "" || len(r.ID) > 255 {
		return fmt.Errorf("firewall: rule id %q: want 1 to 255 bytes", clip(r.ID))
	}
	if r.Name == "" {
		return fmt.Errorf("firewall: rule %s has no name", clip(r.ID))
	}
	if strings.ContainsAny(r.Name+r.Description+r.Group+r.Program+r.Service, "|\r\n\x00") {
		return fmt.Errorf("firewall: rule %s: a text holds a bar or a line end", clip(r.ID))
	}
	text := r.String()
	back, err := ParseRule(text)
	if err != nil {
		return err
	}
	if back.String() != text {
		return fmt.Errorf("firewall: rule %s cannot be written: %q", clip(r.ID), clip(text))
	}
	return nil
}

package settings

import (
	"net/netip"
	"strings"
)

// IPFilter is a parsed IPv4Filter or IPv6Filter. The zero value lets no address through.
// See [MS-WSMV] 2.2.4.36.
type IPFilter struct {
	all    bool
	ranges [][2]netip.Addr
}

const maxIPRanges = 1024

// ParseIPv4Filter reads blank (none), * (all) or ranges A-B,C-D, inclusive, the lower
// address first. An address is four decimal numbers from 0 to 255. A wrong filter is an
// *Error with CodeIPFilter. A * in the list stands for all, whatever the ranges.
func ParseIPv4Filter(s string) (IPFilter, error) {
	return parseIPFilter("Service/IPv4Filter", s, false)
}

// ParseIPv6Filter is as ParseIPv4Filter; an address stands with or without brackets and
// has no zone.
func ParseIPv6Filter(s string) (IPFilter, error) { return parseIPFilter("Service/IPv6Filter", s, true) }

func parseIPFilter(setting, s string, v6 bool) (IPFilter, error) {
	var f IPFilter
	if strings.TrimSpace(s) == "" {
		return f, nil
	}
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		if item == "*" {
			f.all = true
			continue
		}
		lo, hi, ok := strings.Cut(item, "-")
		a, okA := filterAddr(lo, v6)
		b, okB := filterAddr(hi, v6)
		if !ok || !okA || !okB {
			return IPFilter{}, fail(CodeIPFilter, setting, "%q is not a range LOW-HIGH of addresses", clip(item))
		}
		if b.Less(a) {
			return IPFilter{}, fail(CodeIPFilter, setting, "%q has its higher address first", clip(item))
		}
		if f.ranges = append(f.ranges, [2]netip.Addr{a, b}); len(f.ranges) > maxIPRanges {
			return IPFilter{}, fail(CodeIPFilter, setting, "more than %d ranges", maxIPRanges)
		}
	}
	return f, nil
}

func filterAddr(s string, v6 bool) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if v6 && strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Zone() == "" && a.Is6() == v6
}

// Contains reports whether the filter lets an address through. The zone of a
// link-local address does not matter.
func (f IPFilter) Contains(a netip.Addr) bool {
	if f.all {
		return true
	}
	a = a.WithZone("")
	for _, r := range f.ranges {
		if r[0].Is6() == a.Is6() && !a.Less(r[0]) && !r[1].Less(a) {
			return true
		}
	}
	return false
}

func checkIPv4Filter(s string) (string, string) {
	_, err := ParseIPv4Filter(s)
	return filterText(s, err)
}

func checkIPv6Filter(s string) (string, string) {
	_, err := ParseIPv6Filter(s)
	return filterText(s, err)
}

func filterText(s string, err error) (string, string) {
	if err != nil {
		return "", err.(*Error).Message
	}
	return strings.TrimSpace(s), ""
}

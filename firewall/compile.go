package firewall

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// match is how well a condition fits: it cannot be told where something is not known.
type match uint8

const (
	no match = iota
	maybe
	yes
)

// compiled is an active rule.
type compiled struct {
	id, name       string
	block          bool
	unknown        bool // it has a condition that is not checked here
	protocol       int
	program        string
	service        string
	lports, rports portSet
	laddrs, raddrs addrSet
}

// unconditional are fields that say nothing about which traffic a rule is for, or, like
// LOM, only make a rule that allows wider. See [MS-GPFAS] 2.2.2.19.
func unconditional(field string) bool {
	switch field {
	case "Edge", "Defer", "LSM", "LOM", "PCross", "LUOwn", "SkipVer":
		return true
	}
	return false
}

func compile(r *Rule) (compiled, error) {
	c := compiled{id: r.ID, name: r.Name, block: r.Action == Block, protocol: r.Protocol, program: r.Program, service: r.Service,
		lports: compilePorts(r.LocalPorts), rports: compilePorts(r.RemotePorts),
		laddrs: compileAddrs(r.LocalAddrs), raddrs: compileAddrs(r.RemoteAddrs)}
	var first string
	for _, f := range r.Extra {
		if !unconditional(f.Name) {
			c.unknown, first = true, f.Name
			break
		}
	}
	switch {
	case c.unknown:
	case c.lports.other || c.rports.other:
		first = "LPort or RPort"
	case c.laddrs.other || c.raddrs.other:
		first = "LA or RA"
	default:
		return c, nil
	}
	does := "admits nothing by it"
	if c.block {
		does = "blocks as if it were met"
	}
	return c, fmt.Errorf("firewall: rule %q (%s) has a condition that is not checked here (%s) and %s", clip(r.Name), clip(r.ID), clip(first), does)
}

func (c *compiled) match(t *Traffic, local, remote netip.Addr, subnets func() []netip.Prefix) match {
	if c.protocol != AnyProtocol && c.protocol != t.Protocol || !c.matchPart(&t.Part) {
		return no
	}
	m := yes
	if c.unknown {
		m = maybe
	}
	if m = min(m, c.lports.match(t.Local.Port(), t.Port)); m != no {
		m = min(m, c.rports.match(t.Remote.Port(), 0))
	}
	if m != no {
		m = min(m, c.laddrs.match(local, subnets))
	}
	if m != no {
		m = min(m, c.raddrs.match(remote, subnets))
	}
	return m
}

func (c *compiled) matchPart(p *Part) bool {
	switch {
	case c.service == "" || c.service == "*" && p.Service != "":
	case !strings.EqualFold(c.service, p.Service):
		return false
	}
	return sameProgram(c.program, p.Program)
}

// portSet are the ports of a rule.
type portSet struct {
	some        bool // else any
	ranges      [][2]uint16
	rpc, mapper bool
	other       bool // words that name none of ours, or what is not known
}

func compilePorts(list []string) portSet {
	s := portSet{some: len(list) > 0}
	for _, p := range list {
		if strings.EqualFold(p, "RPC") {
			s.rpc = true
			continue
		}
		if strings.EqualFold(p, "RPC-EPMap") {
			s.mapper = true
			continue
		}
		lo, hi, isRange := strings.Cut(p, "-")
		a, err := strconv.ParseUint(lo, 10, 16)
		b := a
		if err == nil && isRange {
			b, err = strconv.ParseUint(hi, 10, 16)
		}
		if err != nil {
			s.other = true
			continue
		}
		s.ranges = append(s.ranges, [2]uint16{uint16(a), uint16(b)}) // #nosec G115 -- of 16 bits
	}
	return s
}

// match tells whether a port is among them; 0 is one that is not known yet.
func (s *portSet) match(port uint16, word PortWord) match {
	if !s.some || s.rpc && word == PortRPC || s.mapper && word == PortMapper {
		return yes
	}
	if port != 0 {
		for _, r := range s.ranges {
			if r[0] <= port && port <= r[1] {
				return yes
			}
		}
	}
	if s.other || port == 0 && len(s.ranges) > 0 {
		return maybe
	}
	return no
}

// addrSet are the addresses of a rule.
type addrSet struct {
	some             bool // else any
	ranges           [][2]netip.Addr
	subnet4, subnet6 bool
	other            bool // words whose addresses are not known here
}

func compileAddrs(list []string) addrSet {
	s := addrSet{some: len(list) > 0}
	for _, a := range list {
		switch {
		case strings.EqualFold(a, "LocalSubnet"):
			s.subnet4, s.subnet6 = true, true
		case strings.EqualFold(a, "LocalSubnet4"):
			s.subnet4 = true
		case strings.EqualFold(a, "LocalSubnet6"):
			s.subnet6 = true
		default:
			if lo, hi, ok := addrRange(a); ok {
				if lo.Is4In6() && hi.Is4In6() {
					lo, hi = lo.Unmap(), hi.Unmap()
				}
				s.ranges = append(s.ranges, [2]netip.Addr{lo, hi})
			} else {
				s.other = true
			}
		}
	}
	return s
}

// addrRange is the first and the last address of an address, a prefix, an address with
// a mask, or a range.
func addrRange(text string) (lo, hi netip.Addr, ok bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a, a, true
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked().Addr(), lastOf(p), true
	}
	if first, last, isRange := strings.Cut(text, "-"); isRange {
		lo, err1 := netip.ParseAddr(first)
		hi, err2 := netip.ParseAddr(last)
		return lo, hi, err1 == nil && err2 == nil && lo.Is4() == hi.Is4()
	}
	addr, mask, _ := strings.Cut(text, "/")
	a, err1 := netip.ParseAddr(addr)
	m, err2 := netip.ParseAddr(mask)
	if err1 != nil || err2 != nil || !a.Is4() || !m.Is4() {
		return lo, hi, false
	}
	m4 := m.As4()
	ones := bits.LeadingZeros32(^binary.BigEndian.Uint32(m4[:]))
	if bits.OnesCount32(binary.BigEndian.Uint32(m4[:])) != ones { // [MS-FASP] 2.2.4: ones come first
		return lo, hi, false
	}
	p := netip.PrefixFrom(a, ones)
	return p.Masked().Addr(), lastOf(p), true
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := range b {
		switch free := len(b)*8 - p.Bits() - (len(b)-1-i)*8; {
		case free >= 8:
			b[i] = 0xff
		case free > 0:
			b[i] |= 1<<free - 1
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (s *addrSet) match(a netip.Addr, subnets func() []netip.Prefix) match {
	if !s.some {
		return yes
	}
	if !a.IsValid() {
		return maybe
	}
	for _, r := range s.ranges {
		if r[0].Is4() == a.Is4() && !a.Less(r[0]) && !r[1].Less(a) {
			return yes
		}
	}
	if subnets != nil && (s.subnet4 && a.Is4() || s.subnet6 && a.Is6()) {
		for _, p := range subnets() {
			if p.Contains(a) {
				return yes
			}
		}
	}
	if s.other {
		return maybe
	}
	return no
}

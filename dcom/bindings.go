package dcom

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/casementhq/casement/internal/ndr"
)

// TowerTCP is the protocol sequence ncacn_ip_tcp, the only one that Windows uses since Vista. See [C706] appendix I.
const TowerTCP uint16 = 7

// maxBindings bounds each of the two lists of a DualStringArray.
const maxBindings = 1024

// StringBinding is one address of an exporter or a resolver. See [MS-DCOM] 2.2.19.3.
type StringBinding struct {
	Tower uint16
	// Address is host or host[endpoint]; ParseStringBinding takes it apart.
	Address string
}

// SecurityBinding is one way to authenticate there. See [MS-DCOM] 2.2.19.4.
type SecurityBinding struct {
	// AuthnSvc is a number of [MS-RPCE] 2.2.1.1.7: 9 Negotiate, 10 NTLM, 16 Kerberos.
	AuthnSvc uint16
	// Principal is a service principal name, or on Windows the account; often empty.
	Principal string
}

// DualStringArray tells where an exporter or a resolver is and how to authenticate to it. See [MS-DCOM] 2.2.19.
type DualStringArray struct {
	Strings  []StringBinding
	Security []SecurityBinding
}

// units gives the array of unsigned shorts and where in it the security bindings begin.
func (a *DualStringArray) units() (units []uint16, security int) {
	for _, b := range a.Strings {
		units = append(append(append(units, b.Tower), utf16.Encode([]rune(b.Address))...), 0)
	}
	units = append(units, 0)
	if len(a.Strings) == 0 {
		units = append(units, 0) // the empty list has two terminators ([MS-DCOM] 2.2.19.1)
	}
	security = len(units)
	for _, b := range a.Security {
		units = append(append(append(units, b.AuthnSvc, 0xffff), utf16.Encode([]rune(b.Principal))...), 0)
	}
	units = append(units, 0)
	if len(a.Security) == 0 {
		units = append(units, 0)
	}
	return units, security
}

// parseUnits is the inverse of units. Both lists have to end in a terminator, and each string in its own.
func (a *DualStringArray) parseUnits(units []uint16, security int) error {
	*a = DualStringArray{}
	if security > len(units) {
		return fmt.Errorf("security bindings at %d in an array of %d", security, len(units))
	}
	rest := units[:security]
	for {
		if len(rest) == 0 {
			return fmt.Errorf("the string bindings have no terminator")
		}
		if rest[0] == 0 {
			break
		}
		text, after, ok := cutUnits(rest[1:])
		if !ok {
			return fmt.Errorf("a string binding has no terminator")
		}
		if len(a.Strings) == maxBindings {
			return fmt.Errorf("more than %d string bindings", maxBindings)
		}
		a.Strings, rest = append(a.Strings, StringBinding{rest[0], text}), after
	}
	rest = units[security:]
	for {
		if len(rest) == 0 {
			return fmt.Errorf("the security bindings have no terminator")
		}
		if rest[0] == 0 {
			return nil
		}
		if len(rest) < 2 {
			return fmt.Errorf("a security binding of one unit")
		}
		text, after, ok := cutUnits(rest[2:])
		if !ok {
			return fmt.Errorf("a security binding has no terminator")
		}
		if len(a.Security) == maxBindings {
			return fmt.Errorf("more than %d security bindings", maxBindings)
		}
		a.Security, rest = append(a.Security, SecurityBinding{rest[0], text}), after
	}
}

// cutUnits cuts a string off at its terminator.
func cutUnits(units []uint16) (text string, after []uint16, ok bool) {
	for i, u := range units {
		if u == 0 {
			return string(utf16.Decode(units[:i])), units[i+1:], true
		}
	}
	return "", nil, false
}

// MarshalNDR writes a DUALSTRINGARRAY as an argument ([MS-DCOM] 2.2.19.2).
func (a *DualStringArray) MarshalNDR(e *ndr.Encoder) {
	units, security := a.units()
	e.Count(len(units))
	a.put(e, units, security)
}

// UnmarshalNDR reads a DUALSTRINGARRAY that is an argument.
func (a *DualStringArray) UnmarshalNDR(d *ndr.Decoder) {
	n := d.Count(0xffff, 2)
	a.get(d, n)
}

// put writes the packet version ([MS-DCOM] 2.2.19.1).
func (a *DualStringArray) put(e *ndr.Encoder, units []uint16, security int) {
	e.Uint16(uint16(len(units)))
	e.Uint16(uint16(security))
	for _, u := range units {
		e.Uint16(u)
	}
}

// get reads the packet version, whose size is also known from elsewhere unless size is negative.
func (a *DualStringArray) get(d *ndr.Decoder, size int) {
	n, security := int(d.Uint16()), int(d.Uint16())
	if d.Err() == nil && size >= 0 && n != size {
		d.Fail("a DUALSTRINGARRAY of %d entries in an array of %d", n, size)
	}
	if d.Err() == nil && 2*n > d.Left() {
		d.Fail("a DUALSTRINGARRAY of %d entries in %d octets", n, d.Left())
	}
	if d.Err() != nil {
		return
	}
	units := make([]uint16, n)
	for i := range units {
		units[i] = d.Uint16()
	}
	if err := a.parseUnits(units, security); err != nil {
		d.Fail("%v", err)
	}
}

// ParseStringBinding takes the address of a string binding apart: a name, an IPv4 or an IPv6 address, and a port in brackets, which is 0 where
// there is none.
func ParseStringBinding(address string) (host string, port uint16, err error) {
	host = address
	if open := strings.LastIndexByte(address, '['); open > 0 && strings.HasSuffix(address, "]") {
		n, err := strconv.ParseUint(address[open+1:len(address)-1], 10, 16)
		if err != nil || n == 0 {
			return "", 0, fmt.Errorf("the endpoint of the binding %.80q is not a port", address)
		}
		host, port = address[:open], uint16(n)
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") && strings.Contains(host, ":") {
		host = host[1 : len(host)-1] // an IPv6 address as a URL has it
	}
	if host == "" || len(host) > 255 || strings.ContainsFunc(host, notInHost) {
		return "", 0, fmt.Errorf("the binding %.80q names no host", address)
	}
	return host, port, nil
}

func notInHost(r rune) bool {
	return r <= ' ' || r == 0x7f || r == 0xfffd || strings.ContainsRune(`[]/\@?#"<>|*`, r)
}

// FormatStringBinding is the inverse of ParseStringBinding: host, or host[port] where port is not 0.
func FormatStringBinding(host string, port uint16) string {
	if port == 0 {
		return host
	}
	return host + "[" + strconv.Itoa(int(port)) + "]"
}

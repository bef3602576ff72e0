package security

import (
	"fmt"
	"strings"
)

// MaxSDDLLength is the longest SDDL text that is read, in bytes.
const MaxSDDLLength = 256 << 10

// noAccessControl is the ACL flag by which SDDL writes a list that is present but NULL.
const noAccessControl = "NO_ACCESS_CONTROL"

// ParseSDDL reads a security descriptor from SDDL text. Aliases of a domain (DA, LA, …) fail; see
// ParseSDDLDomains. Errors match ErrBadDescriptor and say where. See [MS-DTYP] 2.5.1.
func ParseSDDL(text string) (*SecurityDescriptor, error) { return ParseSDDLDomains(text, Domains{}) }

// ParseSDDLDomains is ParseSDDL with the domains that relative aliases belong to.
func ParseSDDLDomains(text string, d Domains) (*SecurityDescriptor, error) {
	if len(text) > MaxSDDLLength {
		return nil, fmt.Errorf("%w: SDDL of %d bytes, at most %d are read", ErrBadDescriptor, len(text), MaxSDDLLength)
	}
	p := sddlParser{text: text, domains: d, sd: &SecurityDescriptor{}}
	p.space()
	for p.pos < len(p.text) {
		if err := p.section(); err != nil {
			return nil, fmt.Errorf("%w: SDDL at character %d: %w", ErrBadDescriptor, p.pos, err)
		}
		p.space()
	}
	if _, err := p.sd.Bytes(); err != nil {
		return nil, err
	}
	return p.sd, nil
}

type sddlParser struct {
	text    string
	pos     int
	domains Domains
	sd      *SecurityDescriptor
	seen    [4]bool
}

func (p *sddlParser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n\v\f", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// section reads one of O:, G:, D:, S: with what follows.
func (p *sddlParser) section() error {
	rest := p.text[p.pos:]
	if len(rest) < 2 || rest[1] != ':' {
		return fmt.Errorf("want O:, G:, D: or S:, found %.20q", rest)
	}
	i := strings.IndexByte("OGDS", upper(rest[0]))
	if i < 0 {
		return fmt.Errorf("unknown part %.2q", rest)
	}
	if p.seen[i] {
		return fmt.Errorf("second %.2q", rest)
	}
	p.seen[i] = true
	p.pos += 2
	var err error
	switch i {
	case 0:
		p.sd.Owner, err = p.sid()
	case 1:
		p.sd.Group, err = p.sid()
	case 2:
		p.sd.DACL, err = p.acl(DACLPresent, DACLProtected, DACLInheritRequired, DACLAutoInherited)
	default:
		p.sd.SACL, err = p.acl(SACLPresent, SACLProtected, SACLInheritRequired, SACLAutoInherited)
	}
	return err
}

// sid reads up to the letter of the next section.
func (p *sddlParser) sid() (SID, error) {
	rest := p.text[p.pos:]
	if i := strings.IndexByte(rest, ':'); i > 0 {
		rest = rest[:i-1]
	}
	s, err := ParseSIDAlias(strings.TrimSpace(rest), p.domains)
	if err == nil {
		p.pos += len(rest)
	}
	return s, err
}

// acl reads flags and entries. It returns nil for a NULL list.
func (p *sddlParser) acl(present, protected, required, auto Control) (*ACL, error) {
	p.sd.Control |= present
	null := false
	for {
		p.space()
		rest := p.text[p.pos:]
		switch {
		case hasPrefixFold(rest, noAccessControl):
			null = true
			p.pos += len(noAccessControl)
		case hasPrefixFold(rest, "AR"):
			p.sd.Control |= required
			p.pos += 2
		case hasPrefixFold(rest, "AI"):
			p.sd.Control |= auto
			p.pos += 2
		case hasPrefixFold(rest, "P"):
			p.sd.Control |= protected
			p.pos++
		default:
			return p.aces(null)
		}
	}
}

func (p *sddlParser) aces(null bool) (*ACL, error) {
	acl := &ACL{}
	for p.pos < len(p.text) && p.text[p.pos] == '(' {
		if null {
			return nil, fmt.Errorf("entries after %s", noAccessControl)
		}
		end, err := closing(p.text[p.pos:])
		if err != nil {
			return nil, err
		}
		a, err := parseACE(p.text[p.pos+1:p.pos+end], p.domains)
		if err != nil {
			return nil, err
		}
		acl.ACEs = append(acl.ACEs, a)
		p.pos += end + 1
		p.space()
	}
	if null {
		return nil, nil
	}
	acl.Revision = acl.revision()
	return acl, nil
}

// closing returns the position of the parenthesis that closes the one at text[0]; quoted text does not count.
func closing(text string) (int, error) {
	depth, quoted := 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
			if depth == 0 {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("entry %.40q is not closed", text)
}

// aceTokens names the entry types of SDDL. See [MS-DTYP] 2.5.1.1; the numbers are those of 2.4.4.1.
var aceTokens = []struct {
	token string
	typ   ACEType
}{
	{"A", AccessAllowed}, {"D", AccessDenied}, {"AU", SystemAudit}, {"AL", SystemAlarm},
	{"OA", AccessAllowedObject}, {"OD", AccessDeniedObject}, {"OU", SystemAuditObject}, {"OL", SystemAlarmObject},
	{"XA", AccessAllowedCallback}, {"XD", AccessDeniedCallback}, {"XU", SystemAuditCallback},
	{"ZA", AccessAllowedCallbackObject}, {"ML", SystemMandatoryLabel}, {"RA", SystemResourceAttribute},
	{"SP", SystemScopedPolicyID},
}

// aceFlagTokens names the entry flags, in the order of printing.
var aceFlagTokens = []struct {
	token string
	flag  ACEFlags
}{
	{"OI", ObjectInherit}, {"CI", ContainerInherit}, {"NP", NoPropagate}, {"IO", InheritOnly}, {"ID", Inherited},
	{"CR", Critical}, {"SA", AuditSuccess}, {"FA", AuditFailure},
}

// parseACE reads what stands between the parentheses of an entry.
func parseACE(text string, d Domains) (ACE, error) {
	f := strings.SplitN(text, ";", 7)
	if len(f) < 6 {
		return ACE{}, fmt.Errorf("entry (%.60s) has %d fields, 6 or 7 are needed", text, len(f))
	}
	for i := range f[:6] {
		f[i] = strings.TrimSpace(f[i])
	}
	var a ACE
	var err error
	if a.Type, err = parseACEType(f[0]); err != nil {
		return ACE{}, err
	}
	if a.Flags, err = parseACEFlags(f[1]); err != nil {
		return ACE{}, err
	}
	if a.Mask, err = ParseRights(f[2]); err != nil {
		return ACE{}, err
	}
	if err := a.parseGUIDs(f[3], f[4]); err != nil {
		return ACE{}, err
	}
	if a.SID, err = ParseSIDAlias(f[5], d); err != nil {
		return ACE{}, err
	}
	tail := ""
	if len(f) == 7 {
		tail = f[6]
	}
	a.Data, err = parseACEData(a.Type, tail, d)
	return a, err
}

func parseACEType(token string) (ACEType, error) {
	for _, t := range aceTokens {
		if strings.EqualFold(t.token, token) {
			return t.typ, nil
		}
	}
	return 0, fmt.Errorf("unknown entry type %.20q", token)
}

func parseACEFlags(text string) (ACEFlags, error) {
	var flags ACEFlags
next:
	for rest := text; rest != ""; rest = rest[2:] {
		for _, t := range aceFlagTokens {
			if hasPrefixFold(rest, t.token) {
				flags |= t.flag
				continue next
			}
		}
		return 0, fmt.Errorf("unknown entry flag in %.20q", text)
	}
	return flags, nil
}

func (a *ACE) parseGUIDs(object, inherited string) (err error) {
	if (object != "" || inherited != "") && !a.Type.object() {
		return fmt.Errorf("a GUID in an entry of type %s, which takes none", a.Type)
	}
	if object != "" {
		a.HasObjectType = true
		if a.ObjectType, err = ParseGUID(object); err != nil {
			return err
		}
	}
	if inherited != "" {
		a.HasInheritedObjectType = true
		a.InheritedObjectType, err = ParseGUID(inherited)
	}
	return err
}

// String returns the SDDL token of the type, or its number.
func (t ACEType) String() string {
	for _, k := range aceTokens {
		if k.typ == t {
			return k.token
		}
	}
	return fmt.Sprintf("0x%02x", uint8(t))
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

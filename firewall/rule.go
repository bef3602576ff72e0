package firewall

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/casementhq/casement/registry"
)

// Action says what a rule does with traffic that it matches.
type Action string

// The actions. ByPass is allow-if-secure.
const (
	Allow  Action = "Allow"
	Block  Action = "Block"
	ByPass Action = "ByPass"
)

// Direction is that of the connection's first packet.
type Direction string

// The directions.
const (
	In  Direction = "In"
	Out Direction = "Out"
)

// Profile is a set of network profiles.
type Profile uint8

// The profiles.
const (
	Domain Profile = 1 << iota
	Private
	Public
	AllProfiles = Domain | Private | Public
)

// String lists the profiles as netsh shows them, for example Domain,Private.
func (p Profile) String() string { return strings.Join(p.names(), ",") }

func (p Profile) names() []string {
	var out []string
	for i, n := range profileNames {
		if p&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

var profileNames = [...]string{"Domain", "Private", "Public"}

// ParseProfile reads one profile name in any case.
func ParseProfile(s string) (Profile, error) {
	for i, n := range profileNames {
		if strings.EqualFold(n, s) {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("firewall: profile %q: want Domain, Private or Public", clip(s))
}

// AnyProtocol is the protocol of a rule that names none.
const AnyProtocol = 256

// Rule is one firewall rule. A field at its zero value matches anything, except that
// Protocol is set by the parser to AnyProtocol.
type Rule struct {
	ID          string // name of the registry value
	Version     string // "v2.31" when empty
	Action      Action
	Active      bool
	Dir         Direction
	Protocol    int     // IP protocol number, 6 is TCP; AnyProtocol is any
	Profiles    Profile // 0 is all
	LocalPorts  []string
	RemotePorts []string
	LocalAddrs  []string // addresses, ranges, prefixes or LocalSubnet
	RemoteAddrs []string
	Program     string // path; %systemroot% and %windir% stay as text
	Service     string // short name of a service
	Name        string
	Description string
	Group       string // display name of the group, EmbedCtxt
	Extra       []Field
	Source      registry.Source // SourceNone is a built-in rule as shipped
}

// Field is a part of a rule string that this package does not interpret.
type Field struct {
	Name, Value string
}

// AppliesTo reports whether the rule is for one of the profiles.
func (r Rule) AppliesTo(p Profile) bool { return r.Profiles == 0 || r.Profiles&p != 0 }

// maxRule bounds a rule string, in bytes.
const maxRule = 64 << 10

// ParseRule reads a rule string: a version and then Name=Value fields, each with a bar
// behind it. Unknown fields are kept; a known field with a wrong value is an error. See
// [MS-FASP] and [MS-GPFAS] 2.2.2.
func ParseRule(s string) (Rule, error) {
	r := Rule{Protocol: AnyProtocol}
	if len(s) > maxRule {
		return r, fmt.Errorf("firewall: a rule of %d bytes, the limit is %d", len(s), maxRule)
	}
	version, rest, ok := strings.Cut(s, "|")
	if !ok || !isVersion(version) {
		return r, fmt.Errorf("firewall: rule %q does not begin with a version like v2.31|", clip(s))
	}
	r.Version = version
	for rest != "" {
		var field string
		field, rest, _ = strings.Cut(rest, "|")
		if field == "" {
			continue
		}
		name, value, ok := strings.Cut(field, "=")
		if !ok || name == "" {
			return r, fmt.Errorf("firewall: field %q has no value", clip(field))
		}
		if err := r.parseField(name, value); err != nil {
			return r, fmt.Errorf("firewall: field %s: %w", clip(name), err)
		}
	}
	if r.Action == "" || r.Dir == "" {
		return r, fmt.Errorf("firewall: rule %q lacks Action or Dir", clip(s))
	}
	return r, nil
}

func isVersion(s string) bool {
	num, ok := strings.CutPrefix(s, "v")
	major, minor, dot := strings.Cut(num, ".")
	_, err1 := strconv.ParseUint(major, 10, 8)
	_, err2 := strconv.ParseUint(minor, 10, 8)
	return ok && dot && err1 == nil && err2 == nil
}

func (r *Rule) parseField(name, value string) (err error) {
	switch name {
	case "Action":
		r.Action, err = oneOf(value, Allow, Block, ByPass)
	case "Dir":
		r.Dir, err = oneOf(value, In, Out)
	case "Active":
		var b string
		b, err = oneOf(value, "TRUE", "FALSE")
		r.Active = b == "TRUE"
	case "Protocol":
		n, perr := strconv.ParseUint(value, 10, 16)
		if perr != nil || n > AnyProtocol {
			return fmt.Errorf("%q is outside 0 to 256", clip(value))
		}
		r.Protocol = int(n)
	case "Profile":
		var p Profile
		p, err = ParseProfile(value)
		r.Profiles |= p
	case "LPort", "LPort2_10", "RPort", "RPort2_10":
		if err := checkPort(value); err != nil {
			return err
		}
		list := &r.LocalPorts
		if name[0] == 'R' {
			list = &r.RemotePorts
		}
		*list = append(*list, value)
	case "LA4", "LA6":
		r.LocalAddrs, err = addAddr(r.LocalAddrs, name, value)
	case "RA4", "RA6":
		r.RemoteAddrs, err = addAddr(r.RemoteAddrs, name, value)
	case "App":
		r.Program = value
	case "Svc":
		r.Service = value
	case "Name":
		r.Name = value
	case "Desc":
		r.Description = value
	case "EmbedCtxt":
		r.Group = value
	default:
		r.Extra = append(r.Extra, Field{name, value})
	}
	return err
}

func oneOf[T ~string](s string, options ...T) (T, error) {
	for _, o := range options {
		if strings.EqualFold(s, string(o)) {
			return o, nil
		}
	}
	return "", fmt.Errorf("%q is not one of %v", clip(s), options)
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

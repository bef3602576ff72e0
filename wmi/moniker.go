package wmi

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// Moniker names a namespace or an object, and how to connect to it: "winmgmts:{impersonationLevel=impersonate}!\\host\root\cimv2:Win32_Service".
// What it leaves out is the zero value, whose meaning is in the registry. See "Constructing a Moniker String".
type Moniker struct {
	Impersonation  ImpersonationLevel
	Authentication AuthenticationLevel
	Authority      Authority
	Privileges     []PrivilegeSetting
	Locale         string // "ms_409"
	Server         string // "" is this machine
	// Path has the namespace, and the class or instance where the moniker names an object; it has no server.
	Path cim.ObjectPath
}

// PrivilegeSetting enables a privilege or disables it.
type PrivilegeSetting struct {
	Privilege Privilege
	Disable   bool
}

const (
	monikerPrefix = "winmgmts:"
	maxMoniker    = 64 << 10
)

func badMoniker(s, why string) error {
	return &cim.Error{Status: cim.ErrInvalidSyntax, Path: s, Detail: why}
}

// ParseMoniker reads a moniker, case-blind, with slashes of either kind. ErrInvalidSyntax.
func ParseMoniker(s string) (Moniker, error) {
	if len(s) > maxMoniker {
		return Moniker{}, badMoniker(s[:40]+"…", "the moniker is too long")
	}
	rest, ok := cutPrefixFold(s, monikerPrefix)
	if !ok {
		return Moniker{}, badMoniker(s, "a moniker begins with winmgmts:")
	}
	m, why := Moniker{}, ""
	if strings.HasPrefix(rest, "{") {
		inside, after, closed := strings.Cut(rest[1:], "}")
		if !closed {
			return Moniker{}, badMoniker(s, "'}' is missing")
		}
		if why = m.security(inside); why != "" {
			return Moniker{}, badMoniker(s, why)
		}
		rest = strings.TrimLeft(after, " ")
	}
	if strings.HasPrefix(rest, "[") {
		inside, after, closed := strings.Cut(rest[1:], "]")
		locale, named := cutPrefixFold(strings.TrimSpace(inside), "locale=")
		if !closed || !named || !isLCID(locale) {
			return Moniker{}, badMoniker(s, "brackets hold locale=ms_ and a hexadecimal number")
		}
		m.Locale, rest = locale, after
	}
	settings := len(rest) < len(s)-len(monikerPrefix)
	path, marked := strings.CutPrefix(rest, "!")
	if settings && !marked && rest != "" {
		return Moniker{}, badMoniker(s, "'!' is missing in front of the path")
	}
	if why = m.path(path); why != "" {
		return Moniker{}, badMoniker(s, why)
	}
	return m, nil
}

// security reads what stands in braces; what is wrong is the answer.
func (m *Moniker) security(s string) string {
	for s = strings.TrimSpace(s); s != ""; {
		if strings.HasPrefix(s, "(") {
			inside, after, closed := strings.Cut(s[1:], ")")
			if !closed {
				return "')' is missing"
			}
			if why := m.privileges(inside); why != "" {
				return why
			}
			after = strings.TrimSpace(after)
			if after != "" && after[0] != ',' {
				return "',' is missing after ')'"
			}
			s = strings.TrimSpace(strings.TrimPrefix(after, ","))
			continue
		}
		item, after, _ := strings.Cut(s, ",")
		if why := m.item(strings.TrimSpace(item)); why != "" {
			return why
		}
		s = strings.TrimSpace(after)
	}
	return ""
}

// item reads one name=value; a level may stand without its name.
func (m *Moniker) item(s string) string {
	name, value, named := strings.Cut(s, "=")
	if value = strings.TrimSpace(value); !named {
		name, value = "impersonationLevel", s
	}
	var err error
	switch cim.Fold(strings.TrimSpace(name)) {
	case "impersonationlevel":
		if m.Impersonation, err = ParseImpersonationLevel(value); err == nil && m.Impersonation == ImpersonationDefault {
			return "the impersonation level " + value + " cannot be asked for"
		}
	case "authenticationlevel":
		m.Authentication, err = ParseAuthenticationLevel(value)
	case "authority":
		m.Authority, err = ParseAuthority(value)
	default:
		return "the setting " + name + " is unknown"
	}
	return detail(err)
}

func (m *Moniker) privileges(s string) string {
	for item := range strings.SplitSeq(s, ",") {
		name, disable := strings.CutPrefix(strings.TrimSpace(item), "!")
		p, err := ParsePrivilege(strings.TrimSpace(name))
		if err != nil {
			return detail(err)
		}
		m.Privileges = append(m.Privileges, PrivilegeSetting{p, disable})
	}
	return ""
}

// path reads server, namespace and object.
func (m *Moniker) path(s string) string {
	slashed := strings.ReplaceAll(s, "/", `\`)
	if strings.HasPrefix(slashed, `\\`) {
		server, _, more := strings.Cut(slashed[2:], `\`)
		name, err := parseServer(server)
		if err != nil {
			if strings.Contains(server, ":") && !more {
				return "a server and an object need a namespace between them"
			}
			return detail(err)
		}
		if m.Server = name; !more || len(s) == len(server)+3 {
			return ""
		}
	} else if s = strings.TrimPrefix(s, ":"); s == "" { // winmgmts::Class: an empty namespace
		return ""
	}
	p, err := cim.ParsePath(s)
	if err != nil {
		return detail(err)
	}
	if !isNamespace(p.Namespace) {
		return "the namespace " + p.Namespace
	}
	if !strings.HasPrefix(slashed, `\\`) && p.Server != "" {
		return "a server after ':'"
	}
	p.Server = ""
	m.Path = p
	return ""
}

func detail(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := err.(*cim.Error); ok { //nolint:errorlint // made here
		return e.Detail
	}
	return err.Error()
}

// String is the moniker as ParseMoniker reads it.
func (m Moniker) String() string {
	var items []string
	if m.Impersonation != ImpersonationDefault {
		items = append(items, "impersonationLevel="+m.Impersonation.String())
	}
	if m.Authentication != AuthenticationDefault {
		items = append(items, "authenticationLevel="+m.Authentication.String())
	}
	if a := m.Authority.String(); a != "" {
		items = append(items, "authority="+a)
	}
	if len(m.Privileges) > 0 {
		names := make([]string, len(m.Privileges))
		for i, p := range m.Privileges {
			names[i] = p.Privilege.String()
			if p.Disable {
				names[i] = "!" + names[i]
			}
		}
		items = append(items, "("+strings.Join(names, ",")+")")
	}
	var b strings.Builder
	b.WriteString(monikerPrefix)
	if len(items) > 0 {
		b.WriteString("{" + strings.Join(items, ",") + "}")
	}
	if m.Locale != "" {
		b.WriteString("[locale=" + m.Locale + "]")
	}
	path := m.Path.String()
	switch {
	case m.Server != "":
		path = `\\` + m.Server + `\` + strings.TrimPrefix(path, `\`)
	case m.Path.Namespace == "" && m.Path.Class != "":
		path = ":" + path
	}
	if b.Len() > len(monikerPrefix) && path != "" {
		b.WriteByte('!')
	}
	return b.String() + path
}

package stdregprov

import "strings"

// environmentKey is where Windows keeps the variables of the system. The environment of this process is not shown to
// anybody.
const environmentKey = `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment`

func (p *Provider) variable(name string) (string, bool) {
	v, ok := p.hive.Get(environmentKey, name)
	if !ok {
		return "", false
	}
	return v.Text()
}

// expand puts the values of variables in the places of their names between percent signs, once. A name that is not
// known stays as it is.
func expand(s string, variable func(string) (string, bool)) string {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "%")
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		name, after, ok := strings.Cut(rest, "%")
		if !ok {
			out.WriteString("%" + rest)
			return out.String()
		}
		if value, known := variable(name); known {
			out.WriteString(value)
			s = after
			continue
		}
		out.WriteString("%" + name)
		s = "%" + after // the second sign may be the first one of a name
	}
}

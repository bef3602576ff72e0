package winrmtool

import (
	"strings"
)

// property is one name and value of @{} input. Null is $null.
type property struct {
	Name, Value string
	Null        bool
}

// maxInput bounds @{} input in bytes.
const maxInput = 1 << 20

// parseInput reads @{NAME="VALUE"[;NAME="VALUE"]...}. Blanks are permitted
// around names, = and ;. A quote inside a value is written twice. A value may
// stand without quotes, since shells take them away, if it holds no ; " { and
// no blank at its ends; $null is no value. Quotes around the whole, which
// cmd.exe leaves in place, are dropped. See spec section 1.4.
func parseInput(arg string) ([]property, error) {
	s := strings.TrimSpace(arg)
	if len(s) > maxInput {
		return nil, usage("the input is longer than %d bytes; use -file:", maxInput)
	}
	if len(s) > 1 && s[0] == '\'' && s[len(s)-1] == '\'' {
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	if !strings.HasPrefix(s, "@{") {
		return nil, usage("the input %q does not begin with @{ (winrm help input)", clip(arg))
	}
	return parseHash(s[1:])
}

// parseHash reads {NAME="VALUE"[;NAME="VALUE"]...}.
func parseHash(s string) ([]property, error) {
	whole := s
	bad := func(why string) ([]property, error) {
		return nil, usage("the input %s cannot be read: %s (winrm help input)", clip(whole), why)
	}
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return bad("it must stand between { and }")
	}
	s = strings.TrimSpace(s[1 : len(s)-1])
	var list []property
	for s != "" {
		name, rest, found := strings.Cut(s, "=")
		if name = strings.TrimSpace(name); !found || !isKey(name) {
			return bad(`each item is NAME="VALUE"`)
		}
		for _, p := range list {
			if p.Name == name {
				return bad(name + " is named twice")
			}
		}
		p := property{Name: name}
		var why string
		if p.Value, p.Null, s, why = hashValue(strings.TrimLeft(rest, " \t\r\n")); why != "" {
			return bad(name + ": " + why)
		}
		list = append(list, p)
	}
	return list, nil
}

// hashValue reads a value and the semicolon behind it, and returns the rest.
func hashValue(s string) (value string, null bool, rest, why string) {
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		value = strings.TrimSpace(value)
		if strings.EqualFold(value, "$null") {
			return "", true, strings.TrimSpace(rest), ""
		}
		if strings.ContainsAny(value, "\"{}") {
			return "", false, "", "the value must stand in double quotes"
		}
		return value, false, strings.TrimSpace(rest), ""
	}
	var b strings.Builder
	for s = s[1:]; ; {
		end := strings.IndexByte(s, '"')
		if end < 0 {
			return "", false, "", "the closing quote is missing"
		}
		b.WriteString(s[:end])
		s = s[end+1:]
		if !strings.HasPrefix(s, `"`) {
			break
		}
		b.WriteByte('"')
		s = s[1:]
	}
	s = strings.TrimLeft(s, " \t\r\n")
	if s != "" && s[0] != ';' {
		return "", false, "", "a ; must stand between two items, and a quote inside a value is written twice"
	}
	return b.String(), false, strings.TrimSpace(strings.TrimPrefix(s, ";")), ""
}

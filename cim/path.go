package cim

import (
	"slices"
	"sort"
	"strings"
)

// ObjectPath names a namespace, a class or an instance.
//
// See [MS-WMI] 2.2.2 (WBEM paths) and spec/wmi.md 2.5.
type ObjectPath struct {
	Server    string // "" and "." mean this machine
	Namespace string // "root\cimv2", always with backslashes; may be empty
	Class     string
	Singleton bool  // Class=@
	Keys      []Key // empty for a class
}

// Key is one key of an instance path. Name is empty where a path leaves out
// the name of the only key.
type Key struct {
	Name  string
	Value Value
}

// IsClass tells whether p names a class rather than an instance.
func (p ObjectPath) IsClass() bool { return p.Class != "" && !p.Singleton && len(p.Keys) == 0 }

// Key finds a key by name, case-blind; a single key without a name answers to
// every name.
func (p ObjectPath) Key(name string) (Value, bool) {
	if len(p.Keys) == 1 && p.Keys[0].Name == "" {
		return p.Keys[0].Value, true
	}
	for _, k := range p.Keys {
		if EqualFold(k.Name, name) {
			return k.Value, true
		}
	}
	return Value{}, false
}

// String is the canonical form: \\SERVER\root\cimv2:Class.Key1="v",Key2=3.
func (p ObjectPath) String() string {
	var b strings.Builder
	if p.Server != "" {
		b.WriteString(`\\` + p.Server + `\`)
	}
	if p.Class == "" {
		if p.Server == "" && p.Namespace != "" && !strings.Contains(p.Namespace, `\`) {
			b.WriteByte('\\') // without it a lone name is a class
		}
		return b.String() + p.Namespace
	}
	b.WriteString(p.Namespace)
	if p.Namespace != "" {
		b.WriteByte(':')
	}
	b.WriteString(p.Relative())
	return b.String()
}

// Relative is the path without server and namespace, what __RELPATH holds.
func (p ObjectPath) Relative() string {
	b := []byte(p.Class)
	if p.Singleton {
		return string(append(b, "=@"...))
	}
	for i, k := range p.Keys {
		switch {
		case i > 0:
			b = append(b, ',')
		case k.Name != "":
			b = append(b, '.')
		}
		b = append(b, k.Name...)
		b = append(b, '=')
		b = appendKeyValue(b, k.Value)
	}
	return string(b)
}

func appendKeyValue(b []byte, v Value) []byte {
	if t, ok := v.Bool(); ok {
		if t {
			return append(b, "TRUE"...)
		}
		return append(b, "FALSE"...)
	}
	s, ok := v.Str()
	if !ok {
		return v.AppendText(b)
	}
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// Equal compares two paths as WMI does: names and string keys case-blind, the
// order of keys of no meaning, "" and "." the same server.
func (p ObjectPath) Equal(q ObjectPath) bool {
	if !EqualFold(p.Class, q.Class) || p.Singleton != q.Singleton || len(p.Keys) != len(q.Keys) ||
		!EqualFold(p.Namespace, q.Namespace) || !EqualFold(localServer(p.Server), localServer(q.Server)) {
		return false
	}
	return slices.Equal(p.keyTexts(), q.keyTexts())
}

func localServer(s string) string {
	if s == "." {
		return ""
	}
	return s
}

// keyTexts are the keys in a form and an order in which equal ones are equal.
func (p ObjectPath) keyTexts() []string {
	parts := make([]string, len(p.Keys))
	for i, k := range p.Keys {
		name := Fold(k.Name)
		if len(p.Keys) == 1 {
			name = ""
		}
		parts[i] = name + "=" + strings.ToLower(string(k.Value.AppendText(nil)))
	}
	sort.Strings(parts)
	return parts
}

package host

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

const (
	keyFlavor  = cim.ToInstance | cim.ToSubClass | cim.NotOverridable
	infoFlavor = cim.ToSubClass
)

// property reads one property line and adds it to the class, or puts it in the place of the inherited one that it
// overrides.
func (r *schemaReader) property(line string) error {
	p := cim.Property{Origin: r.current.Name}
	line, p.Key = strings.CutPrefix(line, "key ")
	typ, rest, _ := strings.Cut(line, " ")
	if after, ok := strings.CutPrefix(rest, "REF "); ok {
		rest, p.Type, p.RefClass = after, cim.Reference, typ
	} else if p.Type, p.RefClass = parseType(typ); p.Type == cim.Untyped {
		return fmt.Errorf("%q is not a type", typ)
	}
	var attributes string
	p.Name, attributes, _ = strings.Cut(rest, " ")
	if p.Name == "" {
		return fmt.Errorf("a property without a name in %q", line)
	}
	if p.Key {
		flag(&p.Qualifiers, "Key", keyFlavor)
	}
	flag(&p.Qualifiers, "Read", infoFlavor)
	if err := attribute(&p, attributes); err != nil {
		return err
	}
	for i := range r.current.Properties {
		if old := &r.current.Properties[i]; cim.EqualFold(old.Name, p.Name) {
			p.Origin = old.Origin
			*old = p
			return nil
		}
	}
	r.current.Properties = append(r.current.Properties, p)
	return nil
}

func attribute(p *cim.Property, text string) error {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		var word string
		if after, ok := strings.CutPrefix(text, `units="`); ok {
			word, text, _ = strings.Cut(after, `"`)
			p.Qualifiers = append(p.Qualifiers, cim.Qualifier{Name: "Units", Value: cim.Str(word), Flavor: infoFlavor})
			continue
		}
		word, text, _ = strings.Cut(text, " ")
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "cimkey":
			flag(&p.Qualifiers, "CIM_Key", infoFlavor)
		case "write":
			flag(&p.Qualifiers, "Write", infoFlavor)
		case "maxlen":
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return fmt.Errorf("maxlen: %w", err)
			}
			p.Qualifiers = append(p.Qualifiers, cim.Qualifier{Name: "MaxLen", Value: cim.S32(int32(n)), Flavor: infoFlavor})
		default:
			return fmt.Errorf("unknown word %q", word)
		}
	}
	return nil
}

// parseType reads a MOF type, or a class name for an embedded object of that class.
func parseType(s string) (cim.Type, string) {
	if t, ok := cim.ParseType(s); ok {
		return t, ""
	}
	if name, isArray := strings.CutSuffix(s, "[]"); strings.Contains(name, "_") {
		if isArray {
			return cim.Object.Array(), name
		}
		return cim.Object, name
	}
	return cim.Untyped, ""
}

// method reads one method line.
func (r *schemaReader) method(line string) error {
	head, args, ok := strings.Cut(strings.TrimSuffix(line, ")"), "(")
	words := strings.Fields(head)
	if !ok || len(words) < 2 {
		return fmt.Errorf("%q is not a method", line)
	}
	m := cim.Method{Origin: r.current.Name}
	for len(words) > 2 {
		switch words[0] {
		case "implemented":
			flag(&m.Qualifiers, "Implemented", 0)
		case "static":
			m.Static = true
			flag(&m.Qualifiers, "Static", infoFlavor|cim.NotOverridable)
		default:
			return fmt.Errorf("unknown word %q", words[0])
		}
		words = words[1:]
	}
	m.Name = words[1]
	if m.Return, ok = cim.ParseType(words[0]); !ok {
		return fmt.Errorf("%q is not a type", words[0])
	}
	for id, a := range strings.Split(args, ", ") {
		if a == "" {
			continue
		}
		if err := parameter(&m, id, strings.Fields(a)); err != nil {
			return err
		}
	}
	for i := range r.current.Methods {
		if old := &r.current.Methods[i]; cim.EqualFold(old.Name, m.Name) {
			*old = m
			return nil
		}
	}
	r.current.Methods = append(r.current.Methods, m)
	return nil
}

func parameter(m *cim.Method, id int, words []string) error {
	if len(words) < 3 {
		return fmt.Errorf("%q is not a parameter", words)
	}
	p := cim.Parameter{Name: words[len(words)-1]}
	if p.Type, p.RefClass = parseType(words[len(words)-2]); p.Type == cim.Untyped {
		return fmt.Errorf("%q is not a type", words)
	}
	var in, out bool
	for _, w := range words[:len(words)-2] {
		switch w {
		case "in":
			in = true
			flag(&p.Qualifiers, "In", infoFlavor|cim.NotOverridable)
		case "out":
			out = true
			flag(&p.Qualifiers, "Out", infoFlavor|cim.NotOverridable)
		case "optional":
			p.Optional = true
			flag(&p.Qualifiers, "Optional", infoFlavor)
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	p.Qualifiers = append(p.Qualifiers, cim.Qualifier{Name: "ID", Value: cim.S32(int32(id)), Flavor: keyFlavor})
	if in {
		m.In = append(m.In, p)
	}
	if out {
		m.Out = append(m.Out, p)
	}
	return nil
}

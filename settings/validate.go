package settings

import (
	"strings"

	"github.com/casementhq/casement/registry"
)

// Validate checks a Put on a configuration resource and returns the registry changes.
// Names are case-sensitive. A value equal to the present one is no write, so that a
// whole resource read by Get may be put back. Errors are *Error: SchemaValidationError
// for unknown names and values out of range, else the code of the setting.
// See [MS-WSMV] 3.1.4.1.29.
func (w *WinRM) Validate(uri string, fields []NameValue) ([]Change, error) {
	elem, err := element(uri)
	if err != nil {
		return nil, err
	}
	if elem == "Service/DefaultPorts" {
		return nil, fail(CodeActionNotSupported, elem, "the resource is read-only and has no Put")
	}
	var changes []Change
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		i := lookup(elem, f.Name)
		if i < 0 {
			return nil, schemaErr(clip(f.Name), "no such setting in %s; names are case-sensitive", uri)
		}
		if seen[f.Name] {
			return nil, schemaErr(schema[i].path(), "given twice")
		}
		seen[f.Name] = true
		c, err := w.write(i, f)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c...)
	}
	return changes, nil
}

func lookup(elem, name string) int {
	if elem != "" {
		name = elem + "/" + name
	}
	for i := range schema {
		if schema[i].path() == name {
			return i
		}
	}
	return -1
}

func (w *WinRM) write(i int, f NameValue) ([]Change, error) {
	s := &schema[i]
	if f.Nil && s.text == nil {
		return nil, schemaErr(s.path(), "null is not a value of this setting")
	}
	if !f.Nil && strings.TrimSpace(f.Value) == s.get(w) {
		return nil, nil
	}
	text, why := s.canon(f.Value)
	if f.Nil {
		text, why = s.canon("")
	}
	if why != "" {
		code := s.code
		if code == 0 {
			code = CodeSchemaValidation
		}
		return nil, fail(code, s.path(), "%q %s", clip(f.Value), why)
	}
	if text == s.get(w) {
		return nil, nil
	}
	if w.sources[i] == registry.SourceGPO {
		return nil, fail(CodeGPOControlled, s.path(), "Group Policy sets it; change the policy instead")
	}
	switch s.rule {
	case deprecated, fixed:
		return nil, fail(CodeDeprecated, s.path(), "the setting is deprecated and cannot be changed")
	case readOnly:
		return nil, fail(CodeReadOnly, s.path(), "the setting is read-only")
	}
	return []Change{{Key: s.key(), Name: s.valueName(), Value: s.value(text)}}, nil
}

// Restore returns the changes that bring all settings back to their defaults, as
// winrm invoke Restore winrm/config does. Listeners and the other tables stay.
func Restore() []Change {
	var out []Change
	for i := range schema {
		if s := &schema[i]; s.rule == writable {
			out = append(out, Change{Key: s.key(), Name: s.valueName(), Delete: true})
		}
	}
	return out
}

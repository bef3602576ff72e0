package settings

import (
	"strconv"
	"strings"

	"github.com/casementhq/casement/registry"
)

// rule says who may write a setting.
type rule uint8

const (
	writable   rule = iota
	deprecated      // CodeDeprecated
	fixed           // deprecated too, by the Winrs wording: InternalError
	readOnly        // CodeReadOnly
)

// setting is one row of the schema. Exactly one of num, flag and text is set.
type setting struct {
	elem       string // path of the parent element, "" is the root
	name       string // XML name
	num        func(*WinRM) *uint32
	flag       func(*WinRM) *bool
	text       func(*WinRM) *string
	current    string // default
	documented string // default of that set, "" is the same
	min, max   uint32
	code       uint32 // of a bad value; 0 is CodeSchemaValidation
	rule       rule
	check      func(string) (string, string) // canonical form, or what is wrong
	closed     bool                          // a damaged value counts as empty, not as the default
	local      bool                          // the hive can hold it although WinRM does not write it
	reg        string                        // local value name, "" is name; "-" is none
	pol        policy
}

// policy names the Group Policy value of a setting, below KeyPolicy.
type policy struct {
	key  string // Client, Service or Service\WinRS
	name string
	gate string // a DWORD that must be 1 for the value to count
}

func (s *setting) path() string {
	if s.elem == "" {
		return s.name
	}
	return s.elem + "/" + s.name
}

// key is the local registry key of the setting.
func (s *setting) key() string {
	top, _, _ := strings.Cut(s.elem, "/")
	if top == "" {
		return KeyWSMAN
	}
	return KeyWSMAN + `\` + top
}

func (s *setting) valueName() string {
	if s.reg != "" {
		return s.reg
	}
	return s.name
}

func (s *setting) def(d Defaults) string {
	if d == Documented && s.documented != "" {
		return s.documented
	}
	return s.current
}

// load returns the effective text of the setting and its source.
func (s *setting) load(r Reader, d Defaults) (string, registry.Source, []Problem) {
	var bad []Problem
	fallback := s.def(d)
	if s.pol.name != "" {
		key := KeyPolicy + `\` + s.pol.key
		v, _, ok := r.Value(key, s.pol.name)
		if !ok && s.closed && s.pol.gate != "" && s.gateOpen(r, key) {
			return "", registry.SourceGPO, nil // a filter that the policy leaves blank
		}
		if ok && s.gateOpen(r, key) {
			text, why := s.decode(v)
			if why == "" {
				return text, registry.SourceGPO, nil
			}
			bad = append(bad, problem(s.path(), key, s.pol.name, registry.SourceGPO, "the policy value %s", why))
			if s.closed {
				return "", registry.SourceGPO, bad
			}
		}
	}
	if s.rule != writable && !s.local || s.valueName() == "-" {
		return fallback, registry.SourceNone, bad
	}
	v, src, ok := r.Value(s.key(), s.valueName())
	if !ok {
		return fallback, registry.SourceNone, bad
	}
	text, why := s.decode(v)
	if why == "" {
		return text, src, bad
	}
	bad = append(bad, problem(s.path(), s.key(), s.valueName(), src, "the stored value %s", why))
	if s.closed {
		fallback = ""
	}
	return fallback, registry.SourceNone, bad
}

func (s *setting) gateOpen(r Reader, key string) bool {
	if s.pol.gate == "" {
		return true
	}
	v, _, _ := r.Value(key, s.pol.gate)
	n, _ := v.Uint()
	return n == 1
}

// decode turns a registry value into the canonical text, or says what is wrong.
func (s *setting) decode(v registry.Value) (text, why string) {
	if s.text != nil {
		t, ok := v.Text()
		if !ok {
			return "", "is a " + v.Type().String() + ", want REG_SZ"
		}
		return s.canon(t)
	}
	n, ok := v.Uint()
	if !ok {
		return "", "is a " + v.Type().String() + ", want REG_DWORD"
	}
	return s.canon(strconv.FormatUint(n, 10))
}

// canon checks a value's text and returns its canonical form, or what is wrong with it.
func (s *setting) canon(text string) (out, why string) {
	switch {
	case s.flag != nil:
		b, ok := parseBool(text)
		if !ok {
			return "", "is not true or false"
		}
		return strconv.FormatBool(b), ""
	case s.num != nil:
		n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return "", "is not a whole number"
		}
		if n < uint64(s.min) || n > uint64(s.max) {
			return "", "is outside " + strconv.FormatUint(uint64(s.min), 10) + " to " + strconv.FormatUint(uint64(s.max), 10)
		}
		return strconv.FormatUint(n, 10), ""
	case s.check != nil:
		return s.check(text)
	}
	return text, ""
}

func parseBool(s string) (v, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// put stores canonical text in the snapshot.
func (s *setting) put(w *WinRM, text string) {
	switch {
	case s.flag != nil:
		*s.flag(w) = text == "true"
	case s.num != nil:
		n, _ := strconv.ParseUint(text, 10, 32)
		*s.num(w) = uint32(n)
	default:
		*s.text(w) = text
	}
}

// get returns the text of the setting in the snapshot.
func (s *setting) get(w *WinRM) string {
	switch {
	case s.flag != nil:
		return strconv.FormatBool(*s.flag(w))
	case s.num != nil:
		return strconv.FormatUint(uint64(*s.num(w)), 10)
	}
	return *s.text(w)
}

// value is the registry form of canonical text.
func (s *setting) value(text string) registry.Value {
	switch {
	case s.flag != nil:
		if text == "true" {
			return registry.DWORD(1)
		}
		return registry.DWORD(0)
	case s.num != nil:
		n, _ := strconv.ParseUint(text, 10, 32)
		return registry.DWORD(uint32(n))
	}
	return registry.SZ(text)
}

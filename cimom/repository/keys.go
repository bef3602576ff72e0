package repository

import (
	"bytes"
	"crypto/sha256"
	"hash/fnv"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
)

// The first byte of a key; see the package comment.
const (
	kindFormat     = 'm'
	kindNamespace  = 'n'
	kindNamespace2 = 'N'
	kindClass      = 'c'
	kindLayout     = 'l'
	kindLayout2    = 'L'
	kindInstance   = 'i'
	kindIndexed    = 'j'
	kindIndex      = 'x'
)

// maxName bounds the name of a namespace, class or property, and maxKeys the
// keys of an instance in their text; longer keys are stored by their hash.
const (
	maxName = 4 << 10
	maxKeys = 1 << 10
)

func namespaceKey(kind byte, namespace string) []byte {
	return append([]byte{kind}, cim.Fold(namespace)...)
}

// classKey is the key of a class record; with a 0 after it, what the keys of
// its instances and indexes begin with.
func classKey(b []byte, kind byte, namespace, class string) []byte {
	b = append(b, kind)
	b = append(b, cim.Fold(namespace)...)
	b = append(b, 0)
	return append(b, cim.Fold(class)...)
}

func instancesPrefix(b []byte, class *cim.Class) []byte {
	return append(classKey(b, kindInstance, class.Namespace, class.Name), 0)
}

func indexPrefix(b []byte, class *cim.Class, property string) []byte {
	b = append(classKey(b, kindIndex, class.Namespace, class.Name), 0)
	b = append(b, cim.Fold(property)...)
	return append(b, 0)
}

// checkNames refuses names that a key cannot hold.
func checkNames(names ...string) error {
	for _, n := range names {
		if n == "" || len(n) > maxName || strings.IndexByte(n, 0) >= 0 {
			return &cim.Error{Status: cim.ErrInvalidParameter, Detail: "a name is empty, too long or holds a NUL"}
		}
	}
	return nil
}

// keyOf appends the key of an instance of class from its path. Two paths that
// name the same object give the same key: the case of names and strings, the
// order of the keys, the spelling of numbers and of references do not count
// (spec/wmi.md T-81).
func keyOf(b []byte, class *cim.Class, path cim.ObjectPath) ([]byte, error) {
	if err := checkNames(class.Namespace, class.Name); err != nil {
		return nil, err
	}
	if !cim.EqualFold(path.Class, class.Name) {
		return nil, &cim.Error{Status: cim.ErrInvalidObjectPath, Path: path.String(), Detail: "it is not of the class " + class.Name}
	}
	b = instancesPrefix(b, class)
	start := len(b)
	if class.IsSingleton() {
		if !path.Singleton {
			return nil, &cim.Error{Status: cim.ErrInvalidObjectPath, Path: path.String(), Detail: "the class has one instance, " + class.Name + "=@"}
		}
		return append(b, '@'), nil
	}
	keys := class.Keys()
	switch {
	case len(keys) == 0:
		return nil, invalid(cim.ErrNoKey, class, "the class has no key")
	case path.Singleton || len(keys) != len(path.Keys):
		return nil, wrongKeys(path)
	case len(keys) > 1:
		keys = slices.Clone(keys)
		slices.SortFunc(keys, func(x, y int) int {
			return strings.Compare(cim.Fold(class.Properties[x].Name), cim.Fold(class.Properties[y].Name))
		})
	}
	for n, k := range keys {
		p := &class.Properties[k]
		v, ok := path.Key(p.Name)
		if !ok || v.IsNull() {
			return nil, wrongKeys(path)
		}
		if n > 0 {
			b = append(b, 0, 1)
		}
		if len(keys) > 1 {
			b = append(b, cim.Fold(p.Name)...)
		}
		b = append(b, '=')
		b = appendKeyText(b, class, p, v)
	}
	if len(b)-start > maxKeys {
		sum := sha256.Sum256(b[start:])
		b = append(b[:start+maxKeys-len(sum)], sum[:]...)
	}
	return b, nil
}

func wrongKeys(path cim.ObjectPath) error {
	return &cim.Error{Status: cim.ErrInvalidObjectPath, Path: path.String(), Detail: "these are not the keys of the class"}
}

// appendKeyText appends one key value in the form that equal values share.
func appendKeyText(b []byte, class *cim.Class, p *cim.Property, v cim.Value) []byte {
	if v.Type() != p.Type {
		if w, err := v.As(p.Type); err == nil {
			v = w
		}
	}
	if p.Type == cim.Reference {
		s, _ := v.Str()
		if ref, err := cim.ParsePath(s); err == nil {
			return appendEscaped(b, referenceText(ref, class.Namespace))
		}
	}
	if s, ok := v.Str(); ok {
		return appendEscaped(b, cim.Fold(s))
	}
	return v.AppendText(b)
}

// referenceText is a path in the form that equal paths share: the local server
// is left out, the namespace is not, and the keys are in order.
func referenceText(p cim.ObjectPath, namespace string) string {
	if p.Server == "." {
		p.Server = ""
	}
	if p.Namespace == "" {
		p.Namespace = namespace
	}
	p.Keys = slices.Clone(p.Keys)
	slices.SortFunc(p.Keys, func(x, y cim.Key) int { return strings.Compare(cim.Fold(x.Name), cim.Fold(y.Name)) })
	if len(p.Keys) == 1 {
		p.Keys[0].Name = ""
	}
	return cim.Fold(p.String())
}

// appendEscaped appends s so that 0 1, which parts the keys, does not occur in it.
func appendEscaped(b []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			return append(b, s...)
		}
		b = append(append(b, s[:i]...), 0, 0xFF)
		s = s[i+1:]
	}
}

// comparable is the text by which values of an indexed property are equal;
// false for what no index holds. It is the same for all that WQL takes for
// equal: texts in any case, points in time in any zone.
func comparable(b []byte, v cim.Value) ([]byte, bool) {
	if v.IsNull() || v.Type().IsArray() || v.Type() == cim.Object {
		return b, false
	}
	if d, ok := v.DateTime(); ok {
		if t, ok := d.Time(); ok {
			return t.UTC().AppendFormat(b, "20060102150405.000000"), true
		}
		return append(b, d...), true
	}
	if s, ok := v.Str(); ok {
		for i := range len(s) {
			if s[i] >= utf8.RuneSelf { // some letters have two small forms
				return append(b, strings.ToLower(strings.ToUpper(s))...), true
			}
		}
		return append(b, cim.Fold(s)...), true
	}
	return v.AppendText(b), true
}

// appendIndexHash appends what an index key has for a value.
func appendIndexHash(b, text []byte) []byte {
	h := fnv.New64a()
	_, _ = h.Write(text)
	return h.Sum(b)
}

// describe says for people whose record a key is.
func describe(key []byte) (namespace, path string) {
	if len(key) == 0 {
		return "", "an empty key"
	}
	parts := bytes.SplitN(key[1:], []byte{0}, 4)
	text := func(i int) string {
		if i < len(parts) {
			return strings.ToValidUTF8(string(parts[i]), "?")
		}
		return "?"
	}
	switch key[0] {
	case kindFormat:
		return "", "the format of the file"
	case kindNamespace, kindNamespace2:
		return text(0), ""
	case kindClass:
		return text(0), text(1)
	case kindLayout, kindLayout2:
		return "", "the properties of a class version"
	case kindInstance:
		keys := bytes.SplitN(key[1:], []byte{0}, 3)
		if len(keys) < 3 {
			return text(0), text(1)
		}
		relative := text(1)
		if k := keys[2]; len(k) > 0 && k[0] != '=' && k[0] != '@' {
			relative += "."
		} else if len(k) > 0 && k[0] == '@' {
			relative += "="
		}
		k := bytes.ReplaceAll(keys[2], []byte{0, 1}, []byte{','})
		return text(0), relative + strings.ToValidUTF8(string(k), "?")
	case kindIndexed, kindIndex:
		return text(0), "the index of " + text(1)
	}
	return "", "an unknown record"
}

func problemAt(key []byte, detail string) Problem {
	namespace, path := describe(key)
	if namespace != "" && path != "" {
		namespace += ":"
	}
	return Problem{Object: namespace + path, Detail: detail}
}

package stdregprov

import (
	"errors"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// errNothing ends an update that has nothing to write.
var errNothing = errors.New("nothing to write")

// methods are the methods of StdRegProv by name. right is what the caller must have on the key before run is called.
var methods = map[string]struct {
	right uint32
	run   func(*call) code
}{
	"createkey":              {createSubKey, createKey},
	"deletekey":              {security.Delete, deleteKey},
	"enumkey":                {enumerateKeys, enumKey},
	"enumvalues":             {queryValue, enumValues},
	"deletevalue":            {setValue, deleteValue},
	"getstringvalue":         {queryValue, get("sValue", readString)},
	"getexpandedstringvalue": {queryValue, get("sValue", readExpandedString)},
	"getmultistringvalue":    {queryValue, get("sValue", readMultiString)},
	"getdwordvalue":          {queryValue, get("uValue", readNumber(registry.TypeDWORD, cim.Uint32))},
	"getqwordvalue":          {queryValue, get("uValue", readNumber(registry.TypeQWORD, cim.Uint64))},
	"getbinaryvalue":         {queryValue, get("uValue", readBinary)},
	"setstringvalue":         {setValue, setString(registry.SZ)},
	"setexpandedstringvalue": {setValue, setString(registry.ExpandSZ)},
	"setmultistringvalue":    {setValue, setMultiString},
	"setdwordvalue":          {setValue, setNumber(func(n uint64) registry.Value { return registry.DWORD(uint32(n)) })},
	"setqwordvalue":          {setValue, setNumber(registry.QWORD)},
	"setbinaryvalue":         {setValue, setBinary},
	"checkaccess":            {0, checkAccess},
	"getsecuritydescriptor":  {security.ReadControl, getSecurityDescriptor},
	"setsecuritydescriptor":  {security.WriteDAC, setSecurityDescriptor},
}

func createKey(c *call) code {
	if c.p.hive.Snapshot().Exists(c.key) {
		return success
	}
	return c.update(func(tx *registry.Tx) (code, error) { return success, tx.CreateKey(c.key) })
}

// deleteKey removes a key with its values. A key with keys below it stays, as RegDeleteKey does it.
func deleteKey(c *call) code {
	return c.update(func(tx *registry.Tx) (code, error) {
		switch parts, err := registry.SplitKey(c.key); {
		case err != nil:
			return invalidParameter, nil //nolint:nilerr // told by the code
		case !tx.Exists(c.key):
			return fileNotFound, nil
		case len(parts) == 0 || len(tx.Keys(c.key)) > 0:
			return accessDenied, nil
		}
		return success, tx.DeleteKey(c.key)
	})
}

// enumKey lists the keys below a key; NULL where there is none.
func enumKey(c *call) code {
	tree := c.p.hive.Snapshot()
	if !tree.Exists(c.key) {
		return fileNotFound
	}
	return c.result("sNames", stringsOrNull(tree.Keys(c.key)))
}

// enumValues lists the names and types of the values of a key; NULL where there is none.
func enumValues(c *call) code {
	tree := c.p.hive.Snapshot()
	if !tree.Exists(c.key) {
		return fileNotFound
	}
	var names []string
	var types []cim.Value
	for _, v := range tree.Values(c.key) {
		names = append(names, v.Name)
		types = append(types, cim.S32(int32(v.Value.Type())))
	}
	if names == nil {
		return success
	}
	c.result("sNames", cim.Strs(names))
	return c.result("Types", cim.Array(cim.Sint32, types))
}

// deleteValue deletes a value. One that a policy of the machine sets is taken out of the policy, since it stands nowhere
// else; the value that the key has by itself then holds.
func deleteValue(c *call) code {
	tree := c.p.hive.Snapshot()
	if _, there := tree.Get(c.key, c.valueName()); there && tree.Source(c.key, c.valueName()) == registry.SourceGPO {
		return c.written(c.p.hive.UpdatePolicy(func(p *registry.Policy) error {
			p.Entries = slices.DeleteFunc(p.Entries, func(e registry.PolicyEntry) bool {
				return e.IsFor(c.key) && strings.EqualFold(e.ValueName(), c.valueName())
			})
			return nil
		}))
	}
	return c.update(func(tx *registry.Tx) (code, error) {
		if _, ok := tx.Get(c.key, c.valueName()); !ok {
			return fileNotFound, nil
		}
		return success, tx.Delete(c.key, c.valueName())
	})
}

// get answers with the value that the call names, as read makes it of what is stored; it does not of another type.
func get(result string, read func(*call, registry.Value) (v cim.Value, ok bool)) func(*call) code {
	return func(c *call) code {
		stored, ok := c.p.hive.Get(c.key, c.valueName())
		if !ok {
			return fileNotFound
		}
		v, ok := read(c, stored)
		if !ok {
			return typeMismatch
		}
		return c.result(result, v)
	}
}

// readString reads a REG_SZ or, as it was written, a REG_EXPAND_SZ.
func readString(_ *call, v registry.Value) (cim.Value, bool) {
	s, ok := v.Text()
	return cim.Str(s), ok
}

// readExpandedString is readString with the variables in place.
func readExpandedString(c *call, v registry.Value) (cim.Value, bool) {
	s, ok := v.Text()
	return cim.Str(expand(s, c.p.variable)), ok
}

func readMultiString(_ *call, v registry.Value) (cim.Value, bool) {
	list, ok := v.Strings()
	return cim.Strs(list), ok
}

func readNumber(stored registry.Type, t cim.Type) func(*call, registry.Value) (cim.Value, bool) {
	return func(_ *call, v registry.Value) (cim.Value, bool) {
		n, _ := v.Uint()
		return cim.Uint(t, n), v.Type() == stored
	}
}

func readBinary(_ *call, v registry.Value) (cim.Value, bool) {
	return cim.Bytes(v.Bytes()), v.Type() == registry.TypeBinary
}

func setString(to func(string) registry.Value) func(*call) code {
	return func(c *call) code {
		s, ok := c.in.Get("sValue").Str()
		if !ok {
			return invalidParameter
		}
		return c.set(to(s))
	}
}

func setMultiString(c *call) code {
	v := c.in.Get("sValue")
	if v.IsNull() {
		return invalidParameter
	}
	var list []string
	for _, e := range v.Elems() {
		s, _ := e.Str()
		list = append(list, s)
	}
	return c.set(registry.MultiSZ(list...))
}

func setNumber(to func(uint64) registry.Value) func(*call) code {
	return func(c *call) code {
		n, ok := c.in.Get("uValue").Uint()
		if !ok {
			return invalidParameter
		}
		return c.set(to(n))
	}
}

func setBinary(c *call) code {
	data, ok := c.in.Get("uValue").Bytes()
	if !ok {
		return invalidParameter
	}
	return c.set(registry.Binary(data))
}

// checkAccess tells whether the caller has rights on a key; the default is to query and to set values.
func checkAccess(c *call) code {
	right, ok := c.in.Get("uRequired").Uint()
	if !ok {
		right = uint64(queryValue | setValue)
	}
	granted := false
	result := fileNotFound
	if c.p.hive.Snapshot().Exists(c.key) {
		if granted = c.granted(uint32(right)); granted {
			result = success
		} else {
			result = accessDenied
		}
	}
	c.result("bGranted", cim.Bool(granted))
	return result
}

// getSecurityDescriptor is the descriptor that decides about a key.
func getSecurityDescriptor(c *call) code {
	if !c.p.hive.Snapshot().Exists(c.key) {
		return fileNotFound
	}
	object, err := cimom.DescriptorObject(c.descriptor(), systemClass)
	if err != nil {
		c.p.log.Error("a security descriptor has no object", "error", err)
		return generalFailure
	}
	return c.result("Descriptor", cim.Obj(object))
}

// setSecurityDescriptor is refused: what decides about keys is not kept with them.
func setSecurityDescriptor(c *call) code {
	if !c.p.hive.Snapshot().Exists(c.key) {
		return fileNotFound
	}
	return notSupported
}

func stringsOrNull(list []string) cim.Value {
	if len(list) == 0 {
		return cim.Null(cim.String.Array())
	}
	return cim.Strs(list)
}

package cli

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
)

func regAdd(c *regCall) error {
	key, err := c.key(c.operands)
	if err != nil {
		return err
	}
	name, given, err := c.value()
	if err != nil {
		return err
	}
	if !given && (c.has("t") || c.has("d") || c.has("s")) {
		given = true // reg.exe then means the default value
	}
	v, err := c.newValue()
	if err != nil {
		return err
	}
	return withState(c.state, func(st *service.State) error {
		if given && !c.has("f") {
			if _, there := st.Hive.Snapshot().Local().Get(key, name); there {
				if yes, err := confirm(c.s, fmt.Sprintf("The value %s is there already. Replace it", shownName(name)), "/f"); err != nil || !yes {
					return regKept(err)
				}
			}
		}
		err := st.Hive.Update(func(tx *registry.Tx) error {
			if !given {
				return tx.CreateKey(key)
			}
			return tx.Set(key, name, v)
		})
		if err != nil {
			return err
		}
		if given && st.Hive.Source(key, name) == registry.SourceGPO {
			fmt.Fprintf(c.s.Err, "reg: the value was written, but a policy rules %s and stays in force\n", shownName(name))
		}
		_, err = fmt.Fprintln(c.s.Out, "Done: the registry was changed.")
		return err
	})
}

func shownName(name string) string {
	if name == "" {
		return "(Default)"
	}
	return name
}

// regKept ends a call whose question was answered with no.
func regKept(err error) error {
	if err == nil {
		err = fmt.Errorf("reg: nothing was changed")
	}
	return err
}

// newValue makes the value that /t, /d and /s describe.
func (c *regCall) newValue() (registry.Value, error) {
	t := registry.TypeSZ
	if c.has("t") {
		var err error
		if t, err = regType(c.switches["t"]); err != nil {
			return registry.Value{}, err
		}
	}
	data, sep := c.switches["d"], `\0`
	if c.has("s") {
		if sep = c.switches["s"]; sep == "" {
			return registry.Value{}, regUsage("/s needs a separator")
		}
	}
	switch t {
	case registry.TypeExpandSZ:
		return registry.ExpandSZ(data), nil
	case registry.TypeMultiSZ:
		return multiValue(data, sep)
	case registry.TypeDWORD, registry.TypeQWORD:
		return numberValue(t, data)
	case registry.TypeBinary, registry.TypeNone:
		b, err := hex.DecodeString(data)
		if err != nil {
			return registry.Value{}, regUsage("the data %q of a %v must be pairs of hexadecimal digits", data, t)
		}
		return registry.FromBytes(t, b)
	}
	return registry.SZ(data), nil
}

func multiValue(data, sep string) (registry.Value, error) {
	if data == "" {
		return registry.MultiSZ(), nil
	}
	list := strings.Split(strings.TrimSuffix(data, sep), sep)
	if slices.Contains(list, "") {
		return registry.Value{}, regUsage("a REG_MULTI_SZ cannot hold an empty string: %q", data)
	}
	return registry.MultiSZ(list...), nil
}

func numberValue(t registry.Type, data string) (registry.Value, error) {
	bits := 32
	if t == registry.TypeQWORD {
		bits = 64
	}
	base, digits := 10, data
	if len(data) > 2 && strings.EqualFold(data[:2], "0x") {
		base, digits = 16, data[2:]
	}
	n, err := strconv.ParseUint(digits, base, bits)
	if err != nil {
		return registry.Value{}, regUsage("the data %q of a %v must be a decimal or 0x number of %d bits", data, t, bits)
	}
	if bits == 32 {
		return registry.DWORD(uint32(n)), nil
	}
	return registry.QWORD(n), nil
}

func regDelete(c *regCall) error {
	key, err := c.key(c.operands)
	if err != nil {
		return err
	}
	name, one, err := c.value()
	if err != nil {
		return err
	}
	if one && c.has("va") {
		return regUsage("/va stands alone")
	}
	what := "the key " + longKey(key) + " with all below it"
	switch {
	case one:
		what = "the value " + shownName(name)
	case c.has("va"):
		what = "all values of " + longKey(key)
	}
	return withState(c.state, func(st *service.State) error {
		if !c.has("f") {
			if yes, err := confirm(c.s, "Delete "+what, "/f"); err != nil || !yes {
				return regKept(err)
			}
		}
		err := st.Hive.Update(func(tx *registry.Tx) error { return deleteFrom(tx, key, name, one, c.has("va")) })
		if err == nil {
			_, err = fmt.Fprintln(c.s.Out, "Done: deleted", what+".")
		}
		return err
	})
}

func deleteFrom(tx *registry.Tx, key, name string, one, all bool) error {
	if !tx.Exists(key) {
		return noKey(key)
	}
	switch {
	case one:
		if _, ok := tx.Get(key, name); !ok {
			return fmt.Errorf("reg: the key %s has no value %s of its own", longKey(key), shownName(name))
		}
		return tx.Delete(key, name)
	case all:
		for _, v := range tx.Values(key) {
			if err := tx.Delete(key, v.Name); err != nil {
				return err
			}
		}
		return nil
	}
	return tx.DeleteKey(key)
}

package cli

import (
	"bufio"
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
)

func regQuery(c *regCall) error {
	key, err := c.key(c.operands)
	if err != nil {
		return err
	}
	name, one, err := c.value()
	if err != nil {
		return err
	}
	q := regPrinter{one: one, name: name, below: c.has("s")}
	if c.has("t") {
		t, err := regType(c.switches["t"])
		if err != nil {
			return err
		}
		q.typ = &t
	}
	return withState(c.state, func(st *service.State) error {
		tree := st.Hive.Snapshot()
		if !tree.Exists(key) {
			return noKey(key)
		}
		w := bufio.NewWriter(c.s.Out)
		q.print(w, tree, key)
		if q.below && (q.one || q.typ != nil) {
			fmt.Fprintf(w, "\n%d value(s) found.\n", q.found)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if q.found == 0 && (q.one || q.typ != nil) {
			return fmt.Errorf("reg: the key %s has no such value%s", longKey(key), q.wanted())
		}
		return nil
	})
}

// regPrinter prints keys and values the way reg.exe lays them out.
type regPrinter struct {
	one   bool // only the value of that name
	name  string
	typ   *registry.Type // only values of that type
	below bool
	found int
}

func (q *regPrinter) wanted() string {
	switch {
	case !q.one:
		return " of that type"
	case q.name == "":
		return " (Default)"
	}
	return " " + q.name
}

func (q *regPrinter) print(w *bufio.Writer, tree *registry.Tree, key string) {
	var show []registry.Named
	for _, v := range tree.Values(key) {
		if (!q.one || strings.EqualFold(v.Name, q.name)) && (q.typ == nil || *q.typ == v.Value.Type()) {
			show = append(show, v)
		}
	}
	q.found += len(show)
	if len(show) > 0 {
		fmt.Fprintf(w, "\n%s\n", longKey(key))
		for _, v := range show {
			name := v.Name
			if name == "" {
				name = "(Default)"
			}
			fmt.Fprintf(w, "    %s    %v    %s\n", name, v.Value.Type(), regData(v.Value))
		}
	}
	keys := tree.Keys(key)
	if q.below {
		for _, k := range keys {
			q.print(w, tree, key+`\`+k)
		}
		return
	}
	if len(keys) > 0 && !q.one && q.typ == nil {
		fmt.Fprintln(w)
		for _, k := range keys {
			fmt.Fprintln(w, longKey(key)+`\`+k)
		}
	}
}

// regData is the data of a value as reg.exe shows it: hexadecimal numbers,
// strings of a list divided by \0, bytes in capital digits.
func regData(v registry.Value) string {
	if n, ok := v.Uint(); ok {
		return fmt.Sprintf("0x%x", n)
	}
	if s, ok := v.Text(); ok {
		return s
	}
	if list, ok := v.Strings(); ok {
		return strings.Join(list, `\0`)
	}
	return fmt.Sprintf("%X", v.Bytes())
}

var regTypes = []registry.Type{registry.TypeNone, registry.TypeSZ, registry.TypeExpandSZ, registry.TypeBinary,
	registry.TypeDWORD, registry.TypeMultiSZ, registry.TypeQWORD}

func regType(name string) (registry.Type, error) {
	i := slices.IndexFunc(regTypes, func(t registry.Type) bool {
		return strings.EqualFold(t.String(), name) || strings.EqualFold(t.String()+"_LITTLE_ENDIAN", name)
	})
	if i < 0 {
		return 0, regUsage("unknown type %s", name)
	}
	return regTypes[i], nil
}

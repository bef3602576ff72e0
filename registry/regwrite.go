package registry

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// WriteReg writes the tree, without its policy, as a .reg file in UTF-8 with line feeds.
// Data that is only bytes in this format gets a comment with its readable form.
func WriteReg(w io.Writer, t *Tree) error {
	return writeNode(w, t.local, "HKEY_LOCAL_MACHINE")
}

// WriteRegKey writes one key and what lies below it, as reg export does. A missing key
// is an error.
func WriteRegKey(w io.Writer, t *Tree, key string) error {
	parts, err := SplitKey(key)
	if err != nil {
		return err
	}
	n := t.local.walk(parts)
	if n == nil {
		return fmt.Errorf("registry: key %q does not exist", clip(key))
	}
	return writeNode(w, n, strings.Join(append([]string{"HKEY_LOCAL_MACHINE"}, parts...), `\`))
}

func writeNode(w io.Writer, n *node, path string) error {
	bw := bufio.NewWriter(w)
	bw.WriteString(regHeader + "\n")
	n.write(bw, path)
	return bw.Flush()
}

func (n *node) write(w *bufio.Writer, path string) {
	if len(n.vals) > 0 || len(n.keys) == 0 {
		w.WriteString("\n[" + path + "]\n")
	}
	for _, v := range n.sortedVals() {
		writeValue(w, v)
	}
	for _, k := range slices.Sorted(maps.Keys(n.keys)) {
		sub := n.keys[k]
		sub.write(w, path+`\`+sub.name)
	}
}

func writeValue(w *bufio.Writer, nv Named) {
	name := "@"
	if nv.Name != "" {
		name = quote(nv.Name)
	}
	v := nv.Value
	switch {
	case v.typ == TypeSZ && plain(v.text):
		w.WriteString(name + "=" + quote(v.text) + "\n")
		return
	case v.typ == TypeDWORD:
		fmt.Fprintf(w, "%s=dword:%08x\n", name, v.num)
		return
	case v.typ == TypeQWORD:
		w.WriteString("; " + strconv.FormatUint(v.num, 10) + "\n")
	case v.typ == TypeExpandSZ, v.typ == TypeMultiSZ:
		w.WriteString("; " + strconv.Quote(strings.ReplaceAll(v.text, "\x00", " | ")) + "\n")
	}
	if v.typ == TypeBinary {
		w.WriteString(name + "=hex:")
	} else {
		fmt.Fprintf(w, "%s=hex(%x):", name, uint32(v.typ))
	}
	for i, b := range v.Bytes() {
		if i > 0 {
			w.WriteByte(',')
			if i%24 == 0 {
				w.WriteString("\\\n  ")
			}
		}
		const digits = "0123456789abcdef"
		w.WriteByte(digits[b>>4])
		w.WriteByte(digits[b&15])
	}
	w.WriteByte('\n')
}

// plain reports whether a string survives in quotes on one line.
func plain(s string) bool {
	return strings.IndexFunc(s, unicode.IsControl) < 0
}

var quoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func quote(s string) string { return `"` + quoter.Replace(s) + `"` }

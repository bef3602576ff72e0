package registry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Header of a Registry.pol file. See [MS-GPREG] 2.2.1.
const (
	polSignature = 0x67655250 // "PReg"
	polVersion   = 1
)

// PolicyEntry is one [key;value;type;size;data] of a Registry.pol file. Key has no
// root; the file's place decides it. Name may be a control code such as **del.Name.
type PolicyEntry struct {
	Key  string
	Name string
	Type Type
	Data []byte
}

// Policy is a parsed Registry.pol file, in file order.
type Policy struct {
	Entries []PolicyEntry
}

// errPolicy is what every parse error of a policy file wraps.
var errPolicy = errors.New("registry: the policy file is damaged")

// ErrPolicyCorrupt is wrapped by every error that a damaged Registry.pol causes. WinRM
// reports it with code 0x80338088.
var ErrPolicyCorrupt = errPolicy

// ParsePol reads a Registry.pol file. See [MS-GPREG] 2.2.1.
func ParsePol(b []byte) (*Policy, error) {
	if len(b) < 8 || binary.LittleEndian.Uint32(b) != polSignature {
		return nil, fmt.Errorf("%w: it does not begin with PReg", errPolicy)
	}
	if v := binary.LittleEndian.Uint32(b[4:]); v != polVersion {
		return nil, fmt.Errorf("%w: version %d, only 1 is known", errPolicy, v)
	}
	p := &Policy{}
	d := polReader{b: b, off: 8}
	for d.off < len(b) {
		e, err := d.entry()
		if err != nil {
			return nil, fmt.Errorf("%w: entry %d at byte %d: %w", errPolicy, len(p.Entries)+1, d.off, err)
		}
		p.Entries = append(p.Entries, e)
	}
	return p, nil
}

type polReader struct {
	b   []byte
	off int
}

func (d *polReader) entry() (e PolicyEntry, err error) {
	if err = d.mark('['); err != nil {
		return e, err
	}
	if e.Key, err = d.text(maxDepth * (maxKeyName + 1)); err != nil {
		return e, err
	}
	if err = d.mark(';'); err != nil {
		return e, err
	}
	if e.Name, err = d.text(maxValueName); err != nil {
		return e, err
	}
	if err = d.mark(';'); err != nil {
		return e, err
	}
	typ, err := d.number()
	if err != nil {
		return e, err
	}
	size, err := d.number()
	if err != nil {
		return e, err
	}
	if uint64(size) > uint64(len(d.b)-d.off) {
		return e, fmt.Errorf("%d bytes of data, %d are left", size, len(d.b)-d.off)
	}
	e.Type = Type(typ)
	e.Data = append([]byte(nil), d.b[d.off:d.off+int(size)]...)
	d.off += int(size)
	return e, d.mark(']')
}

func (d *polReader) mark(c byte) error {
	if len(d.b)-d.off < 2 || d.b[d.off] != c || d.b[d.off+1] != 0 {
		return fmt.Errorf("%q is missing", c)
	}
	d.off += 2
	return nil
}

// number reads a 32-bit number and the semicolon behind it.
func (d *polReader) number() (uint32, error) {
	if len(d.b)-d.off < 4 {
		return 0, errors.New("a number is cut off")
	}
	n := binary.LittleEndian.Uint32(d.b[d.off:])
	d.off += 4
	return n, d.mark(';')
}

// text reads a string that ends with a NUL.
func (d *polReader) text(limit int) (string, error) {
	for i := d.off; i+1 < len(d.b) && (i-d.off)/2 <= limit; i += 2 {
		if d.b[i] == 0 && d.b[i+1] == 0 {
			s := utf16Text(d.b[d.off:i])
			d.off = i + 2
			return s, nil
		}
	}
	return "", errors.New("a name without its end")
}

// AppendPol appends the policy in Registry.pol form to b.
func (p *Policy) AppendPol(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, polSignature)
	b = le.AppendUint32(b, polVersion)
	for _, e := range p.Entries {
		b = append(b, '[', 0)
		b = append(b, utf16Bytes(untilNUL(e.Key)+"\x00;")...)
		b = append(b, utf16Bytes(untilNUL(e.Name)+"\x00;")...)
		b = append(le.AppendUint32(b, uint32(e.Type)), ';', 0)
		b = append(le.AppendUint32(b, uint32(len(e.Data))), ';', 0)
		b = append(b, e.Data...)
		b = append(b, ']', 0)
	}
	return b
}

// Set adds an entry that sets a value; key may have the root HKLM or none.
func (p *Policy) Set(key, name string, v Value) {
	if parts, err := SplitKey(key); err == nil {
		key = strings.Join(parts, `\`)
	}
	p.Entries = append(p.Entries, PolicyEntry{Key: key, Name: name, Type: v.Type(), Data: v.Bytes()})
}

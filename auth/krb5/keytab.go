package krb5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/jcmturner/gokrb5/v8/types"
)

const (
	maxKeytab    = 1 << 20 // bytes of a file
	maxTriedKeys = 32      // for one ticket
)

// Keytab has the keys of principals, as a service or a machine account needs them. It does not change. The zero value is empty.
type Keytab struct {
	entries []keytabEntry
}

type keytabEntry struct {
	principal
	kvno uint32
	key  types.EncryptionKey
}

// principal is a name in a realm.
type principal struct {
	types.PrincipalName
	realm string
}

// String gives HTTP/host@REALM.
func (p principal) String() string { return strings.Join(p.NameString, "/") + "@" + p.realm }

// sameName compares names without regard to case, as Windows does.
func sameName(a, b types.PrincipalName) bool {
	return slices.EqualFunc(a.NameString, b.NameString, strings.EqualFold)
}

// LoadKeytab reads a file as ktutil, samba-tool and ktpass write it.
func LoadKeytab(path string) (*Keytab, error) {
	b, err := readFile(path, maxKeytab, false)
	if err != nil {
		return nil, fmt.Errorf("krb5: keytab: %w", err)
	}
	defer clear(b)
	k, err := ParseKeytab(b)
	if err != nil {
		return nil, fmt.Errorf("krb5: keytab %s: %w", path, err)
	}
	return k, nil
}

// readFile reads a whole file; own demands that it is this process's user's.
func readFile(path string, limit int64, own bool) ([]byte, error) {
	info, err := os.Stat(path) // before it is opened, which a pipe would not let pass
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", path, limit)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if own && !ours(info) {
		return nil, fmt.Errorf("%s belongs to another user", path)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

var errTruncated = errors.New("the file is truncated or malformed")

// ParseKeytab reads the contents of such a file, version 2. Holes and keys of types that we do not know are left out; a keytab without
// any usable key is an error.
func ParseKeytab(b []byte) (*Keytab, error) {
	if len(b) < 2 || b[0] != 5 || b[1] != 2 {
		return nil, errors.New("not a keytab of version 2")
	}
	k := new(Keytab)
	for r := (reader{b: b[2:]}); len(r.b) >= 4; {
		n := int32(r.uint32())
		if n == 0 {
			break
		}
		if n < 0 {
			r.take(-int64(n))
			if r.failed {
				return nil, errTruncated
			}
			continue
		}
		e := reader{b: r.take(int64(n))}
		if r.failed {
			return nil, errTruncated
		}
		entry := keytabEntry{}
		count := int(e.uint16())
		entry.realm = string(e.take(int64(e.uint16())))
		for range count {
			if e.failed {
				return nil, errTruncated
			}
			entry.NameString = append(entry.NameString, string(e.take(int64(e.uint16()))))
		}
		entry.NameType = int32(e.uint32())
		e.uint32() // when it was written
		entry.kvno = uint32(e.uint8())
		entry.key.KeyType = int32(int16(e.uint16()))
		entry.key.KeyValue = slices.Clone(e.take(int64(e.uint16())))
		if e.failed || count == 0 {
			return nil, errTruncated
		}
		if len(e.b) >= 4 {
			if v := e.uint32(); v != 0 {
				entry.kvno = v
			}
		}
		if checkKey(entry.key, true) == nil {
			k.entries = append(k.entries, entry)
		}
	}
	if len(k.entries) == 0 {
		return nil, errors.New("it has no key of AES or RC4")
	}
	return k, nil
}

// Principals are the names in it, such as HTTP/host.example@EXAMPLE, each once, in the file's order.
func (k *Keytab) Principals() []string {
	var out []string
	for _, e := range k.entries {
		if name := e.String(); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Realm is the realm of the first principal, in which the machine is a member.
func (k *Keytab) Realm() string {
	if k == nil || len(k.entries) == 0 {
		return ""
	}
	return k.entries[0].realm
}

// hasRealm tells whether the machine is a member of a realm.
func (k *Keytab) hasRealm(realm string) bool {
	return slices.ContainsFunc(k.entries, func(e keytabEntry) bool { return e.realm == realm })
}

// String names the principals and hides the keys.
func (k *Keytab) String() string { return "krb5.Keytab of " + strings.Join(k.Principals(), ", ") }

// GoString is String.
func (k *Keytab) GoString() string { return k.String() }

// find gives the newest key of a principal for an encryption type.
func (k *Keytab) find(p principal, etype int32) (types.EncryptionKey, bool) {
	var best *keytabEntry
	for i := range k.entries {
		e := &k.entries[i]
		if e.key.KeyType == etype && e.realm == p.realm && sameName(e.PrincipalName, p.PrincipalName) && (best == nil || e.kvno > best.kvno) {
			best = e
		}
	}
	if best == nil {
		return types.EncryptionKey{}, false
	}
	return best.key, true
}

// candidates are the keys that may open a ticket, the likeliest first. The service names of a machine share its account's keys, and a
// keytab seldom has all of them, so every key of the right type is tried; what the ticket says of its name and of the key's version is
// not protected and only decides the order. See [MS-KILE] 3.4.5 on older keys.
func (k *Keytab) candidates(sname types.PrincipalName, kvno uint32, etype int32) []types.EncryptionKey {
	var ranks [3][]*keytabEntry
	for i := range k.entries {
		e := &k.entries[i]
		if e.key.KeyType != etype {
			continue
		}
		same, version := sameName(e.PrincipalName, sname), e.kvno == kvno || e.kvno == kvno&0xFF
		switch {
		case same && version:
			ranks[0] = append(ranks[0], e)
		case same || version:
			ranks[1] = append(ranks[1], e)
		default:
			ranks[2] = append(ranks[2], e)
		}
	}
	var out []types.EncryptionKey
	for _, rank := range ranks {
		slices.SortStableFunc(rank, func(a, b *keytabEntry) int { return int(int64(b.kvno) - int64(a.kvno)) })
		for _, e := range rank {
			known := slices.ContainsFunc(out, func(o types.EncryptionKey) bool { return string(o.KeyValue) == string(e.key.KeyValue) })
			if !known && len(out) < maxTriedKeys {
				out = append(out, e.key)
			}
		}
	}
	return out
}

// reader takes numbers in network order from a file. After the first lack everything is zero.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n int64) []byte {
	if r.failed || n < 0 || n > int64(len(r.b)) {
		r.failed = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

package krb5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

const (
	maxCCache      = 1 << 22 // bytes of a file
	maxComponents  = 16
	maxCredentials = 1024
)

// credential is a ticket with its session key.
type credential struct {
	client, server               principal
	key                          types.EncryptionKey
	auth, start, end, renewUntil time.Time
	flags                        uint32
	ticket                       []byte // DER
}

// decoded gives the ticket.
func (c *credential) decoded() (messages.Ticket, error) {
	var t messages.Ticket
	if !whole(c.ticket, tagTicket) {
		return t, errors.New("the ticket is malformed")
	}
	return t, t.Unmarshal(c.ticket)
}

// defaultCCache is what KRB5CCNAME names, else the file that MIT takes. See [MIT] krb5.conf(5), default_ccache_name.
func defaultCCache() string {
	if name := os.Getenv("KRB5CCNAME"); name != "" {
		return name
	}
	return fmt.Sprintf("FILE:/tmp/krb5cc_%d", os.Getuid())
}

// loadCCache reads a credential cache by its name: a path, with or without FILE:. own demands that it is this process's user's.
func loadCCache(name string, own bool) (owner principal, creds []credential, err error) {
	path := strings.TrimPrefix(name, "FILE:")
	if kind, _, ok := strings.Cut(path, ":"); ok && path == name && len(kind) > 1 {
		return owner, nil, fmt.Errorf("a credential cache of type %s cannot be read here; KRB5CCNAME=FILE:… can", kind)
	}
	b, err := readFile(path, maxCCache, own)
	if err != nil {
		return owner, nil, err
	}
	defer clear(b)
	if owner, creds, err = parseCCache(b); err != nil {
		err = fmt.Errorf("credential cache %s: %w", path, err)
	}
	return owner, creds, err
}

func readPrincipal(r *reader) principal {
	var p principal
	p.NameType = int32(r.uint32())
	count := r.uint32()
	p.realm = string(r.take(int64(r.uint32())))
	if count > maxComponents {
		r.failed = true
		return p
	}
	for range count {
		p.NameString = append(p.NameString, string(r.take(int64(r.uint32()))))
	}
	return p
}

// parseCCache reads the file format, versions 3 and 4. Entries that hold settings of MIT instead of tickets are left out.
func parseCCache(b []byte) (owner principal, creds []credential, err error) {
	if len(b) < 2 || b[0] != 5 || (b[1] != 3 && b[1] != 4) {
		return owner, nil, errors.New("not a credential cache of version 3 or 4")
	}
	r := reader{b: b[2:]}
	if b[1] == 4 {
		r.take(int64(r.uint16())) // clock offset of the KDC
	}
	owner = readPrincipal(&r)
	for len(r.b) > 0 && !r.failed {
		c := credential{client: readPrincipal(&r), server: readPrincipal(&r)}
		c.key.KeyType = int32(int16(r.uint16()))
		if b[1] == 3 {
			r.uint16() // the type a second time
		}
		c.key.KeyValue = slices.Clone(r.take(int64(r.uint32())))
		for _, t := range []*time.Time{&c.auth, &c.start, &c.end, &c.renewUntil} {
			if v := r.uint32(); v != 0 {
				*t = time.Unix(int64(v), 0).UTC()
			}
		}
		r.uint8() // encrypted in a session key
		c.flags = r.uint32()
		for range 2 { // addresses, authorization data
			for range r.uint32() {
				r.uint16()
				if r.take(int64(r.uint32())); r.failed {
					break
				}
			}
		}
		c.ticket = slices.Clone(r.take(int64(r.uint32())))
		r.take(int64(r.uint32())) // second ticket
		if r.failed || len(creds) == maxCredentials {
			return owner, nil, errTruncated
		}
		if c.server.realm != "X-CACHECONF:" && checkKey(c.key, true) == nil && len(c.server.NameString) > 0 {
			creds = append(creds, c)
		}
	}
	if r.failed || len(owner.NameString) == 0 {
		return owner, nil, errTruncated
	}
	return owner, creds, nil
}

func appendData(b, data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...)
}

func appendPrincipal(b []byte, p principal) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(p.NameType))
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.NameString)))
	b = appendData(b, []byte(p.realm))
	for _, s := range p.NameString {
		b = appendData(b, []byte(s))
	}
	return b
}

// encodeCCache gives the file format, version 4, with one credential.
func encodeCCache(c *credential) []byte {
	b := []byte{5, 4, 0, 0}
	b = appendPrincipal(b, c.client)
	b = appendPrincipal(b, c.client)
	b = appendPrincipal(b, c.server)
	b = binary.BigEndian.AppendUint16(b, uint16(c.key.KeyType))
	b = appendData(b, c.key.KeyValue)
	for _, t := range []time.Time{c.auth, c.start, c.end, c.renewUntil} {
		v := uint32(0)
		if !t.IsZero() {
			v = uint32(t.Unix())
		}
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = append(b, 0)
	b = binary.BigEndian.AppendUint32(b, c.flags)
	b = binary.BigEndian.AppendUint32(b, 0) // addresses
	b = binary.BigEndian.AppendUint32(b, 0) // authorization data
	b = appendData(b, c.ticket)
	return appendData(b, nil)
}

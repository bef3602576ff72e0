package epm

import (
	"context"
	"fmt"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Entry is one registration as Lookup tells it.
type Entry struct {
	Object     security.GUID
	Annotation string
	Tower      Tower
}

// ErrNotRegistered says that the endpoint mapper knows no endpoint for the interface (EPT_S_NOT_REGISTERED).
var ErrNotRegistered error = &dcerpc.Fault{Status: 0x6D9}

// StatusError is any other status of the endpoint mapper: a Win32 error or a code of [C706].
type StatusError uint32

// Error tells the code.
func (e StatusError) Error() string { return fmt.Sprintf("endpoint mapper: status 0x%08X", uint32(e)) }

// pageSize is how many elements are asked for at once, most how many pages.
const (
	pageSize = 100
	mostPage = 1000
)

// Map asks the endpoint mapper behind b for the towers by which an interface is reached over TCP; object may be zero. The addresses in them are the
// server's own opinion: behind address translation only the ports are of use. Errors: ErrNotRegistered, StatusError, those of Call.
func Map(ctx context.Context, b *dcerpc.Binding, id dcerpc.SyntaxID, object security.GUID) ([]Tower, error) {
	tower := Tower{Interface: id, Transfer: dcerpc.NDR20, Protocol: "ncacn_ip_tcp", Endpoint: "135", Address: "0.0.0.0"}.encode()
	in, out := mapIn{object: object, tower: tower}, mapOut{}
	err := pages(ctx, b, opMap, &in, &out, &in.handle, &out.handle, &out.status)
	if err == nil && len(out.towers) == 0 {
		err = ErrNotRegistered
	}
	return out.towers, err
}

// Lookup lists all that the endpoint mapper behind b knows.
func Lookup(ctx context.Context, b *dcerpc.Binding) ([]Entry, error) {
	in, out := lookupIn{}, lookupOut{}
	err := pages(ctx, b, opLookup, &in, &out, &in.handle, &out.handle, &out.status)
	return out.entries, err
}

// pages calls until the server says that this is all.
func pages(ctx context.Context, b *dcerpc.Binding, op uint16, in ndr.Marshaler, out ndr.Unmarshaler, ask, got *dcerpc.ContextHandle, status *uint32) error {
	for range mostPage {
		if err := b.Call(ctx, op, security.GUID{}, in, out); err != nil {
			return err
		}
		switch {
		case *status == statusNotRegistered:
			return nil
		case *status != 0:
			return StatusError(*status)
		case got.IsNil():
			return nil
		}
		*ask = *got
	}
	return fmt.Errorf("endpoint mapper: more than %d elements", mostPage*pageSize)
}

type mapIn struct {
	object security.GUID
	tower  []byte
	handle dcerpc.ContextHandle
}

func (m *mapIn) MarshalNDR(e *ndr.Encoder) {
	e.Pointer(true)
	e.GUID(m.object)
	e.Pointer(true)
	writeTower(e, m.tower)
	m.handle.MarshalNDR(e)
	e.Uint32(pageSize)
}

type mapOut struct {
	handle dcerpc.ContextHandle
	towers []Tower
	status uint32
}

func (m *mapOut) UnmarshalNDR(d *ndr.Decoder) {
	m.handle.UnmarshalNDR(d)
	n := header(d)
	present := make([]bool, n)
	for i := range present {
		present[i] = d.Pointer()
	}
	for _, p := range present {
		if p {
			m.towers = appendTower(m.towers, d)
		}
	}
	m.status = d.Uint32()
}

// header reads the count and what stands before the elements of a conformant and varying array.
func header(d *ndr.Decoder) int {
	d.Uint32()
	size := d.Count(maxEntries, 0)
	d.Count(0, 0)
	n := d.Count(maxEntries, 4)
	if d.Err() == nil && n > size {
		d.Fail("%d elements in an array of %d", n, size)
	}
	if d.Err() != nil {
		return 0
	}
	return n
}

func appendTower(list []Tower, d *ndr.Decoder) []Tower {
	octets := readTower(d)
	if d.Err() != nil {
		return list
	}
	t, err := decodeTower(octets)
	if err != nil {
		d.Fail("a tower of %d octets is malformed", len(octets))
		return list
	}
	return append(list, t)
}

type lookupIn struct{ handle dcerpc.ContextHandle }

func (l *lookupIn) MarshalNDR(e *ndr.Encoder) {
	e.Uint32(byAll)
	e.Pointer(false)
	e.Pointer(false)
	e.Uint32(versionAll)
	l.handle.MarshalNDR(e)
	e.Uint32(pageSize)
}

type lookupOut struct {
	handle  dcerpc.ContextHandle
	entries []Entry
	status  uint32
}

func (l *lookupOut) UnmarshalNDR(d *ndr.Decoder) {
	l.handle.UnmarshalNDR(d)
	page := make([]Entry, header(d))
	present := make([]bool, len(page))
	for i := range page {
		d.AlignWide(4, 8)
		page[i].Object = d.GUID()
		present[i] = d.Pointer()
		d.Count(0, 0)
		text := d.Raw(d.Count(maxAnnotation, 1))
		if len(text) > 0 {
			page[i].Annotation = string(text[:len(text)-1])
		}
	}
	for i := range page {
		if !present[i] {
			continue
		}
		if t := appendTower(nil, d); t != nil {
			page[i].Tower = t[0]
		}
	}
	if d.Err() == nil {
		l.entries = append(l.entries, page...)
	}
	l.status = d.Uint32()
}

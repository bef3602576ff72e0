package dcerpc

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// maxHandles is how many context handles an association may hold.
const maxHandles = 256

// Association is what a client's connections to a server have in common: the context handles that it was given. It ends with its last
// connection, and its handles with it. See [MS-RPCE] 3.3.1.1.1 and 3.3.1.4.1.
type Association struct {
	id   uint32
	host string // only connections from there may join

	mu      sync.Mutex
	conns   int
	handles map[security.GUID]handle
}

type handle struct {
	iface   *Interface
	value   any
	rundown func()
}

// ID is the number of the association group.
func (a *Association) ID() uint32 { return a.id }

// ContextHandle is the wire form of a context handle; the zero value is the NULL handle. See [C706] 14.2.16.6 (ndr_context_handle).
type ContextHandle struct {
	Attributes uint32
	UUID       security.GUID
}

// MarshalNDR implements ndr.Marshaler.
func (h ContextHandle) MarshalNDR(e *ndr.Encoder) {
	e.Uint32(h.Attributes)
	e.GUID(h.UUID)
}

// UnmarshalNDR implements ndr.Unmarshaler.
func (h *ContextHandle) UnmarshalNDR(d *ndr.Decoder) { *h = ContextHandle{d.Uint32(), d.GUID()} }

// IsNil tells whether it is the NULL handle.
func (h ContextHandle) IsNil() bool { return h == ContextHandle{} }

// NewHandle makes a handle for value that works with this interface on this association alone. rundown, which may be nil, is called when the
// association ends before FreeHandle. It fails with StatusOutOfMemory when there are too many.
func (a *Association) NewHandle(i *Interface, value any, rundown func()) (ContextHandle, error) {
	h := ContextHandle{UUID: randomGUID()}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.handles) >= maxHandles || a.conns == 0 {
		return ContextHandle{}, &Fault{Status: StatusOutOfMemory}
	}
	if a.handles == nil {
		a.handles = map[security.GUID]handle{}
	}
	a.handles[h.UUID] = handle{i, value, rundown}
	return h, nil
}

// Handle gives the value of a handle, or a fault with StatusContextMismatch.
func (a *Association) Handle(i *Interface, h ContextHandle) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, ok := a.handles[h.UUID]
	if !ok || e.iface != i || h.Attributes != 0 {
		return nil, &Fault{Status: StatusContextMismatch}
	}
	return e.value, nil
}

// FreeHandle forgets a handle without its rundown.
func (a *Association) FreeHandle(i *Interface, h ContextHandle) error {
	if _, err := a.Handle(i, h); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.handles, h.UUID)
	return nil
}

var errNoAssociation = errors.New("no such association from this host")

// join gives the association of that id, or a new one for 0.
func (s *Server) join(id uint32, host string) (*Association, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != 0 {
		a := s.associations[id]
		if a == nil || a.host != host {
			return nil, errNoAssociation
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.conns++
		return a, nil
	}
	for id == 0 || s.associations[id] != nil {
		id = randomUint32() & 0x7fff_ffff
	}
	a := &Association{id: id, host: host, conns: 1}
	s.associations[id] = a
	return a, nil
}

// leave ends a connection's part in an association.
func (s *Server) leave(a *Association) {
	s.mu.Lock()
	a.mu.Lock()
	a.conns--
	var left map[security.GUID]handle
	if a.conns == 0 {
		left, a.handles = a.handles, nil
		delete(s.associations, a.id)
	}
	a.mu.Unlock()
	s.mu.Unlock()
	for _, h := range left {
		if h.rundown != nil {
			h.rundown()
		}
	}
}

func randomUint32() uint32 {
	var b [4]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return binary.LittleEndian.Uint32(b[:])
}

func randomGUID() security.GUID {
	var g security.GUID
	rand.Read(g[:]) //nolint:errcheck // never fails
	return g
}

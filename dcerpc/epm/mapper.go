package epm

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/security"
)

// Endpoint is a registration: an interface that is served at a TCP port of this machine.
type Endpoint struct {
	Interface dcerpc.SyntaxID
	// Object is one object that the endpoint serves; zero serves any.
	Object security.GUID
	// Annotation is for people; at most 63 ASCII characters of it are told.
	Annotation string
	Port       uint16
}

// Mapper answers which endpoint serves an interface. Anybody may ask; nobody may register remotely. Its zero value is empty.
type Mapper struct {
	mu      sync.Mutex
	entries []Endpoint
	once    sync.Once
	iface   *dcerpc.Interface
}

// Register adds an endpoint, once.
func (m *Mapper) Register(e Endpoint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.entries, e) {
		m.entries = append(m.entries, e)
	}
}

// Unregister removes an endpoint that is equal in all its fields.
func (m *Mapper) Unregister(e Endpoint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = slices.DeleteFunc(m.entries, func(x Endpoint) bool { return x == e })
}

// Interface is what a server registers, always the same.
func (m *Mapper) Interface() *dcerpc.Interface {
	m.once.Do(func() {
		m.iface = &dcerpc.Interface{ID: ID, Name: "epmapper", MinLevel: dcerpc.LevelNone, Serve: m.serve}
	})
	return m.iface
}

func (m *Mapper) serve(_ context.Context, call *dcerpc.Call) error {
	switch call.Opnum {
	case opInsert, opDelete, opMgmtDelete:
		call.Out.Uint32(statusCannot)
	case opLookup:
		return m.lookup(call)
	case opMap:
		return m.find(call)
	case opFree:
		return free(call)
	case opInqObject:
		call.Out.GUID(security.GUID{})
		call.Out.Uint32(statusCannot)
	default:
		return &dcerpc.Fault{Status: dcerpc.StatusOpRange}
	}
	return nil
}

// matching lists the endpoints that keep says.
func (m *Mapper) matching(keep func(Endpoint) bool) []Endpoint {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Endpoint
	for _, e := range m.entries {
		if keep(e) {
			list = append(list, e)
		}
	}
	return list
}

// page gives what a call returns: up to most of the search that handle names, or of what first finds, and the handle for the rest.
func page(call *dcerpc.Call, handle dcerpc.ContextHandle, most uint32, first func() []Endpoint) ([]Endpoint, dcerpc.ContextHandle, error) {
	var rest []Endpoint
	if handle.IsNil() {
		rest = first()
	} else {
		v, err := call.Association.Handle(call.Interface, handle)
		if err != nil {
			return nil, handle, err
		}
		if err := call.Association.FreeHandle(call.Interface, handle); err != nil {
			return nil, handle, err
		}
		rest, _ = v.([]Endpoint)
	}
	n := min(int(most), len(rest))
	if n == len(rest) {
		return rest, dcerpc.ContextHandle{}, nil
	}
	handle, err := call.Association.NewHandle(call.Interface, rest[n:], nil)
	return rest[:n], handle, err
}

// tower is how this client reaches an endpoint: at the address that it asked.
func (e Endpoint) tower(call *dcerpc.Call) []byte {
	host := ""
	if call.Local != nil {
		host, _, _ = net.SplitHostPort(call.Local.String())
	}
	return Tower{Interface: e.Interface, Transfer: dcerpc.NDR20, Protocol: "ncacn_ip_tcp", Endpoint: strconv.Itoa(int(e.Port)), Address: host}.encode()
}

// Kinds of inquiry and of comparing versions. See [MS-RPCE] 2.2.1.2.4.
const (
	byAll       = 0
	byInterface = 1
	byObject    = 2
	byBoth      = 3

	versionAll        = 1
	versionCompatible = 2
	versionExact      = 3
	versionMajor      = 4
	versionUpTo       = 5
)

// lookup is ept_lookup.
func (m *Mapper) lookup(call *dcerpc.Call) error {
	in := call.In
	kind := in.Uint32()
	var object security.GUID
	var id dcerpc.SyntaxID
	if in.Pointer() {
		object = in.GUID()
	}
	if in.Pointer() {
		id = dcerpc.SyntaxID{UUID: in.GUID(), Major: in.Uint16(), Minor: in.Uint16()}
	}
	option := in.Uint32()
	var handle dcerpc.ContextHandle
	handle.UnmarshalNDR(in)
	most := in.Uint32()
	if in.Err() == nil && most > maxEntries {
		in.Fail("%d entries are asked for, at most %d are given", most, maxEntries)
	}
	if err := in.Err(); err != nil {
		return err
	}
	found, handle, err := page(call, handle, most, func() []Endpoint {
		return m.matching(func(e Endpoint) bool {
			ofInterface, ofObject := versionMatches(option, e.Interface, id), e.Object == object
			switch kind {
			case byAll:
				return true
			case byInterface:
				return ofInterface
			case byObject:
				return ofObject
			case byBoth:
				return ofInterface && ofObject
			}
			return false
		})
	})
	if err != nil {
		return err
	}
	e := call.Out
	handle.MarshalNDR(e)
	e.Uint32(uint32(len(found)))
	e.Count(int(most))
	e.Count(0)
	e.Count(len(found))
	for _, f := range found {
		e.AlignWide(4, 8)
		e.GUID(f.Object)
		e.Pointer(true)
		text := ascii(f.Annotation)
		e.Count(0)
		e.Count(len(text) + 1)
		e.Raw([]byte(text))
		e.Uint8(0)
	}
	for _, f := range found {
		writeTower(e, f.tower(call))
	}
	e.Uint32(status(len(found)))
	return nil
}

func versionMatches(option uint32, has, asked dcerpc.SyntaxID) bool {
	if has.UUID != asked.UUID {
		return false
	}
	switch option {
	case versionAll:
		return true
	case versionCompatible:
		return has.Major == asked.Major && has.Minor >= asked.Minor
	case versionExact:
		return has == asked
	case versionMajor:
		return has.Major == asked.Major
	case versionUpTo:
		return has.Major < asked.Major || has.Major == asked.Major && has.Minor <= asked.Minor
	}
	return false
}

func ascii(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), maxAnnotation-1)]
}

func status(found int) uint32 {
	if found == 0 {
		return statusNotRegistered
	}
	return 0
}

// find is ept_map. The interface's endpoint has to serve the same major version and no lower minor one.
func (m *Mapper) find(call *dcerpc.Call) error {
	in := call.In
	var object security.GUID
	var octets []byte
	if in.Pointer() {
		object = in.GUID()
	}
	if in.Pointer() {
		octets = readTower(in)
	}
	var handle dcerpc.ContextHandle
	handle.UnmarshalNDR(in)
	most := in.Uint32()
	if in.Err() == nil && most > maxEntries {
		in.Fail("%d towers are asked for, at most %d are given", most, maxEntries)
	}
	if err := in.Err(); err != nil {
		return err
	}
	found, handle, err := page(call, handle, most, func() []Endpoint {
		t, err := decodeTower(octets)
		if err != nil || t.Protocol != "ncacn_ip_tcp" {
			return nil
		}
		return m.matching(func(e Endpoint) bool {
			return versionMatches(versionCompatible, e.Interface, t.Interface) && (e.Object == security.GUID{} || e.Object == object)
		})
	})
	if err != nil {
		return err
	}
	e := call.Out
	handle.MarshalNDR(e)
	e.Uint32(uint32(len(found)))
	e.Count(int(most))
	e.Count(0)
	e.Count(len(found))
	for range found {
		e.Pointer(true)
	}
	for _, f := range found {
		writeTower(e, f.tower(call))
	}
	e.Uint32(status(len(found)))
	return nil
}

// free is ept_lookup_handle_free.
func free(call *dcerpc.Call) error {
	var handle dcerpc.ContextHandle
	handle.UnmarshalNDR(call.In)
	if err := call.In.Err(); err != nil {
		return err
	}
	if !handle.IsNil() {
		if err := call.Association.FreeHandle(call.Interface, handle); err != nil {
			return err
		}
	}
	dcerpc.ContextHandle{}.MarshalNDR(call.Out)
	call.Out.Uint32(0)
	return nil
}

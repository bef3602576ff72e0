package wsmanclient

import (
	"context"
	"strings"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/wscim"
)

// Session is a cim.Session over WinRM: it is bound to one namespace and to the
// caller that the client authenticates. Values are typed by class metadata
// where the host gives it ([MS-WSMV] 3.1.4.1.38), and stay text where it gives
// none. It is safe for concurrent use.
type Session struct {
	c         *Client
	namespace string

	mu     sync.Mutex
	open   map[*enumerator]struct{}
	closed bool
}

var _ cim.Session = (*Session)(nil)

// Session opens a namespace, root\cimv2 for "". It sends nothing: a namespace
// that does not exist shows at the first operation.
func (c *Client) Session(namespace string) *Session {
	namespace = strings.Trim(strings.ReplaceAll(namespace, "/", `\`), `\`)
	if namespace == "" {
		namespace = `root\cimv2`
	}
	return &Session{c: c, namespace: namespace, open: map[*enumerator]struct{}{}}
}

// Namespace is the namespace that the session is bound to.
func (s *Session) Namespace() string { return s.namespace }

// With is s itself: the caller is fixed by the connection.
func (s *Session) With(cim.Caller) cim.Session { return s }

// Close ends every enumeration that the session began. The client stays open.
func (s *Session) Close() error {
	s.mu.Lock()
	open := s.open
	s.open, s.closed = nil, true
	s.mu.Unlock()
	for e := range open {
		e.Close() //nolint:errcheck // what is lost is lost
	}
	return nil
}

// usable fails after Close.
func (s *Session) usable(operation string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return &cim.Error{Status: cim.ErrShuttingDown, Operation: operation, Namespace: s.namespace, Detail: "the session is closed"}
	}
	return nil
}

// uri is the resource URI of a class of the session; "" is that of queries.
func (s *Session) uri(namespace, class string) string {
	if namespace == "" {
		namespace = s.namespace
	}
	return wscim.ClassURI(namespace, class)
}

// decoder reads instances, typed by the classes that the client knows or can
// ask for.
func (s *Session) decoder(ctx context.Context) *decoder {
	d := &decoder{}
	d.Classes = func(namespace, class string) *cim.Class { return s.c.class(ctx, namespace, class) }
	d.Seen = func(n int) {
		for n >= len(d.seen) {
			d.seen = append(d.seen, false)
		}
		d.seen[n] = true
	}
	return d
}

// decoder tells empty arrays from NULL: an array is written as its elements,
// and NULL is written, too. So an array that is missing is empty where every
// property that is no array has come. See [MS-WSMV] 3.1.4.1.26.
type decoder struct {
	wscim.Decoder
	seen []bool
}

// instance reads an instance with every property of its class.
func (d *decoder) instance(r *soap.Reader) (*cim.Instance, error) {
	clear(d.seen)
	i, err := d.Instance(r)
	if err != nil || i.Class().Partial {
		return i, err
	}
	properties := i.Class().Properties
	came := func(n int) bool { return n < len(d.seen) && d.seen[n] }
	for n := range properties {
		if !properties[n].Type.IsArray() && !came(n) {
			return i, nil
		}
	}
	for n := range properties {
		if t := properties[n].Type; t.IsArray() && !came(n) {
			if err := i.SetAt(n, cim.Array(t.Elem(), nil)); err != nil {
				return i, err
			}
		}
	}
	return i, nil
}

package wsmanclient

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/cimxml"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// classTimeout bounds how long the typing of values waits for a class.
const classTimeout = 30 * time.Second

// maxClasses bounds how many classes a client keeps.
const maxClasses = 8192

// classCache keeps the classes that a host gave, and which it does not have.
type classCache struct {
	mu      sync.Mutex
	known   map[classKey]*classEntry
	refused bool // the host gives no class metadata at all
}

type classKey struct{ namespace, class string }

type classEntry struct {
	ready chan struct{} // closed when class and err are there
	class *cim.Class
	err   error
}

// class is the definition of a class, nil where the host gives none. It does
// not end with ctx: an answer that has come is typed whatever happens to its
// reader.
func (c *Client) class(ctx context.Context, namespace, class string) *cim.Class {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), classTimeout)
	defer cancel()
	k, err := c.loadClass(ctx, namespace, class)
	if err != nil {
		return nil
	}
	return k
}

// classNow is class for a message that is yet to be sent: it ends with ctx.
func (c *Client) classNow(ctx context.Context, namespace, class string) *cim.Class {
	k, err := c.loadClass(ctx, namespace, class)
	if err != nil {
		return nil
	}
	return k
}

// loadClass returns a class from the cache or from the host. Several who ask
// for the same class at the same time cause one message, and where its sender
// gives up the next one sends it.
func (c *Client) loadClass(ctx context.Context, namespace, class string) (*cim.Class, error) {
	key := classKey{cim.Fold(namespace), cim.Fold(class)}
	cache := &c.classes
	cache.mu.Lock()
	for e := cache.known[key]; e != nil; e = cache.known[key] {
		cache.mu.Unlock()
		select {
		case <-e.ready:
			if !gaveUp(e.err) || ctx.Err() != nil {
				return e.class, e.err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		cache.mu.Lock()
	}
	if cache.refused {
		cache.mu.Unlock()
		return nil, errNoMetadata
	}
	if cache.known == nil || len(cache.known) >= maxClasses {
		cache.known = map[classKey]*classEntry{}
	}
	e := &classEntry{ready: make(chan struct{})}
	cache.known[key] = e
	cache.mu.Unlock()

	e.class, e.err = c.fetchClass(ctx, namespace, class)
	cache.mu.Lock()
	switch {
	case e.err == nil:
	case noMetadata(e.err):
		cache.refused = true
		e.err = errNoMetadata
	case !isNotFound(e.err):
		delete(cache.known, key) // it may go better next time
	}
	cache.mu.Unlock()
	close(e.ready)
	return e.class, e.err
}

// freshClass asks the host for a class as it is now, and types further values
// by it.
func (c *Client) freshClass(ctx context.Context, namespace, class string) (*cim.Class, error) {
	cache := &c.classes
	cache.mu.Lock()
	if cache.refused {
		cache.mu.Unlock()
		return nil, errNoMetadata
	}
	delete(cache.known, classKey{cim.Fold(namespace), cim.Fold(class)})
	cache.mu.Unlock()
	return c.loadClass(ctx, namespace, class)
}

// gaveUp tells that a message failed because its sender did not wait.
func gaveUp(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// errNoMetadata is the answer for every class of a host that gives none.
var errNoMetadata = &cim.Error{Status: cim.ErrNotSupported, Detail: "the host gives no class definitions over WinRM", Remote: true}

// noMetadata tells the answers of a host that has no class metadata: Windows
// before 8 and other services. See [MS-WSMV] note 98.
func noMetadata(err error) bool {
	return errors.Is(err, wsman.CodeActionNotSupported) || errors.Is(err, wsman.CodeInvalidResourceURI) ||
		errors.Is(err, wsman.CodeUnsupportedFeature) || errors.Is(err, wsman.CodeInvalidURI)
}

func isNotFound(err error) bool {
	s := statusOf(err)
	return s == cim.ErrNotFound || s == cim.ErrInvalidClass
}

// fetchClass asks the host for a class. See [MS-WSMV] 3.1.4.1.38 and 3.1.4.2.
func (c *Client) fetchClass(ctx context.Context, namespace, class string) (*cim.Class, error) {
	m, err := c.send(ctx, &call{action: wsman.ActionGet, resource: cimxml.ResourceURI, again: true,
		select_: cimxml.Selectors(namespace, class),
		opts:    &RequestOptions{Options: cimxml.GetOptions{IncludeQualifiers: true, IncludeClassOrigin: true, IncludeInherited: true}.OptionSet()}})
	if err != nil {
		return nil, err
	}
	if c.opts.Classes == nil {
		return readClass(namespace, m)
	}
	memory := wordMemory.Get().(*[]byte)
	defer wordMemory.Put(memory)
	*memory = words(*memory, namespace, m)
	if k := c.opts.Classes.find(*memory); k != nil {
		return k, nil
	}
	k, err := readClass(namespace, m)
	if err == nil {
		c.opts.Classes.keep(*memory, k)
	}
	return k, err
}

// readClass reads the definition of a class in an answer.
func readClass(namespace string, m *wsman.Message) (*cim.Class, error) {
	var k *cim.Class
	err := m.Body(func(r *soap.Reader) (err error) {
		if k != nil || !cimxml.IsClass(r) {
			return r.Skip()
		}
		k, err = cimxml.ReadClass(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, errNoMetadata
	}
	if k.Namespace == "" {
		k.Namespace = namespace
	}
	return k.Seal(), nil
}

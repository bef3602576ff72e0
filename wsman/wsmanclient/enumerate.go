package wsmanclient

import (
	"context"
	"errors"
	"io"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// EnumerateOptions are the options of Enumerate.
type EnumerateOptions struct {
	RequestOptions
	Filter       *wsman.Filter
	Mode         wsman.EnumerationMode
	Polymorphism wsman.PolymorphismMode
	// Batch is how many items a message may carry; the default is 20.
	Batch uint32
	// Unoptimized makes the service open the enumeration and send the first
	// items with the first Pull. The default saves that message.
	Unoptimized bool
}

// DefaultBatch is how many items a message carries where nothing else is said.
const DefaultBatch = 20

// Item is one item of an enumeration as XML.
type Item struct {
	XML []byte     // a document of its own; nil in mode EnumerateEPR
	EPR *wsman.EPR // nil in mode EnumerateObject
}

// Enumeration is a stream of items. It is not safe for concurrent use.
type Enumeration struct {
	p     *pager
	items []Item
	end   error
}

// Enumerate lists resources. The request is sent at once; the items come by
// Next. See [MS-WSMV] 3.1.4.8.
func (c *Client) Enumerate(ctx context.Context, target wsman.EPR, o EnumerateOptions) (*Enumeration, error) {
	p, first, err := c.open(ctx, target, o)
	if err != nil {
		return nil, err
	}
	e := &Enumeration{p: p}
	if err := e.read(first); err != nil {
		e.Close() //nolint:errcheck // the first error tells more
		return nil, err
	}
	return e, nil
}

// Next returns the next item, or io.EOF after the last. When ctx ends, nothing
// is lost and the next call goes on.
func (e *Enumeration) Next(ctx context.Context) (Item, error) {
	for len(e.items) == 0 {
		if e.end != nil {
			return Item{}, e.end
		}
		m, err := e.p.next(ctx)
		if err == nil {
			err = e.read(m)
		}
		if err != nil {
			if ctx.Err() == nil {
				e.end = err
			}
			return Item{}, err
		}
	}
	it := e.items[0]
	e.items = e.items[1:]
	return it, nil
}

func (e *Enumeration) read(m *wsman.Message) error {
	e.items = e.items[:0]
	return e.p.read(m, func(r *soap.Reader) error {
		raw, err := wsman.ReadItem(r)
		if err != nil {
			return err
		}
		it := Item{EPR: raw.EPR}
		if !raw.Object.IsZero() {
			if it.XML, err = raw.Object.AppendStandalone(nil); err != nil {
				return err
			}
		}
		e.items = append(e.items, it)
		return nil
	})
}

// each calls f with every item that is left.
func (e *Enumeration) each(ctx context.Context, f func(Item)) error {
	for {
		it, err := e.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f(it)
	}
}

// Close releases the enumeration on the service where its end was not reached.
func (e *Enumeration) Close() error { return e.p.close() }

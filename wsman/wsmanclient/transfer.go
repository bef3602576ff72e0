package wsmanclient

import (
	"context"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// rawBody is a body that the caller wrote: one well-formed element, or nothing.
func rawBody(xml []byte) wsman.Body {
	if len(xml) == 0 {
		return nil
	}
	return wsman.BodyFunc(func(w *soap.Writer) error {
		w.Raw(xml)
		return nil
	})
}

// standalone is the first element of an answer's body as a document of its
// own; nil where the body is empty.
func standalone(m *wsman.Message) ([]byte, error) {
	f, err := m.Fragment()
	if err != nil || f.IsZero() {
		return nil, err
	}
	return f.AppendStandalone(nil)
}

func (c *Client) raw(ctx context.Context, m *call) ([]byte, error) {
	answer, err := c.send(ctx, m)
	if err != nil {
		return nil, err
	}
	return standalone(answer)
}

// Get reads a resource and returns its representation, one element as a
// document of its own; with RequestOptions.Fragment it is a w:XmlFragment. The
// address of target is not used. See [MS-WSMV] 3.1.4.2.
func (c *Client) Get(ctx context.Context, target wsman.EPR, o *RequestOptions) ([]byte, error) {
	return c.raw(ctx, &call{action: wsman.ActionGet, resource: target.ResourceURI, select_: target.Selectors, opts: o, again: true})
}

// Put writes a resource and returns what the service answers, nil for nothing.
// representation is one well-formed element that declares its prefixes. See
// [MS-WSMV] 3.1.4.3.
func (c *Client) Put(ctx context.Context, target wsman.EPR, representation []byte, o *RequestOptions) ([]byte, error) {
	return c.raw(ctx, &call{action: wsman.ActionPut, resource: target.ResourceURI, select_: target.Selectors, opts: o, body: rawBody(representation)})
}

// Create makes a resource and returns the reference to it. See [MS-WSMV] 3.1.4.5.
func (c *Client) Create(ctx context.Context, target wsman.EPR, representation []byte, o *RequestOptions) (wsman.EPR, error) {
	answer, err := c.send(ctx, &call{action: wsman.ActionCreate, resource: target.ResourceURI, select_: target.Selectors, opts: o, body: rawBody(representation)})
	if err != nil {
		return wsman.EPR{}, err
	}
	created, err := answer.ReadResourceCreated(nil)
	if err != nil {
		return wsman.EPR{}, err
	}
	return created.EPR, nil
}

// Delete removes a resource. See [MS-WSMV] 3.1.4.4.
func (c *Client) Delete(ctx context.Context, target wsman.EPR, o *RequestOptions) error {
	answer, err := c.send(ctx, &call{action: wsman.ActionDelete, resource: target.ResourceURI, select_: target.Selectors, opts: o})
	if err != nil {
		return err
	}
	return answer.End()
}

// Invoke carries out an action of a resource and returns what it answers, nil
// for nothing. action is a URI, or the name of a method, which is taken to be
// one of the resource. input is one well-formed element, p:NAME_INPUT for a
// method; nil for a method writes an empty one. See [MS-WSMV] 3.1.4.1.26.
func (c *Client) Invoke(ctx context.Context, target wsman.EPR, action string, input []byte, o *RequestOptions) ([]byte, error) {
	body := rawBody(input)
	if isMethodName(action) {
		if body == nil {
			body = emptyInput(target.ResourceURI, action)
		}
		action = target.ResourceURI + "/" + action
	}
	return c.raw(ctx, &call{action: action, resource: target.ResourceURI, select_: target.Selectors, opts: o, body: body})
}

// isMethodName tells a method from an action's URI.
func isMethodName(s string) bool { return soap.IsName(s) }

func emptyInput(uri, method string) wsman.Body {
	return wsman.BodyFunc(func(w *soap.Writer) error {
		w.StartPrefix("p", method+"_INPUT")
		w.Xmlns("p", uri)
		w.End()
		return nil
	})
}

// IdentifyOptions are the options of Identify.
type IdentifyOptions struct {
	// Unauthenticated asks without a proof, over a connection of its own. The
	// service then tells less.
	Unauthenticated bool
}

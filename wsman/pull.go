package wsman

import (
	"time"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// Pull asks for the next items of an enumeration. See [MS-WSMV] 3.1.4.9.
type Pull struct {
	Context       string
	MaxTime       time.Duration // 0 means absent
	MaxElements   uint32        // 0 means absent (1)
	MaxCharacters uint32        // 0 means absent
}

// ReadPull reads the body of a Pull.
func (m *Message) ReadPull() (*Pull, error) {
	p := &Pull{}
	err := m.Expect(soap.Enumeration, "Pull", func(r *soap.Reader) error {
		return eachChild(r, func() (err error) {
			if r.Space() != soap.Enumeration && r.Space() != soap.WSMan {
				return r.Skip()
			}
			switch string(r.Local()) {
			case "EnumerationContext":
				p.Context, err = readContext(r)
			case "MaxElements":
				p.MaxElements, err = readCount(r)
			case "MaxCharacters":
				p.MaxCharacters, err = readCount(r)
			case "MaxTime":
				var s string
				if s, err = readTrimmed(r); err != nil {
					return err
				}
				if p.MaxTime, err = ParseDuration(s); err != nil {
					return NewFault(CodeInvalidParameter, "MaxTime is not a duration: "+clip(s))
				}
			default:
				err = r.Skip()
			}
			return err
		})
	})
	if err == nil && p.Context == "" {
		err = NewFault(CodeInvalidEnumerationContext, "the request has no EnumerationContext")
	}
	return p, err
}

// ReadPullResponse reads the body of a PullResponse. See
// ReadEnumerateResponse.
func (m *Message) ReadPullResponse(item ItemFunc) (*Items, error) {
	return m.readItems("PullResponse", item)
}

// Namespaces lists what the body needs on the envelope.
func (p *Pull) Namespaces() []soap.NS { return []soap.NS{soap.Enumeration} }

// WriteBody writes the n:Pull.
func (p *Pull) WriteBody(w *soap.Writer) error {
	w.Start(soap.Enumeration, "Pull")
	writeContext(w, p.Context)
	if p.MaxTime > 0 {
		w.Element(soap.Enumeration, "MaxTime", FormatDuration(p.MaxTime))
	}
	number := func(name string, n uint32) {
		if n > 0 {
			w.Start(soap.Enumeration, name)
			w.Uint(uint64(n))
			w.End()
		}
	}
	number("MaxElements", p.MaxElements)
	number("MaxCharacters", p.MaxCharacters)
	w.End()
	return nil
}

package wsman

import (
	"time"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// DeliveryPull is the delivery mode in which the client fetches events with
// Pull, as if they were the items of an enumeration. See DSP0226 10.2.9.5.
const DeliveryPull = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Pull"

// forever is the Expires of a subscription that does not expire.
const forever = 100 * 365 * 24 * time.Hour

// Subscribe opens a subscription. See WS-Eventing 3.1 and [MS-WSMV] 3.1.4.11.
type Subscribe struct {
	Mode    string        // of the delivery; "" where absent, which means push
	Expires time.Duration // 0: the client does not say
	Filter  *Filter
}

// ReadSubscribe reads the body of a Subscribe.
func (m *Message) ReadSubscribe() (*Subscribe, error) {
	s := &Subscribe{}
	err := m.Expect(soap.Eventing, "Subscribe", func(r *soap.Reader) error {
		return eachChild(r, func() error { return s.child(r) })
	})
	return s, err
}

func (s *Subscribe) child(r *soap.Reader) (err error) {
	switch {
	case r.Is(soap.Eventing, "Delivery"):
		mode, _ := r.Attr(soap.None, "Mode")
		s.Mode = string(mode)
		return r.Skip()
	case r.Is(soap.Eventing, "Expires"):
		text, err := readTrimmed(r)
		if err != nil {
			return err
		}
		if s.Expires, err = ParseDuration(text); err != nil || s.Expires <= 0 {
			return NewFault(CodeEventingInvalidExpiration, "Expires is not a length of time above zero: "+clip(text))
		}
		return nil
	case r.Is(soap.WSMan, "Filter"), r.Is(soap.Eventing, "Filter"):
		if s.Filter != nil {
			return NewFault(CodeEventingFilteringUnavailable, "the request has more than one filter")
		}
		s.Filter, err = readFilter(r)
		return err
	}
	return r.Skip()
}

// Namespaces lists what the body needs on the envelope.
func (s *Subscribe) Namespaces() []soap.NS { return []soap.NS{soap.Eventing} }

// WriteBody writes the e:Subscribe.
func (s *Subscribe) WriteBody(w *soap.Writer) error {
	w.Start(soap.Eventing, "Subscribe")
	w.Start(soap.Eventing, "Delivery")
	w.Attr(soap.None, "Mode", s.Mode)
	w.End()
	if s.Expires > 0 {
		w.Element(soap.Eventing, "Expires", FormatDuration(s.Expires))
	}
	if s.Filter != nil {
		if err := s.Filter.write(w); err != nil {
			return err
		}
	}
	w.End()
	return nil
}

// SubscribeResponse tells of the subscription that was opened.
type SubscribeResponse struct {
	Manager string        // address of the subscription manager
	ID      string        // e:Identifier, by which Unsubscribe names the subscription
	Expires time.Duration // 0: never
	Context string        // for Pull
}

// ReadSubscribeResponse reads the body of a SubscribeResponse.
func (m *Message) ReadSubscribeResponse() (*SubscribeResponse, error) {
	s := &SubscribeResponse{}
	err := m.Expect(soap.Eventing, "SubscribeResponse", func(r *soap.Reader) error {
		return eachChild(r, func() (err error) {
			switch {
			case r.Is(soap.Eventing, "SubscriptionManager"):
				return eachChild(r, func() error { return s.manager(r) })
			case r.Is(soap.Enumeration, "EnumerationContext"):
				s.Context, err = readContext(r)
				return err
			}
			return r.Skip()
		})
	})
	return s, err
}

func (s *SubscribeResponse) manager(r *soap.Reader) (err error) {
	switch {
	case r.Is(soap.Addressing, "Address"):
		s.Manager, err = readTrimmed(r)
		return err
	case r.Is(soap.Addressing, "ReferenceParameters"), r.Is(soap.Addressing, "ReferenceProperties"):
		return eachChild(r, func() (err error) {
			if !r.Is(soap.Eventing, "Identifier") {
				return r.Skip()
			}
			s.ID, err = readTrimmed(r)
			return err
		})
	}
	return r.Skip()
}

// Namespaces lists what the body needs on the envelope.
func (s *SubscribeResponse) Namespaces() []soap.NS { return []soap.NS{soap.Eventing, soap.Enumeration} }

// WriteBody writes the e:SubscribeResponse.
func (s *SubscribeResponse) WriteBody(w *soap.Writer) error {
	w.Start(soap.Eventing, "SubscribeResponse")
	w.Start(soap.Eventing, "SubscriptionManager")
	w.Element(soap.Addressing, "Address", s.Manager)
	w.Start(soap.Addressing, "ReferenceParameters")
	w.Element(soap.Eventing, "Identifier", s.ID)
	w.End()
	w.End()
	expires := s.Expires
	if expires == 0 {
		expires = forever
	}
	w.Element(soap.Eventing, "Expires", FormatDuration(expires))
	writeContext(w, s.Context)
	w.End()
	return nil
}

// Unsubscribe ends the subscription that the header's SubscriptionID names.
// The response has an empty body.
type Unsubscribe struct{}

// ReadUnsubscribe reads the body of an Unsubscribe.
func (m *Message) ReadUnsubscribe() (*Unsubscribe, error) {
	return &Unsubscribe{}, m.Expect(soap.Eventing, "Unsubscribe", func(r *soap.Reader) error { return eachChild(r, r.Skip) })
}

// Namespaces lists what the body needs on the envelope.
func (*Unsubscribe) Namespaces() []soap.NS { return []soap.NS{soap.Eventing} }

// WriteBody writes the e:Unsubscribe.
func (*Unsubscribe) WriteBody(w *soap.Writer) error {
	w.Element(soap.Eventing, "Unsubscribe", "")
	return nil
}

package wsman

import (
	"time"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// Header holds the SOAP headers of a message. A zero field was absent and is
// not written. See [MS-WSMV] 2.2.4 and 3.1.4.1.
type Header struct {
	To          string
	Action      string
	MessageID   string // "uuid:" and a GUID in upper case; see NewMessageID
	RelatesTo   string // the MessageID of the request, byte for byte; makes it a response
	ReplyTo     string // the address; requests need Anonymous
	FaultTo     string
	ResourceURI string
	Selectors   SelectorSet
	Options     OptionSet
	// OptionsMust is mustUnderstand of the OptionSet.
	OptionsMust bool

	OperationTimeout time.Duration // 0 with HasTimeout unset: the service's maximum
	HasTimeout       bool
	MaxEnvelopeSize  uint32 // bytes; 0 means absent
	// MaxEnvelopeMay clears mustUnderstand of MaxEnvelopeSize; it is written
	// as true unless this is set.
	MaxEnvelopeMay bool

	Locale          string // xml:lang of w:Locale
	LocaleMust      bool   // always refused by a service
	DataLocale      string // xml:lang of p:DataLocale
	DataLocaleMust  bool
	SessionID       string
	OperationID     string // announces a robust connection
	OperationIDMust bool   // marks a retransmission
	SequenceID      uint64
	ActivityID      string
	CompressionType string // rsp:CompressionType, "xpress"
	MachineID       string // m:MachineID of a source-initiated subscription
	Fragment        *FragmentTransfer

	RequestEPR         bool   // ignored by Windows
	RequestTotalItems  bool   // ignored by Windows
	TotalItemsEstimate uint64 // of a response; 0 means absent
	AckRequested       bool
	SubscriptionID     string // e:Identifier

	// NotUnderstood lists the headers with mustUnderstand that are not known
	// here, with their namespace.
	NotUnderstood []HeaderName
	// Extra holds the headers that are not known and need not be, as XML.
	// They are not written.
	Extra []ExtraHeader
}

// HeaderName is the expanded name of a header.
type HeaderName struct{ Space, Local string }

// ExtraHeader is a header that this package has no field for.
type ExtraHeader struct {
	HeaderName
	Content soap.Fragment
}

// FragmentTransfer addresses a part of an instance. See [MS-WSMV] 3.1.4.1.18.
type FragmentTransfer struct {
	Path    string
	Dialect string // "" means XPath 1.0
	// Optional is set if mustUnderstand was not true, which a service
	// refuses. It is written as true.
	Optional bool
}

// seen flags, one for each header that may stand only once.
const (
	seenTo = 1 << iota
	seenAction
	seenMessageID
	seenRelatesTo
	seenReplyTo
	seenFaultTo
	seenResourceURI
	seenSelectors
	seenOptions
	seenTimeout
	seenMaxEnvelope
)

// headerScan reads the headers of one message. The first fault is kept and
// the scan goes on, so that the answer can relate to the request.
type headerScan struct {
	h     *Header
	r     *soap.Reader
	seen  uint32
	fault *Fault
}

func (s *headerScan) refuse(f *Fault) {
	if s.fault == nil {
		s.fault = f
	}
}

func (s *headerScan) once(flag uint32, name string) {
	if s.seen&flag != 0 {
		s.refuse(NewFault(CodeInvalidMessageInformationHeader, "the header "+name+" is given twice"))
	}
	s.seen |= flag
}

// read reads the s:Header element. The error is one of syntax.
func (s *headerScan) read() error {
	return eachChild(s.r, func() error {
		depth := s.r.Depth()
		err := s.header()
		if f, ok := err.(*Fault); ok {
			// A header of the wrong form: note it, skip the rest of it.
			s.refuse(f)
			err = nil
			for err == nil && s.r.Depth() >= depth {
				_, err = s.r.Next()
			}
		}
		return err
	})
}

func (s *headerScan) must() bool {
	v, ok := s.r.Attr(soap.Envelope, "mustUnderstand")
	if !ok {
		return false
	}
	must, ok := parseBool(v)
	if !ok {
		s.refuse(NewFault(CodeInvalidMessageInformationHeader, "mustUnderstand is neither true nor false"))
	}
	return must
}

func (s *headerScan) header() error {
	if role, ok := s.r.Attr(soap.Envelope, "role"); ok && string(soap.TrimSpace(role)) == soap.URIEnvelope+"/role/none" {
		return s.r.Skip()
	}
	must := s.must()
	switch s.r.Space() {
	case soap.Addressing:
		return s.addressing(must)
	case soap.WSMan:
		return s.wsman(must)
	case soap.WSMV:
		return s.microsoft(must)
	}
	switch {
	case s.r.Is(soap.Shell, "CompressionType"):
		return s.text(&s.h.CompressionType)
	case s.r.Is(soap.Machine, "MachineID"):
		return s.text(&s.h.MachineID)
	case s.r.Is(soap.Eventing, "Identifier"):
		return s.text(&s.h.SubscriptionID)
	}
	return s.unknown(must)
}

func (s *headerScan) text(to *string) (err error) {
	*to, err = readTrimmed(s.r)
	return err
}

func (s *headerScan) textOnce(to *string, flag uint32) error {
	s.once(flag, string(s.r.Local()))
	return s.text(to)
}

func (s *headerScan) addressing(must bool) error {
	h := s.h
	switch string(s.r.Local()) {
	case "To":
		return s.textOnce(&h.To, seenTo)
	case "Action":
		return s.textOnce(&h.Action, seenAction)
	case "MessageID":
		return s.textOnce(&h.MessageID, seenMessageID)
	case "RelatesTo":
		return s.textOnce(&h.RelatesTo, seenRelatesTo)
	case "ReplyTo":
		s.once(seenReplyTo, "ReplyTo")
		return s.address(&h.ReplyTo)
	case "FaultTo":
		s.once(seenFaultTo, "FaultTo")
		return s.address(&h.FaultTo)
	case "From":
		return s.r.Skip()
	}
	return s.unknown(must)
}

func (s *headerScan) address(to *string) error {
	epr, err := ReadEPR(s.r)
	if err != nil {
		return err
	}
	*to = epr.Address
	if epr.Address == "" {
		*to = " " // present, and not the anonymous address
	}
	return nil
}

func (s *headerScan) wsman(must bool) (err error) {
	h := s.h
	switch string(s.r.Local()) {
	case "ResourceURI":
		return s.textOnce(&h.ResourceURI, seenResourceURI)
	case "SelectorSet":
		s.once(seenSelectors, "SelectorSet")
		h.Selectors, err = ReadSelectorSet(s.r)
	case "OptionSet":
		s.once(seenOptions, "OptionSet")
		h.OptionsMust = must
		h.Options, err = readOptions(s.r)
	case "OperationTimeout":
		return s.timeout()
	case "MaxEnvelopeSize":
		return s.maxEnvelope(must)
	case "Locale":
		h.LocaleMust = must
		return s.lang(&h.Locale)
	case "FragmentTransfer":
		f := &FragmentTransfer{Optional: !must}
		dialect, _ := s.r.Attr(soap.None, "Dialect")
		f.Dialect = string(dialect)
		h.Fragment = f
		return s.text(&f.Path)
	case "RequestEPR":
		h.RequestEPR = true
		return s.r.Skip()
	case "RequestTotalItemsCountEstimate":
		h.RequestTotalItems = true
		return s.r.Skip()
	case "TotalItemsCountEstimate":
		var v string
		err = s.text(&v)
		h.TotalItemsEstimate, _ = parseUint(v, 64)
	case "AckRequested":
		h.AckRequested = true
		return s.r.Skip()
	default:
		return s.unknown(must)
	}
	return err
}

func (s *headerScan) microsoft(must bool) error {
	h := s.h
	switch string(s.r.Local()) {
	case "DataLocale":
		h.DataLocaleMust = must
		return s.lang(&h.DataLocale)
	case "SessionId":
		return s.text(&h.SessionID)
	case "OperationID":
		h.OperationIDMust = must
		return s.text(&h.OperationID)
	case "SequenceId":
		var v string
		if err := s.text(&v); err != nil {
			return err
		}
		n, ok := parseUint(v, 64)
		if !ok {
			return NewFault(CodeInvalidMessageInformationHeader, "SequenceId is not a number")
		}
		h.SequenceID = n
		return nil
	case "ActivityId":
		return s.text(&h.ActivityID)
	}
	return s.unknown(must)
}

func (s *headerScan) lang(to *string) error {
	v, _ := s.r.Attr(soap.XML, "lang")
	*to = string(v)
	return s.r.Skip()
}

func (s *headerScan) timeout() error {
	s.once(seenTimeout, "OperationTimeout")
	var v string
	if err := s.text(&v); err != nil {
		return err
	}
	d, err := ParseDuration(v)
	if err != nil {
		// Windows answers so, not with its code for timeouts; seen in a
		// recording.
		return NewFault(CodeInvalidMessageInformationHeader, "the timeout in the SOAP header is not valid: "+clip(v))
	}
	s.h.OperationTimeout, s.h.HasTimeout = d, true
	return nil
}

func (s *headerScan) maxEnvelope(must bool) error {
	s.once(seenMaxEnvelope, "MaxEnvelopeSize")
	var v string
	if err := s.text(&v); err != nil {
		return err
	}
	n, ok := parseUint(v, 32)
	if !ok {
		return NewFault(CodeInvalidMessageInformationHeader, "MaxEnvelopeSize is not a number of bytes: "+clip(v))
	}
	// 0 would mean absent; it is as much too small as 1 is.
	s.h.MaxEnvelopeSize, s.h.MaxEnvelopeMay = max(uint32(n), 1), !must
	return nil
}

// maxExtra bounds the unknown headers that are kept.
const maxExtra = 64

func (s *headerScan) unknown(must bool) error {
	name := HeaderName{s.r.URI(s.r.Space()), string(s.r.Local())}
	if must && len(s.h.NotUnderstood) < maxExtra {
		s.h.NotUnderstood = append(s.h.NotUnderstood, name)
		return s.r.Skip()
	}
	if len(s.h.Extra) >= maxExtra {
		return s.r.Skip()
	}
	content, err := s.r.Outer()
	if err == nil {
		s.h.Extra = append(s.h.Extra, ExtraHeader{name, content})
	}
	return err
}

package wsman

import (
	"strings"
	"time"
)

// MinEnvelopeSize is the smallest MaxEnvelopeSize in bytes that a service
// accepts. See [MS-WSMV] 3.1.4.1.7.
const MinEnvelopeSize = 8192

const maxMessageID = 2048 // characters; [MS-WSMV] 3.1.4.1.5

// Rules are the settings of a service that bear on the headers of requests.
type Rules struct {
	MaxEnvelopeSize uint32        // bytes: MaxEnvelopeSizekb times 1024
	MaxTimeout      time.Duration // MaxTimeoutms
}

// Check applies the rules for the headers of a request, which are those of
// [MS-WSMV] 3.1.4.1, and fills in what the service decides: OperationTimeout
// and MaxEnvelopeSize are never zero and never above the rules afterwards.
// It returns the fault to answer with, or nil. An Identify is not checked.
func (h *Header) Check(rules Rules) *Fault {
	for _, check := range []func() *Fault{
		h.checkAddressing, h.checkResource, h.checkLocale, h.checkFragment, h.checkUnknown,
	} {
		if f := check(); f != nil {
			return f
		}
	}
	if h.MaxEnvelopeSize != 0 && h.MaxEnvelopeSize < MinEnvelopeSize {
		return NewFault(CodeMinEnvelopeSize, "").WithDetail("MinimumEnvelopeLimit")
	}
	if h.MaxEnvelopeSize == 0 || h.MaxEnvelopeSize > rules.MaxEnvelopeSize && rules.MaxEnvelopeSize > 0 {
		h.MaxEnvelopeSize = rules.MaxEnvelopeSize
	}
	if !h.HasTimeout || h.OperationTimeout == 0 || h.OperationTimeout > rules.MaxTimeout && rules.MaxTimeout > 0 {
		h.OperationTimeout = rules.MaxTimeout
	}
	return nil
}

func (h *Header) checkAddressing() *Fault {
	switch {
	case h.Action == "":
		return NewFault(CodeMessageInformationHeaderRequired, "the request has no Action header")
	case h.ReplyTo == "":
		return NewFault(CodeMessageInformationHeaderRequired, "the request has no ReplyTo header")
	case h.ReplyTo != Anonymous, h.FaultTo != "" && h.FaultTo != Anonymous:
		return NewFault(CodeUnsupportedAddressingMode, "").
			WithSubcode("w:UnsupportedFeature", Sender).WithDetail("AddressingMode")
	case h.MessageID == "":
		return NewFault(CodeInvalidMessageInformationHeader, "the request has no MessageID")
	case len(h.MessageID) > maxMessageID:
		return NewFault(CodeInvalidMessageInformationHeader, "the MessageID is longer than 2048 characters")
	case len(h.ActivityID) > maxMessageID:
		return NewFault(CodeInvalidMessageInformationHeader, "the ActivityId is longer than 2048 characters")
	case h.To == "":
		return NewFault(CodeMessageInformationHeaderRequired, "the request has no To header")
	}
	return nil
}

// checkResource refuses an URI that is missing, too long or relative: aliases
// are a matter of the client. Messages of a shell protocol and of event
// delivery have no resource URI.
func (h *Header) checkResource() *Fault {
	switch {
	case len(h.ResourceURI) > maxURI:
		return NewFault(CodeURILimit, "")
	case h.ResourceURI == "" && needsResource(h.Action):
		return NewFault(CodeInvalidResourceURI, "the request has no ResourceURI")
	case h.ResourceURI != "" && !strings.Contains(h.ResourceURI, ":"):
		return NewFault(CodeInvalidResourceURI, "")
	}
	return nil
}

func needsResource(action string) bool {
	return strings.HasPrefix(action, ActionGet[:len(ActionGet)-len("Get")]) ||
		strings.HasPrefix(action, ActionPull[:len(ActionPull)-len("Pull")]) ||
		strings.HasPrefix(action, ResourceShell)
}

func (h *Header) checkLocale() *Fault {
	if h.LocaleMust {
		return NewFault(CodeMustUnderstandLocale, "")
	}
	if h.DataLocaleMust {
		return NewFault(CodeMustUnderstandLocale, "").WithDetail("DataLocale")
	}
	return nil
}

func (h *Header) checkFragment() *Fault {
	if h.Fragment != nil && h.Fragment.Optional {
		return NewFault(CodeInvalidMessageInformationHeader, "FragmentTransfer needs mustUnderstand=\"true\"")
	}
	return nil
}

func (h *Header) checkUnknown() *Fault {
	if len(h.NotUnderstood) == 0 {
		return nil
	}
	n := h.NotUnderstood[0]
	f := NewFault(CodeMustUnderstand, "the header "+clip(n.Local)+" is not understood")
	f.NotUnderstood = [2]string{n.Local, n.Space}
	return f
}

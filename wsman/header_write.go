package wsman

import (
	"github.com/casementhq/casement/wsman/internal/soap"
)

// write writes the s:Header element in the order and with the mustUnderstand
// attributes of Windows.
func (h *Header) write(w *soap.Writer) {
	w.Start(soap.Envelope, "Header")
	if h.RelatesTo != "" {
		h.writeResponse(w)
	} else {
		h.writeRequest(w)
	}
	if h.CompressionType != "" {
		w.Start(soap.Shell, "CompressionType")
		w.Declare(soap.Shell)
		w.Attr(soap.Envelope, "mustUnderstand", "true")
		w.Text(h.CompressionType)
		w.End()
	}
	if h.MachineID != "" {
		w.Start(soap.Machine, "MachineID")
		w.Declare(soap.Machine)
		w.Attr(soap.Envelope, "mustUnderstand", "false")
		w.Text(h.MachineID)
		w.End()
	}
	if h.SubscriptionID != "" {
		w.Start(soap.Eventing, "Identifier")
		w.Declare(soap.Eventing)
		w.Text(h.SubscriptionID)
		w.End()
	}
	if h.AckRequested {
		w.Element(soap.WSMan, "AckRequested", "")
	}
	for _, n := range h.NotUnderstood {
		w.Start(soap.Envelope, "NotUnderstood")
		w.Xmlns("nu", n.Space)
		w.Attr(soap.None, "qname", "nu:"+n.Local)
		w.End()
	}
	w.End()
}

func must(w *soap.Writer, ns soap.NS, local, mu, text string) {
	w.Start(ns, local)
	w.Attr(soap.Envelope, "mustUnderstand", mu)
	w.Text(text)
	w.End()
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func (h *Header) writeRequest(w *soap.Writer) {
	if h.To != "" {
		w.Element(soap.Addressing, "To", h.To)
	}
	if h.ResourceURI != "" {
		must(w, soap.WSMan, "ResourceURI", "true", h.ResourceURI)
	}
	h.writeReply(w, "ReplyTo", h.ReplyTo)
	h.writeReply(w, "FaultTo", h.FaultTo)
	if h.Action != "" {
		must(w, soap.Addressing, "Action", "true", h.Action)
	}
	if h.MaxEnvelopeSize != 0 {
		w.Start(soap.WSMan, "MaxEnvelopeSize")
		w.Attr(soap.Envelope, "mustUnderstand", yes(!h.MaxEnvelopeMay))
		w.Uint(uint64(h.MaxEnvelopeSize))
		w.End()
	}
	if h.MessageID != "" {
		w.Element(soap.Addressing, "MessageID", h.MessageID)
	}
	writeLang(w, soap.WSMan, "Locale", h.Locale, h.LocaleMust)
	writeLang(w, soap.WSMV, "DataLocale", h.DataLocale, h.DataLocaleMust)
	if h.SessionID != "" {
		must(w, soap.WSMV, "SessionId", "false", h.SessionID)
	}
	h.writeOperation(w)
	if h.ActivityID != "" {
		must(w, soap.WSMV, "ActivityId", "false", h.ActivityID)
	}
	if f := h.Fragment; f != nil {
		w.Start(soap.WSMan, "FragmentTransfer")
		w.Attr(soap.Envelope, "mustUnderstand", "true")
		if f.Dialect != "" {
			w.Attr(soap.None, "Dialect", f.Dialect)
		}
		w.Text(f.Path)
		w.End()
	}
	h.Selectors.Write(w)
	h.Options.write(w, h.OptionsMust)
	if h.RequestEPR {
		w.Element(soap.WSMan, "RequestEPR", "")
	}
	if h.RequestTotalItems {
		w.Element(soap.WSMan, "RequestTotalItemsCountEstimate", "")
	}
	h.writeTimeout(w)
}

func (h *Header) writeResponse(w *soap.Writer) {
	if h.Action != "" {
		w.Element(soap.Addressing, "Action", h.Action)
	}
	if h.MessageID != "" {
		w.Element(soap.Addressing, "MessageID", h.MessageID)
	}
	h.writeOperation(w)
	if h.ActivityID != "" {
		w.Element(soap.WSMV, "ActivityId", h.ActivityID)
	}
	if h.To != "" {
		w.Element(soap.Addressing, "To", h.To)
	}
	w.Element(soap.Addressing, "RelatesTo", h.RelatesTo)
	if f := h.Fragment; f != nil {
		w.Start(soap.WSMan, "FragmentTransfer")
		if f.Dialect != "" {
			w.Attr(soap.None, "Dialect", f.Dialect)
		}
		w.Text(f.Path)
		w.End()
	}
	if h.TotalItemsEstimate != 0 {
		w.Start(soap.WSMan, "TotalItemsCountEstimate")
		w.Uint(h.TotalItemsEstimate)
		w.End()
	}
	h.writeTimeout(w)
}

func (h *Header) writeReply(w *soap.Writer, name, address string) {
	if address == "" {
		return
	}
	w.Start(soap.Addressing, name)
	must(w, soap.Addressing, "Address", "true", address)
	w.End()
}

func (h *Header) writeOperation(w *soap.Writer) {
	if h.OperationID == "" {
		return
	}
	must(w, soap.WSMV, "OperationID", yes(h.OperationIDMust), h.OperationID)
	w.Start(soap.WSMV, "SequenceId")
	if h.RelatesTo == "" {
		w.Attr(soap.Envelope, "mustUnderstand", "false")
	}
	w.Uint(h.SequenceID)
	w.End()
}

func (h *Header) writeTimeout(w *soap.Writer) {
	if h.HasTimeout || h.OperationTimeout > 0 {
		w.Element(soap.WSMan, "OperationTimeout", FormatDuration(h.OperationTimeout))
	}
}

func writeLang(w *soap.Writer, ns soap.NS, name, lang string, mu bool) {
	if lang == "" {
		return
	}
	w.Start(ns, name)
	w.Attr(soap.XML, "lang", lang)
	w.Attr(soap.Envelope, "mustUnderstand", yes(mu))
	w.End()
}

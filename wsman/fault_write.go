package wsman

import "github.com/casementhq/casement/wsman/internal/soap"

// Namespaces lists what the body needs on the envelope.
func (f *Fault) Namespaces() []soap.NS {
	ns, _ := f.Subcode.split()
	switch ns {
	case soap.Enumeration, soap.Eventing, soap.Transfer, soap.CIMBinding:
		return []soap.NS{ns}
	}
	return nil
}

// WriteBody writes the s:Fault.
func (f *Fault) WriteBody(w *soap.Writer) error {
	lang := f.Lang
	if lang == "" {
		lang = "en-US"
	}
	w.Start(soap.Envelope, "Fault")
	w.Start(soap.Envelope, "Code")
	w.Element(soap.Envelope, "Value", "s:"+string(f.SOAPCode))
	if f.Subcode != "" {
		w.Start(soap.Envelope, "Subcode")
		w.Element(soap.Envelope, "Value", string(f.Subcode))
		w.End()
	}
	w.End()
	w.Start(soap.Envelope, "Reason")
	w.Start(soap.Envelope, "Text")
	w.Attr(soap.XML, "lang", lang)
	w.Text(f.Reason)
	w.End()
	w.End()
	if f.Detail != "" || f.Code != 0 || f.WMI != nil {
		w.Start(soap.Envelope, "Detail")
		if f.Detail != "" {
			w.Element(soap.WSMan, "FaultDetail", f.Detail)
		}
		if f.WMI != nil {
			f.WMI.write(w)
		}
		if f.Code != 0 {
			inner := InnerFault{f.Code, f.Machine, f.Message, f.Provider}
			inner.write(w)
		}
		w.End()
	}
	w.End()
	return nil
}

func (f *InnerFault) write(w *soap.Writer) {
	w.Start(soap.Fault, "WSManFault")
	w.Declare(soap.Fault)
	w.AttrUint(soap.None, "Code", uint64(f.Code))
	w.Attr(soap.None, "Machine", f.Machine)
	w.Start(soap.Fault, "Message")
	w.Text(f.Message)
	if p := f.Provider; p != nil {
		w.Start(soap.Fault, "ProviderFault")
		if p.Provider != "" {
			w.Attr(soap.None, "provider", p.Provider)
		}
		if p.Path != "" {
			w.Attr(soap.None, "path", p.Path)
		}
		if p.ID != "" {
			w.Attr(soap.None, "providerId", p.ID)
		}
		w.Text(p.Text)
		if p.WMI != nil {
			p.WMI.write(w)
		}
		if p.Fault != nil {
			p.Fault.write(w)
		}
		w.End()
	}
	w.End()
	w.End()
}

// wmiErrorURI is the namespace in which Windows writes MSFT_WmiError.
const wmiErrorURI = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/standardcimv2/MSFT_WmiError"

func (e *WMIError) write(w *soap.Writer) {
	w.StartPrefix("q", "MSFT_WmiError")
	w.Xmlns("q", wmiErrorURI)
	put := func(name, value string) {
		if value != "" {
			w.StartPrefix("q", name)
			w.Text(value)
			w.End()
		}
	}
	number := func(name string, v uint64) {
		w.StartPrefix("q", name)
		w.Uint(v)
		w.End()
	}
	number("CIMStatusCode", uint64(e.CIMStatus))
	put("Message", e.Message)
	put("MessageID", e.MessageID)
	put("error_Category", e.Category)
	number("error_Code", uint64(e.Code))
	put("error_Type", e.Type)
	put("error_WindowsErrorMessage", e.WindowsMsg)
	w.End()
}

package wsman

import (
	"strconv"
	"strings"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// maxInnerFaults bounds how deeply provider faults may be nested.
const maxInnerFaults = 8

// ReadFault reads an s:Fault from its StartElement to its EndElement. What is
// unknown is skipped: a fault must be readable whoever sent it.
func ReadFault(r *soap.Reader) (*Fault, error) {
	f := &Fault{Remote: true}
	err := eachChild(r, func() error {
		switch {
		case r.Is(soap.Envelope, "Code"):
			return f.readCode(r)
		case r.Is(soap.Envelope, "Reason"):
			return f.readReason(r)
		case r.Is(soap.Envelope, "Detail"):
			return f.readDetail(r)
		}
		return r.Skip()
	})
	return f, err
}

func (f *Fault) readCode(r *soap.Reader) error {
	return eachChild(r, func() error {
		switch {
		case r.Is(soap.Envelope, "Value"):
			value, err := readTrimmed(r)
			_, local, _ := strings.Cut(value, ":")
			f.SOAPCode = SOAPCode(local)
			return err
		case r.Is(soap.Envelope, "Subcode"):
			return eachChild(r, func() error {
				if !r.Is(soap.Envelope, "Value") || f.Subcode != "" {
					return r.Skip()
				}
				value, err := readTrimmed(r)
				f.Subcode = resolveSubcode(r, value)
				return err
			})
		}
		return r.Skip()
	})
}

// resolveSubcode turns a qualified name in content into a Subcode. Examples
// of [MS-WSMV] use prefixes that they do not declare: those are taken by
// their conventional meaning.
func resolveSubcode(r *soap.Reader, value string) Subcode {
	name, ok := r.QName([]byte(value))
	if !ok {
		return Subcode(value)
	}
	for prefix, ns := range subcodePrefixes {
		if ns == name.Space {
			return Subcode(prefix + ":" + string(name.Local))
		}
	}
	return Subcode("{" + r.URI(name.Space) + "}" + string(name.Local))
}

func (f *Fault) readReason(r *soap.Reader) error {
	return eachChild(r, func() error {
		if !r.Is(soap.Envelope, "Text") || f.Reason != "" {
			return r.Skip()
		}
		lang, _ := r.Attr(soap.XML, "lang")
		f.Lang = string(lang)
		text, err := r.ReadText()
		f.Reason = string(text)
		return err
	})
}

func (f *Fault) readDetail(r *soap.Reader) error {
	return eachChild(r, func() error {
		switch {
		case r.Is(soap.WSMan, "FaultDetail"):
			detail, err := readTrimmed(r)
			if short, ok := strings.CutPrefix(detail, "wsman:faultDetail/"); ok {
				detail = FaultDetail(short)
			}
			f.Detail = detail
			return err
		case r.Is(soap.Fault, "WSManFault"):
			inner, err := readInner(r, 0)
			f.Code, f.Machine, f.Message, f.Provider = inner.Code, inner.Machine, inner.Message, inner.Provider
			return err
		case string(r.Local()) == "MSFT_WmiError":
			var err error
			f.WMI, err = readWMIError(r)
			return err
		}
		return r.Skip()
	})
}

func readInner(r *soap.Reader, depth int) (*InnerFault, error) {
	f := &InnerFault{}
	if v, ok := r.Attr(soap.None, "Code"); ok {
		f.Code = parseCode(string(v))
	}
	machine, _ := r.Attr(soap.None, "Machine")
	f.Machine = string(machine)
	if depth >= maxInnerFaults {
		return f, r.Skip()
	}
	err := eachChild(r, func() error {
		if !r.Is(soap.Fault, "Message") {
			return r.Skip()
		}
		text, err := mixed(r, func() error {
			if !r.Is(soap.Fault, "ProviderFault") || f.Provider != nil {
				return r.Skip()
			}
			var err error
			f.Provider, err = readProvider(r, depth)
			return err
		})
		f.Message = text
		return err
	})
	return f, err
}

func readProvider(r *soap.Reader, depth int) (*ProviderFault, error) {
	p := &ProviderFault{}
	for _, a := range r.Attrs() {
		switch string(a.Local) {
		case "provider":
			p.Provider = string(a.Value)
		case "path":
			p.Path = string(a.Value)
		case "providerId":
			p.ID = string(a.Value)
		}
	}
	text, err := mixed(r, func() error {
		var err error
		switch {
		case r.Is(soap.Fault, "WSManFault") && p.Fault == nil:
			p.Fault, err = readInner(r, depth+1)
		case string(r.Local()) == "MSFT_WmiError" && p.WMI == nil:
			p.WMI, err = readWMIError(r)
		case r.Is(soap.Fault, "ExtendedError"):
			err = eachChild(r, func() error {
				var err error
				if p.WMI == nil {
					p.WMI, err = readWMIError(r)
					return err
				}
				return r.Skip()
			})
		default:
			err = r.Skip()
		}
		return err
	})
	p.Text = text
	return p, err
}

// readWMIError reads a WMI error object; property elements are known by
// their local name, since their namespace is that of the class.
func readWMIError(r *soap.Reader) (*WMIError, error) {
	e := &WMIError{}
	err := eachChild(r, func() error {
		name := string(r.Local())
		switch name {
		case "error_Code", "error_Type", "error_Category", "Message", "MessageID", "CIMStatusCode",
			"error_WindowsErrorMessage", "StatusCode", "Description":
		default:
			return r.Skip()
		}
		text, err := mixed(r, r.Skip)
		switch name {
		case "error_Code", "StatusCode":
			e.Code = parseCode(text)
		case "error_Type":
			e.Type = text
		case "error_Category":
			e.Category = text
		case "Message", "Description":
			e.Message = text
		case "MessageID":
			e.MessageID = text
		case "CIMStatusCode":
			e.CIMStatus = uint32(parseCode(text))
		case "error_WindowsErrorMessage":
			e.WindowsMsg = text
		}
		return err
	})
	return e, err
}

// parseCode reads a code: unsigned, or signed as some providers write an
// HRESULT. What is no number of 32 bits is 0.
func parseCode(s string) Code {
	s = strings.TrimSpace(s)
	if v, err := strconv.ParseUint(s, 0, 32); err == nil {
		return Code(v)
	}
	if v, err := strconv.ParseInt(s, 10, 32); err == nil {
		return Code(uint32(v))
	}
	return 0
}

// eachChild calls f at the StartElement of each child. f reads the child to
// its end.
func eachChild(r *soap.Reader, f func() error) error {
	for {
		more, err := r.Child()
		if err != nil || !more {
			return err
		}
		if err := f(); err != nil {
			return err
		}
	}
}

// mixed reads mixed content: f is called at each child, the text is returned.
// White space is kept unless there is nothing else.
func mixed(r *soap.Reader, f func() error) (string, error) {
	var text []byte
	for {
		k, err := r.Next()
		if err != nil {
			return "", err
		}
		switch k {
		case soap.Text:
			text = append(text, r.Text()...)
		case soap.StartElement:
			if err := f(); err != nil {
				return "", err
			}
		default:
			if soap.IsSpace(text) {
				return "", nil
			}
			return string(text), nil
		}
	}
}

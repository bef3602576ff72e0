package wsman

import "github.com/casementhq/casement/wsman/internal/soap"

// Identify asks what the service is; it has no headers. See [MS-WSMV]
// 3.1.4.1.23.
type Identify struct{}

// WriteBody writes the wsmid:Identify.
func (Identify) WriteBody(w *soap.Writer) error {
	w.Element(soap.Identity, "Identify", "")
	return nil
}

// IdentifyResponse says what the service is.
type IdentifyResponse struct {
	ProtocolVersion  []string // URIs; the first is that of WS-Management
	ProductVendor    string
	ProductVersion   string   // "OS: 10.0.20348 SP: 0.0 Stack: 3.0"
	SecurityProfiles []string // never sent to a caller without authentication
}

// ReadIdentifyResponse reads the body of the answer to an Identify.
func (m *Message) ReadIdentifyResponse() (*IdentifyResponse, error) {
	id := &IdentifyResponse{}
	err := m.Expect(soap.Identity, "IdentifyResponse", func(r *soap.Reader) error {
		return eachChild(r, func() (err error) {
			var v string
			switch string(r.Local()) {
			case "ProtocolVersion":
				v, err = readTrimmed(r)
				id.ProtocolVersion = append(id.ProtocolVersion, v)
			case "ProductVendor":
				id.ProductVendor, err = readTrimmed(r)
			case "ProductVersion":
				id.ProductVersion, err = readTrimmed(r)
			case "SecurityProfiles":
				err = eachChild(r, func() error {
					v, err := readTrimmed(r)
					id.SecurityProfiles = append(id.SecurityProfiles, v)
					return err
				})
			default:
				err = r.Skip()
			}
			return err
		})
	})
	return id, err
}

// Namespaces lists what the body needs on the envelope.
func (id *IdentifyResponse) Namespaces() []soap.NS { return []soap.NS{soap.Identity} }

// WriteBody writes the wsmid:IdentifyResponse.
func (id *IdentifyResponse) WriteBody(w *soap.Writer) error {
	w.Start(soap.Identity, "IdentifyResponse")
	for _, v := range id.ProtocolVersion {
		w.Element(soap.Identity, "ProtocolVersion", v)
	}
	w.Element(soap.Identity, "ProductVendor", id.ProductVendor)
	w.Element(soap.Identity, "ProductVersion", id.ProductVersion)
	if len(id.SecurityProfiles) > 0 {
		w.Start(soap.Identity, "SecurityProfiles")
		for _, v := range id.SecurityProfiles {
			w.Element(soap.Identity, "SecurityProfileName", v)
		}
		w.End()
	}
	w.End()
	return nil
}

// EncodeIdentify writes the request, which has an empty header.
func EncodeIdentify(w *soap.Writer) error {
	w.Start(soap.Envelope, "Envelope")
	w.Declare(soap.Envelope, soap.Identity)
	w.Element(soap.Envelope, "Header", "")
	w.Start(soap.Envelope, "Body")
	err := Identify{}.WriteBody(w)
	w.End()
	w.End()
	return err
}

// EncodeIdentifyResponse writes the answer, which has an empty header too.
func EncodeIdentifyResponse(w *soap.Writer, id *IdentifyResponse) error {
	w.Start(soap.Envelope, "Envelope")
	w.Attr(soap.XML, "lang", "en-US")
	w.Declare(soap.Envelope, soap.Identity)
	w.Element(soap.Envelope, "Header", "")
	w.Start(soap.Envelope, "Body")
	err := id.WriteBody(w)
	w.End()
	w.End()
	return err
}

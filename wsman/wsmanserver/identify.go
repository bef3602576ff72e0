package wsmanserver

import (
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// productVendor is what Identify tells: our own name, never Microsoft's.
const productVendor = "Casement"

// The security profiles of Identify. See [MS-WSMV] 3.1.4.1.23.
const profileBase = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/"

// identity is the answer to Identify; only an authenticated caller learns the
// version and the profiles. See [MS-WSMV] 3.1.4.1.23.
func (s *Server) identity(authenticated bool) *wsman.IdentifyResponse {
	id := &wsman.IdentifyResponse{
		ProtocolVersion: []string{soap.URIWSMan},
		ProductVendor:   productVendor,
		ProductVersion:  "OS: 0.0.0 SP: 0.0 Stack: 3.0",
	}
	if !authenticated {
		return id
	}
	id.ProductVersion = "OS: " + s.o.OSVersion + " SP: 0.0 Stack: 3.0"
	if s.o.Product != "" {
		id.ProductVendor, id.ProductVersion = s.o.Vendor, s.o.Product
	}
	on := s.snapshot().WinRM.Service.Auth
	if on.Basic {
		id.SecurityProfiles = append(id.SecurityProfiles, profileBase+"http/basic", profileBase+"https/basic")
	}
	if on.Kerberos || on.Negotiate {
		id.SecurityProfiles = append(id.SecurityProfiles, profileBase+"http/spnego-kerberos", profileBase+"https/spnego-kerberos")
	}
	if on.Certificate {
		id.SecurityProfiles = append(id.SecurityProfiles, profileBase+"https/mutual")
	}
	return id
}

// identifyBody marks the answer to Identify, which has an envelope of its own
// without addressing headers.
type identifyBody struct{ *wsman.IdentifyResponse }

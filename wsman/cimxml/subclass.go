package cimxml

import (
	"strings"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// AppendPath appends the reference to a class as an item of the answer to
// GetSubClassPaths: an a:EndpointReference that declares its own prefixes. See
// [MS-WSMV] 3.1.4.1.38 and DSP0227 section 15.3.
func AppendPath(dst []byte, namespace, class string) []byte {
	w := soap.NewWriter(dst)
	epr := wsman.EPR{Address: wsman.Anonymous, ResourceURI: ResourceURI, Selectors: Selectors(namespace, class)}
	w.Start(soap.Addressing, "EndpointReference")
	w.Declare(soap.Addressing, soap.WSMan)
	epr.WriteContent(w)
	w.End()
	return w.Bytes()
}

// ParsePath takes namespace and class out of a reference that AppendPath, or
// another service, made: the class is selected, or the last part of the
// resource URI. ok is false for a reference to something else.
func ParsePath(epr *wsman.EPR) (namespace, class string, ok bool) {
	if len(epr.ResourceURI) < len(BaseURI) || !strings.EqualFold(epr.ResourceURI[:len(BaseURI)], BaseURI) {
		return "", "", false
	}
	namespace, class, _ = ParseSelectors(epr.Selectors)
	if class == "" {
		class = strings.Trim(epr.ResourceURI[len(BaseURI):], "/")
	}
	return namespace, class, class != "" && class != "*"
}

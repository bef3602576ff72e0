package wsman

import (
	"strings"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// EPR is an endpoint reference: the address of a service and what selects
// one resource there. See [MS-WSMV] 2.2.4.11.
type EPR struct {
	Address     string // Anonymous where the reference came from
	ResourceURI string
	Selectors   SelectorSet
}

// Equal reports whether both references mean the same resource. The address
// is compared only if neither is Anonymous; case does not matter.
func (e *EPR) Equal(o *EPR) bool {
	if e == nil || o == nil {
		return e == o
	}
	if !strings.EqualFold(e.Address, o.Address) && e.Address != Anonymous && o.Address != Anonymous {
		return false
	}
	return strings.EqualFold(e.ResourceURI, o.ResourceURI) && e.Selectors.Equal(o.Selectors)
}

// ReadEPR reads an element of the endpoint reference type, whatever its name,
// from its StartElement to its EndElement. Unknown parameters are skipped.
func ReadEPR(r *soap.Reader) (EPR, error) { return readEPR(r, 0) }

func readEPR(r *soap.Reader, depth int) (EPR, error) {
	var e EPR
	for {
		more, err := r.Child()
		if err != nil || !more {
			return e, err
		}
		switch {
		case r.Is(soap.Addressing, "Address"):
			e.Address, err = readTrimmed(r)
		case r.Is(soap.Addressing, "ReferenceParameters"), r.Is(soap.Addressing, "ReferenceProperties"):
			err = e.readParameters(r, depth)
		default:
			err = r.Skip()
		}
		if err != nil {
			return e, err
		}
	}
}

func (e *EPR) readParameters(r *soap.Reader, depth int) error {
	for {
		more, err := r.Child()
		if err != nil || !more {
			return err
		}
		switch {
		case r.Is(soap.WSMan, "ResourceURI"):
			e.ResourceURI, err = readTrimmed(r)
		case r.Is(soap.WSMan, "SelectorSet"):
			e.Selectors, err = readSelectors(r, depth)
		default:
			err = r.Skip()
		}
		if err != nil {
			return err
		}
	}
}

// Write writes the reference as an element of this name.
func (e *EPR) Write(w *soap.Writer, ns soap.NS, local string) {
	w.Start(ns, local)
	e.WriteContent(w)
	w.End()
}

// WriteContent writes what stands inside an element of the endpoint
// reference type.
func (e *EPR) WriteContent(w *soap.Writer) {
	w.Element(soap.Addressing, "Address", e.Address)
	if e.ResourceURI == "" && len(e.Selectors) == 0 {
		return
	}
	w.Start(soap.Addressing, "ReferenceParameters")
	w.Element(soap.WSMan, "ResourceURI", e.ResourceURI)
	e.Selectors.Write(w)
	w.End()
}

// readTrimmed reads simple content without the white space around it.
func readTrimmed(r *soap.Reader) (string, error) {
	b, err := r.ReadText()
	return string(soap.TrimSpace(b)), err
}

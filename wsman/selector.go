package wsman

import (
	"strings"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// Selector is one name and value that select an instance. The value is text
// or, where the key is a reference, an EPR. See [MS-WSMV] 3.1.4.1.2.
type Selector struct {
	Name  string
	Value string
	EPR   *EPR
}

// SelectorSet holds selectors in the order in which they were written. Names
// and values do not depend on case.
type SelectorSet []Selector

// Get returns the value of a selector.
func (s SelectorSet) Get(name string) (string, bool) {
	for i := range s {
		if strings.EqualFold(s[i].Name, name) {
			return s[i].Value, true
		}
	}
	return "", false
}

// Without returns the set without the selector of this name.
func (s SelectorSet) Without(name string) SelectorSet {
	var out SelectorSet
	for _, sel := range s {
		if !strings.EqualFold(sel.Name, name) {
			out = append(out, sel)
		}
	}
	return out
}

// Equal reports whether both sets select the same instance: the same names
// and values, in any order and any case.
func (s SelectorSet) Equal(t SelectorSet) bool {
	if len(s) != len(t) {
		return false
	}
	for _, a := range s {
		found := false
		for _, b := range t {
			if !strings.EqualFold(a.Name, b.Name) {
				continue
			}
			if (a.EPR == nil) != (b.EPR == nil) {
				return false
			}
			found = a.EPR == nil && strings.EqualFold(a.Value, b.Value) || a.EPR != nil && a.EPR.Equal(b.EPR)
		}
		if !found {
			return false
		}
	}
	return true
}

// The bounds of a request; what is beyond them is answered by
// w:EncodingLimit with SelectorLimit or OptionLimit.
const (
	maxSelectors = 512
	maxOptions   = 512
	maxURI       = 2048
	maxEPRDepth  = 4
)

// ReadSelectorSet reads a w:SelectorSet from its StartElement to its
// EndElement. Faults say what is wrong with it.
func ReadSelectorSet(r *soap.Reader) (SelectorSet, error) { return readSelectors(r, 0) }

func readSelectors(r *soap.Reader, depth int) (SelectorSet, error) {
	var set SelectorSet
	for {
		more, err := r.Child()
		if err != nil || !more {
			return set, err
		}
		if !r.Is(soap.WSMan, "Selector") {
			return set, NewFault(CodeInvalidSelectors, "SelectorSet holds an element that is not a Selector")
		}
		name, ok := r.Attr(soap.None, "Name")
		if !ok || len(name) == 0 {
			return set, NewFault(CodeInvalidSelectors, "a Selector has no Name")
		}
		sel := Selector{Name: string(name)}
		if _, dup := set.Get(sel.Name); dup {
			return set, NewFault(CodeDuplicateSelectors, "selector "+sel.Name+" is given twice")
		}
		if len(set) == maxSelectors {
			return set, NewFault(CodeSelectorLimit, "")
		}
		if err := readSelectorValue(r, &sel, depth); err != nil {
			return set, err
		}
		set = append(set, sel)
	}
}

// readSelectorValue reads the content: text, or one EndpointReference.
func readSelectorValue(r *soap.Reader, sel *Selector, depth int) error {
	var text []byte
	for {
		k, err := r.Next()
		if err != nil {
			return err
		}
		switch k {
		case soap.Text:
			text = append(text, r.Text()...)
		case soap.StartElement:
			if !r.Is(soap.Addressing, "EndpointReference") || sel.EPR != nil || depth >= maxEPRDepth || !soap.IsSpace(text) {
				return NewFault(CodeInvalidSelectors, "selector "+sel.Name+" is neither text nor one endpoint reference")
			}
			epr, err := readEPR(r, depth+1)
			if err != nil {
				return err
			}
			sel.EPR, text = &epr, text[:0]
		default:
			if sel.EPR == nil {
				sel.Value = string(soap.TrimSpace(text))
			}
			return nil
		}
	}
}

// Write writes the set as a w:SelectorSet; an empty set writes nothing.
func (s SelectorSet) Write(w *soap.Writer) {
	if len(s) == 0 {
		return
	}
	w.Start(soap.WSMan, "SelectorSet")
	for i := range s {
		w.Start(soap.WSMan, "Selector")
		w.Attr(soap.None, "Name", s[i].Name)
		if s[i].EPR != nil {
			s[i].EPR.Write(w, soap.Addressing, "EndpointReference")
		} else {
			w.Text(s[i].Value)
		}
		w.End()
	}
	w.End()
}

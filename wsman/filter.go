package wsman

import "github.com/casementhq/casement/wsman/internal/soap"

// Filter restricts an enumeration. What it holds depends on the dialect:
// Text for WQL, Selectors for DialectSelector, Association for
// DialectAssociation, XML for others. See [MS-WSMV] 3.1.4.1.13.
type Filter struct {
	Dialect     string // "" is written as none; WS-Enumeration then means XPath 1.0
	Text        string
	Selectors   SelectorSet
	Association *AssociationFilter
	XML         soap.Fragment
}

// AssociationFilter asks for the objects associated with one, or for the
// associations themselves. Empty fields do not restrict.
type AssociationFilter struct {
	Associations     bool // the association instances instead of the associated ones
	Object           EPR
	AssociationClass string
	Role             string
	ResultClass      string
	ResultRole       string
	Properties       []string // IncludeResultProperty
}

func readFilter(r *soap.Reader) (*Filter, error) {
	f := &Filter{}
	dialect, _ := r.Attr(soap.None, "Dialect")
	f.Dialect = string(dialect)
	children := 0
	text, err := mixed(r, func() error {
		children++
		if children > 1 {
			return NewFault(CodeEnumerateCannotProcessFilter, "the filter holds more than one element")
		}
		var err error
		switch {
		case r.Is(soap.WSMan, "SelectorSet"):
			f.Selectors, err = ReadSelectorSet(r)
		case r.Is(soap.CIMBinding, "AssociatedInstances"), r.Is(soap.CIMBinding, "AssociationInstances"):
			f.Association, err = readAssociation(r)
		default:
			f.XML, err = r.Outer()
		}
		return err
	})
	f.Text = string(soap.TrimSpace([]byte(text)))
	return f, err
}

func readAssociation(r *soap.Reader) (*AssociationFilter, error) {
	a := &AssociationFilter{Associations: string(r.Local()) == "AssociationInstances"}
	object := false
	err := eachChild(r, func() (err error) {
		if r.Space() != soap.CIMBinding {
			return r.Skip()
		}
		switch string(r.Local()) {
		case "Object":
			object = true
			a.Object, err = ReadEPR(r)
		case "AssociationClassName":
			a.AssociationClass, err = readTrimmed(r)
		case "Role":
			a.Role, err = readTrimmed(r)
		case "ResultClassName":
			a.ResultClass, err = readTrimmed(r)
		case "ResultRole":
			a.ResultRole, err = readTrimmed(r)
		case "IncludeResultProperty":
			var name string
			name, err = readTrimmed(r)
			a.Properties = append(a.Properties, name)
		default:
			err = r.Skip()
		}
		return err
	})
	if err == nil && !object {
		err = NewFault(CodeEnumerateCannotProcessFilter, "the association filter has no Object")
	}
	return a, err
}

func (f *Filter) write(w *soap.Writer) error {
	w.Start(soap.WSMan, "Filter")
	if f.Dialect != "" {
		w.Attr(soap.None, "Dialect", f.Dialect)
	}
	w.Text(f.Text)
	f.Selectors.Write(w)
	if f.Association != nil {
		f.Association.write(w)
	}
	if !f.XML.IsZero() {
		if err := w.Fragment(f.XML); err != nil {
			return err
		}
	}
	w.End()
	return nil
}

func (a *AssociationFilter) write(w *soap.Writer) {
	name := "AssociatedInstances"
	if a.Associations {
		name = "AssociationInstances"
	}
	w.Start(soap.CIMBinding, name)
	w.Declare(soap.CIMBinding)
	a.Object.Write(w, soap.CIMBinding, "Object")
	put := func(local, v string) {
		if v != "" {
			w.Element(soap.CIMBinding, local, v)
		}
	}
	if !a.Associations {
		put("AssociationClassName", a.AssociationClass)
	}
	put("Role", a.Role)
	put("ResultClassName", a.ResultClass)
	if !a.Associations {
		put("ResultRole", a.ResultRole)
	}
	for _, p := range a.Properties {
		put("IncludeResultProperty", p)
	}
	w.End()
}

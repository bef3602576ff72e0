package wsman

import (
	"strings"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// Option is one switch of an operation that its resource defines. See
// [MS-WSMV] 3.1.4.1.9.
type Option struct {
	Name       string
	Value      string
	Type       string // the Type attribute, for instance "xs:int"; may be empty
	MustComply bool   // the service must fault if it does not know the option
	Nil        bool   // xsi:nil
}

// OptionSet holds options in the order in which they were written; wmiarray
// options repeat a name.
type OptionSet []Option

// Get returns the first option of this name; case does not matter.
func (s OptionSet) Get(name string) (Option, bool) {
	for _, o := range s {
		if strings.EqualFold(o.Name, name) {
			return o, true
		}
	}
	return Option{}, false
}

func readOptions(r *soap.Reader) (OptionSet, error) {
	var set OptionSet
	for {
		more, err := r.Child()
		if err != nil || !more {
			return set, err
		}
		if !r.Is(soap.WSMan, "Option") {
			return set, NewFault(CodeInvalidOptions, "OptionSet holds an element that is not an Option")
		}
		name, ok := r.Attr(soap.None, "Name")
		if !ok || len(name) == 0 {
			return set, NewFault(CodeOptionsInvalidName, "an Option has no Name")
		}
		if len(set) == maxOptions {
			return set, NewFault(CodeOptionLimit, "")
		}
		o := Option{Name: string(name)}
		typ, _ := r.Attr(soap.None, "Type")
		o.Type = string(typ)
		if v, ok := r.Attr(soap.None, "MustComply"); ok {
			if o.MustComply, ok = parseBool(v); !ok {
				return set, NewFault(CodeInvalidOptions, "MustComply is neither true nor false")
			}
		}
		if v, ok := r.Attr(soap.XSI, "nil"); ok {
			o.Nil, _ = parseBool(v)
		}
		text, err := r.ReadText()
		if err != nil {
			return set, err
		}
		o.Value = string(text)
		set = append(set, o)
	}
}

func (s OptionSet) write(w *soap.Writer, must bool) {
	if len(s) == 0 {
		return
	}
	w.Start(soap.WSMan, "OptionSet")
	w.Declare(soap.XSI)
	if must {
		w.Attr(soap.Envelope, "mustUnderstand", "true")
	}
	for _, o := range s {
		w.Start(soap.WSMan, "Option")
		w.Attr(soap.None, "Name", o.Name)
		if o.Type != "" {
			if strings.HasPrefix(o.Type, "xs:") {
				w.Declare(soap.XSD)
			}
			w.Attr(soap.None, "Type", o.Type)
		}
		if o.MustComply {
			w.Attr(soap.None, "MustComply", "true")
		}
		if o.Nil {
			w.Attr(soap.XSI, "nil", "true")
		}
		w.Text(o.Value)
		w.End()
	}
	w.End()
}

// parseBool reads an xs:boolean.
func parseBool(b []byte) (value, ok bool) {
	switch strings.ToLower(string(soap.TrimSpace(b))) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

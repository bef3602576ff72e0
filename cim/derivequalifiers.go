package cim

import "slices"

// standardFlavors are the flavors that the rules of the class model give some
// qualifiers, whatever the declaration says: what they state holds for every
// subclass. See spec/wmi.md 2.7.
var standardFlavors = map[string]Flavor{
	"key":         ToInstance | ToSubClass | NotOverridable,
	"indexed":     ToInstance | ToSubClass | NotOverridable,
	"association": ToInstance | ToSubClass | NotOverridable,
	"indication":  ToInstance | ToSubClass | NotOverridable,
	"singleton":   ToInstance | ToSubClass | NotOverridable,
	"static":      ToSubClass | NotOverridable,
	"in":          ToSubClass | NotOverridable,
	"out":         ToSubClass | NotOverridable,
	"id":          ToSubClass | NotOverridable,
	"abstract":    0,
	"terminal":    0,
}

// onlyTrue are the qualifiers that are there and true or not there at all.
var onlyTrue = map[string]bool{"key": true, "indexed": true, "dynamic": true, "singleton": true}

// qualifiers merges what an element declares into what it inherits.
func (d *derivation) qualifiers(element string, above, declared Qualifiers) (Qualifiers, error) {
	if len(declared) > MaxQualifiers {
		return nil, d.fail(ErrTooMuchData, element, "an element has at most 256 qualifiers")
	}
	out := above
	for i, q := range declared {
		if _, twice := declared[:i].Get(q.Name); twice {
			return nil, d.fail(ErrInvalidQualifier, element, "the qualifier "+q.Name+" is given twice")
		}
		if err := d.qualifier(element, &q); err != nil {
			return nil, err
		}
		old := slices.IndexFunc(above, func(o Qualifier) bool { return EqualFold(o.Name, q.Name) })
		if old < 0 {
			if q.Flavor&Propagated != 0 {
				return nil, d.fail(ErrPropagatedQualifier, element, "the qualifier "+q.Name+" is said to be inherited and is not")
			}
			out = append(slices.Clip(out), q)
			continue
		}
		same := sameQualifier(above[old].Value, q.Value)
		if same && (q.Flavor&Propagated != 0 || above[old].Flavor&NotOverridable != 0) {
			continue // a repetition
		}
		if above[old].Flavor&NotOverridable != 0 {
			return nil, d.fail(ErrOverrideNotAllowed, element, "the inherited qualifier "+q.Name+" may not be changed")
		}
		q.Flavor &^= Propagated
		out = out.set(q)
	}
	return out, nil
}

// qualifier checks one qualifier and puts its value into a legal type.
func (d *derivation) qualifier(element string, q *Qualifier) error {
	if err := checkName(q.Name, ErrQualifierNameTooWide); err != nil {
		return d.fail(StatusOf(err), element, "qualifier "+q.Name+": "+err.Error())
	}
	v, ok := qualifierValue(q.Value)
	if !ok {
		return d.fail(ErrInvalidQualifierType, element, "the qualifier "+q.Name+" is neither sint32, string, boolean, real64 nor an array of one of them")
	}
	q.Value = v
	folded := Fold(q.Name)
	if b, isBool := v.Bool(); onlyTrue[folded] && (!isBool || !b) {
		return d.fail(ErrInvalidQualifier, element, "the qualifier "+q.Name+" is TRUE or left out")
	}
	if f, ok := standardFlavors[folded]; ok {
		q.Flavor = q.Flavor&(Propagated|System) | f
	}
	return nil
}

// qualifierValue is v in one of the types that a qualifier may have.
func qualifierValue(v Value) (Value, bool) {
	t := v.Type().Elem()
	switch {
	case t == String || t == Boolean || t == Sint32 || t == Real64:
		return v, true
	case t.IsInteger():
		t = Sint32
	case t == Real32:
		t = Real64
	case t == Untyped && v.IsNull():
		return v, true
	default:
		return v, false
	}
	w, err := v.As(t | v.Type()&ArrayFlag)
	return w, err == nil
}

// sameQualifier compares the values of two qualifiers, whatever their width.
func sameQualifier(a, b Value) bool {
	a, aok := qualifierValue(a)
	b, bok := qualifierValue(b)
	return aok && bok && a.Equal(b)
}

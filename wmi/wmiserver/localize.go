package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi"
)

// localizer gives objects the class with the texts of the client's locales, as WBEM_FLAG_USE_AMENDED_QUALIFIERS asks for: an instance
// travels with its class. See [MS-WMI] 3.1.1.2.
type localizer struct {
	session cim.Session
	known   map[*cim.Class]*cim.Class
}

func newLocalizer(s cim.Session) *localizer {
	return &localizer{session: s, known: map[*cim.Class]*cim.Class{}}
}

// localize is i with that class. It stays as it is where the class cannot be had, or has other properties, as that of a projection.
func (l *localizer) localize(ctx context.Context, i *cim.Instance) *cim.Instance {
	plain := i.Class()
	class, ok := l.known[plain]
	if !ok {
		class, _ = l.session.GetClass(ctx, plain.Name, cim.GetOptions{Amended: true})
		if class != nil && !sameProperties(class, plain) {
			class = nil
		}
		l.known[plain] = class
	}
	switch {
	case class == nil || class == plain:
		return i
	case i.IsClass():
		return cim.ClassObject(class)
	}
	values := make([]cim.Value, i.Len())
	for n := range values {
		values[n] = i.At(n)
	}
	out := cim.MakeInstance(class, values)
	if p, whole := i.Path(); whole {
		out.SetPath(p)
	}
	return out
}

func sameProperties(a, b *cim.Class) bool {
	if len(a.Properties) != len(b.Properties) || b.Partial {
		return false
	}
	for n := range a.Properties {
		if !cim.EqualFold(a.Properties[n].Name, b.Properties[n].Name) || a.Properties[n].Type != b.Properties[n].Type {
			return false
		}
	}
	return true
}

// localized is an enumerator whose objects are localized.
type localized struct {
	cim.Enumerator
	*localizer
	batch []*cim.Instance
}

// Next gives what the enumerator below gives.
func (e *localized) Next(ctx context.Context, limit int) ([]*cim.Instance, error) {
	batch, err := e.Enumerator.Next(ctx, limit)
	e.batch = e.batch[:0]
	for _, i := range batch {
		e.batch = append(e.batch, e.localize(ctx, i))
	}
	return e.batch, err
}

// amend wraps an enumerator where the flag asks for it.
func amend(enum cim.Enumerator, s cim.Session, flags uint32) cim.Enumerator {
	if flags&wmi.FlagUseAmendedQualifiers == 0 {
		return enum
	}
	return &localized{Enumerator: enum, localizer: newLocalizer(s)}
}

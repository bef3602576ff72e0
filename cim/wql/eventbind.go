package wql

import (
	"encoding/binary"
	"strings"

	"github.com/casementhq/casement/cim"
)

// BoundEvent is an event query that was checked against its event class. It is
// immutable and may be used by several goroutines.
type BoundEvent struct {
	Query *EventQuery
	Class *cim.Class // the event class of FROM
	// Properties are the properties to be shown, nil for all. A dotted name
	// stands with its first part: the whole embedded object is shown.
	Properties []string
	// Constraints are the equalities over the event's own properties that every
	// result meets.
	Constraints []Constraint
	// Orders are the comparisons by order that every result meets, likewise.
	Orders []Order
	// Never says that no event can be a result.
	Never bool

	where    node // nil: every event of the class is a result
	by       []operand
	required map[string][]string // by folded property
	polls    []*Query
}

// BindEvent checks q against the event class that it selects from. lookup
// finds a class of the namespace that the events are about, nil where there is
// none; it is called only while BindEvent runs. It fails with ErrNotEventClass
// for a class that is not derived from __Event, ErrInvalidQuery for an unknown
// property, ErrPropertyNotAnObject for a dot after a scalar,
// ErrAggregatingByObject for BY with an embedded object, ErrInvalidClass where
// TargetInstance or PreviousInstance has to be of a class that there is not,
// and ErrTypeMismatch and ErrInvalidOperator as [Bind] does: inside of an
// embedded object that is of one class by ISA or by declaration, too.
func BindEvent(q *EventQuery, class *cim.Class, lookup func(className string) *cim.Class) (*BoundEvent, error) {
	if !class.IsA("__Event") {
		return nil, &cim.Error{Status: cim.ErrNotEventClass, Detail: class.Name + " is not derived from __Event"}
	}
	b := &BoundEvent{Query: q, Class: class}
	c := &compiler{class: class, event: true, lookup: lookup}
	var err error
	if b.Properties, err = c.shown(q.Select); err != nil {
		return nil, err
	}
	if q.Where != nil {
		if err := b.bindWhere(c); err != nil {
			return nil, err
		}
	}
	if q.Group != nil {
		err = b.bindGroup(c)
	}
	return b, err
}

func (b *BoundEvent) bindWhere(c *compiler) (err error) {
	where := b.Query.Where
	if b.where, err = c.compile(where); err != nil {
		return err
	}
	b.Never = b.where == never
	if err := constrain(b.Class, where, &b.Constraints, &b.Orders); err != nil {
		return err
	}
	b.require(where, c.lookup)
	return nil
}

func (b *BoundEvent) bindGroup(c *compiler) error {
	if b.Query.Where != nil {
		c.assume(b.Query.Where)
	}
	for _, n := range b.Query.Group.By {
		p, t, err := c.resolve(n)
		if err != nil {
			return err
		}
		if t.Elem() == cim.Object {
			return fail(cim.ErrAggregatingByObject, n.At, n.String()+" is an embedded object")
		}
		b.by = append(b.by, p)
	}
	return nil
}

// Match tells whether an event is a result: one of the class or of a class
// derived from it that meets the condition. It allocates nothing, but for a
// condition over __PATH, __RELPATH or __DERIVATION of an embedded object.
func (b *BoundEvent) Match(event *cim.Instance) bool {
	c := event.Class()
	if c != b.Class && !c.IsA(b.Class.Name) {
		return false
	}
	return b.where == nil || b.where.eval(object{c, event})
}

// AppendGroup appends a key of the group that an event belongs to: equal for
// two events that BY puts together. Strings are equal case-blind; NULL and
// what is not there are one value. Without BY it appends nothing.
func (b *BoundEvent) AppendGroup(key []byte, event *cim.Instance) []byte {
	for n := range b.by {
		v, ok := b.by[n].value(objectOf(event))
		if !ok || v.IsNull() {
			key = append(key, 0)
			continue
		}
		text := strings.ToLower(v.String())
		key = binary.AppendUvarint(append(key, 1), uint64(len(text)))
		key = append(key, text...)
	}
	return key
}

// Required are the classes of which the object in an event's property must be,
// or derived from one: those that ISA and __CLASS= ask for. It is nil where
// the condition asks for none. PreviousInstance and TargetInstance are one
// object at two times, and so are the classes and the namespaces: what is
// required of one is required of both.
func (b *BoundEvent) Required(property string) []string {
	return b.required[targetOf(property)]
}

// Polls are the data queries whose results, compared with those before, tell
// the instance events that can be results: one for each class that Required
// has for TargetInstance. Their conditions, which are there only where they
// help, look at keys and at the class alone: a condition over anything else
// would make a change look like a creation. The queries have no text.
func (b *BoundEvent) Polls() []*Query { return b.polls }

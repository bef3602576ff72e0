package cimom

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// Operation is a kind of call that a provider gets.
type Operation uint8

// The operations, as Msft_Providers counts them.
const (
	OpGet         Operation = iota // GetObjectAsync
	OpList                         // CreateInstanceEnumAsync
	OpQuery                        // ExecQueryAsync: a list with a condition, associations of an object
	OpPut                          // PutInstanceAsync
	OpDelete                       // DeleteInstanceAsync
	OpInvoke                       // ExecMethodAsync
	OpGetProperty                  // GetProperty
	OpPutProperty                  // PutProperty
	OpEvents                       // ProvideEvents
	operationKinds
)

// operationNames are the names of the operations in Msft_Providers, and the
// folded ones of their events where they have some. See spec/wmi.md 5.1.
var operationNames = [operationKinds]struct{ counter, before, after string }{
	OpGet:         eventsOf("GetObjectAsync", "Event"),
	OpList:        eventsOf("CreateInstanceEnumAsync", "Event"),
	OpQuery:       eventsOf("ExecQueryAsync", "Event"),
	OpPut:         eventsOf("PutInstanceAsync", "Event"),
	OpDelete:      eventsOf("DeleteInstanceAsync", "Event"),
	OpInvoke:      eventsOf("ExecMethodAsync", "Event"),
	OpGetProperty: {counter: "GetProperty"},
	OpPutProperty: {counter: "PutProperty"},
	OpEvents:      eventsOf("ProvideEvents", ""),
}

func eventsOf(counter, suffix string) (n struct{ counter, before, after string }) {
	n.counter = counter
	n.before, n.after = cim.Fold(operationPrefix+counter+suffix+"_Pre"), cim.Fold(operationPrefix+counter+suffix+"_Post")
	return n
}

// CallCounts counts the calls of a provider; its zero value has none.
type CallCounts struct{ n [operationKinds]atomic.Uint64 }

// Add counts one call.
func (c *CallCounts) Add(o Operation) { c.n[o].Add(1) }

// Calls are the numbers of calls by Operation.
type Calls [operationKinds]uint64

// Calls reads the counts.
func (c *CallCounts) Calls() (out Calls) {
	for o := range c.n {
		out[o] = c.n[o].Load()
	}
	return out
}

// operation is a call of a provider with what its events tell.
type operation struct {
	kind     Operation
	flags    uint32         // as the method of IWbemServices would have them
	path     cim.ObjectPath // OpGet, OpDelete, OpInvoke; with role the object of OpQuery
	role     string
	method   string
	instance *cim.Instance
}

// record counts the calls of one provider, by namespace.
type record struct {
	manager *Manager
	mu      sync.RWMutex
	counts  map[string]*CallCounts
}

func newRecord(m *Manager) *record { return &record{manager: m, counts: map[string]*CallCounts{}} }

// in are the counts of one namespace.
func (r *record) in(namespace string) *CallCounts {
	r.mu.RLock()
	c := r.counts[namespace]
	r.mu.RUnlock()
	if c != nil {
		return c
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c = r.counts[namespace]; c == nil {
		c = &CallCounts{}
		r.counts[namespace] = c
	}
	return c
}

// The events about operations belong to this namespace, whatever the namespace
// of the operation.
const (
	operationsNamespace = `root\cimv2`
	operationPrefix     = "Msft_WmiProvider_"
)

// The events about processes, folded.
var (
	loadFailureEvent = cim.Fold(operationPrefix + "LoadOperationFailureEvent")
	loadEvent        = cim.Fold(operationPrefix + "LoadOperationEvent")
	unloadEvent      = cim.Fold(operationPrefix + "UnLoadOperationEvent")
)

// observed makes a call of the provider and tells those who want to know before
// and after it. Where nobody subscribed to anything in root\cimv2 it costs a
// look at who did; where nobody wants these events, no memory.
func (s *source) observed(r *Request, o operation, f func() error) error {
	if s.record == nil {
		return protect(f)
	}
	s.record.in(r.Namespace).Add(o.kind)
	m := s.record.manager
	if !m.events.hub.Follows(operationsNamespace) {
		return protect(f)
	}
	m.tell(s, r, o, operationNames[o.kind].before, nil)
	err := protect(f)
	m.tell(s, r, o, operationNames[o.kind].after, err)
	if cim.StatusOf(err) == cim.ErrProviderLoadFailure {
		m.tellOf(loadFailureEvent, ProviderProcess{Namespace: r.Namespace, Provider: s.name}, func(e *cim.Instance) {
			fillIn(e, "ResultCode", cim.U32(uint32(cim.ErrProviderLoadFailure)))
		})
	}
	return err
}

// tell publishes the event before or after an operation, which has the outcome
// err then.
func (m *Manager) tell(s *source, r *Request, o operation, event string, err error) {
	if event == "" {
		return
	}
	m.tellOf(event, ProviderProcess{Namespace: r.Namespace, Provider: s.name}, func(e *cim.Instance) {
		fillIn(e, "Flags", cim.U32(o.flags))
		switch o.kind {
		case OpGet, OpDelete:
			fillIn(e, "ObjectPath", cim.Str(o.path.String()))
		case OpInvoke:
			fillIn(e, "ObjectPath", cim.Str(o.path.String()))
			fillIn(e, "MethodName", cim.Str(o.method))
		case OpList:
			fillIn(e, "ClassName", cim.Str(r.Class.Name))
		case OpQuery:
			fillIn(e, "Query", cim.Str(o.query(r)))
			fillIn(e, "QueryLanguage", cim.Str("WQL"))
		case OpPut:
			fillIn(e, "InstanceObject", cim.Obj(o.instance.Clone()))
		}
		status := cim.U32(uint32(statusOf(err)))
		fillIn(e, "ResultCode", status) // before the operation there is no such property
		fillIn(e, "Result", status)
	})
}

// statusOf is the status of the answer of a provider, as its caller gets it.
func statusOf(err error) cim.Status {
	var known *cim.Error
	var status cim.Status
	switch {
	case err == nil, errors.As(err, &known), errors.As(err, &status):
		return cim.StatusOf(err)
	case errors.Is(err, context.DeadlineExceeded):
		return cim.ErrTimedOut
	case errors.Is(err, context.Canceled), errors.Is(err, errStopped): // nobody wants the rest
		return cim.ErrCallCancelled
	}
	return cim.ErrProviderFailure
}

// tellOf publishes an event about a provider, for administrators.
func (m *Manager) tellOf(class string, p ProviderProcess, fill func(*cim.Instance)) {
	m.events.hub.System(operationsNamespace, class, func(e *cim.Instance) {
		m.identify(e, p)
		fill(e)
	})
}

// fillIn sets a property of a class that a user may have changed; one that is
// not there, or has another type, is left alone.
func fillIn(i *cim.Instance, property string, v cim.Value) {
	if i.Class().PropertyIndex(property) >= 0 {
		_ = i.Set(property, v)
	}
}

// query is the query that a provider was asked: what is left for the manager to
// filter is no part of it.
func (o *operation) query(r *Request) string {
	if o.role != "" {
		return "REFERENCES OF {" + o.path.String() + "} WHERE ResultClass = " + r.Class.Name + " Role = " + o.role
	}
	var b strings.Builder
	b.WriteString("SELECT ")
	selected := false
	for n := range r.Class.Properties {
		if r.wanted != nil && r.wanted[n] {
			if selected {
				b.WriteString(", ")
			}
			b.WriteString(r.Class.Properties[n].Name)
			selected = true
		}
	}
	if !selected {
		b.WriteString("*")
	}
	b.WriteString(" FROM " + r.Class.Name)
	word := " WHERE "
	compare := func(property int, op string, v cim.Value) {
		b.WriteString(word + r.Class.Properties[property].Name + " " + op + " " + literal(v))
		word = " AND "
	}
	for _, c := range r.Constraints {
		compare(c.Property, "=", c.Value)
	}
	for _, c := range r.Orders {
		compare(c.Property, orderSigns[c.Op], c.Value)
	}
	return b.String()
}

var orderSigns = map[wql.Op]string{wql.Less: "<", wql.LessOrEqual: "<=", wql.Greater: ">", wql.GreaterOrEqual: ">="}

var literalEscapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// literal is a value as WQL writes it.
func literal(v cim.Value) string {
	switch v.Type() {
	case cim.String, cim.Datetime, cim.Reference, cim.Char16:
		return "'" + literalEscapes.Replace(v.String()) + "'"
	}
	return v.String()
}

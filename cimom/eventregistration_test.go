package cimom_test

import (
	"testing"

	"github.com/casementhq/casement/cim"
)

// A registration of an event provider is refused where a query is none, is of
// no event, or claims what the manager tells itself. See spec/wmi.md 3.6 and
// 6.1.
func TestEventQueriesOfARegistration(t *testing.T) {
	s := storing(t)
	put(t, s, keyed("Thing", ""), cim.PutClassOptions{})
	put(t, s, cim.Class{Name: "EmailEvent", Superclass: "__ExtrinsicEvent"}, cim.PutClassOptions{})
	for _, c := range []struct {
		query string
		want  error
	}{
		{`SELECT * FROM EmailEvent`, nil},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'Thing'`, nil},
		{`SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Thing' OR TargetInstance ISA 'EmailEvent'`, nil},
		{`SELECT * FROM CallEvent`, nil}, // a class that may come later
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'Later'`, nil},
		{`garbage`, cim.ErrUnparsableQuery},
		{`SELECT * FROM Thing`, cim.ErrNotEventClass},
		{`SELECT * FROM __Event`, cim.ErrEssRegistrationTooBroad},
		{`SELECT * FROM __ExtrinsicEvent`, cim.ErrEssRegistrationTooBroad},
		{`SELECT * FROM __TimerEvent`, cim.ErrEssRegistrationTooBroad},
		{`SELECT * FROM __ClassCreationEvent WHERE TargetClass ISA 'Thing'`, cim.ErrEssRegistrationTooBroad},
		{`SELECT * FROM __InstanceOperationEvent`, cim.ErrEssRegistrationTooBroad},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA '__NAMESPACE'`, cim.ErrEssRegistrationTooBroad},
	} {
		path, err := s.Create(t.Context(), make1(t, s, "__EventProviderRegistration", map[string]cim.Value{
			"provider": cim.Ref(`__Win32Provider.Name="Outside"`), "EventQueryList": cim.Strs([]string{`SELECT * FROM EmailEvent`, c.query}),
		}), cim.OperationOptions{})
		if c.want == nil && err == nil {
			if err := s.Delete(t.Context(), path, cim.OperationOptions{}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if cim.StatusOf(err) != cim.StatusOf(c.want) {
			t.Errorf("%s: %v, want %v", c.query, err, c.want)
		}
	}
}

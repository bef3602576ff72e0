//go:build unix

package consumers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// TestSubscription goes the whole way: three stored instances, an event, and a
// line in a file that the Administrators who stored them may write.
func TestSubscription(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{AppendLine: func(_ context.Context, creator cim.Caller, l Line) error {
		if creator.Token == nil || creator.Token.User != security.SIDAdministrators {
			return errors.New("not as the creator")
		}
		return AppendLine(l)
	}})
	if err != nil {
		t.Fatal(err)
	}
	m := cimom.New(cimom.Options{})
	defer m.Close()
	ctx := t.Context()
	if err := errors.Join(m.Register(p), m.Start(ctx)); err != nil {
		t.Fatal(err)
	}
	token := &security.Token{User: security.SIDLocalSystem, Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}}
	s, err := m.Open(ctx, cim.Caller{Token: token, Protection: cim.ProtectionPktPrivacy}, `root\subscription`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	create := func(class string, values map[string]cim.Value) cim.ObjectPath {
		t.Helper()
		c, err := s.GetClass(ctx, class, cim.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		i := cim.NewInstance(c)
		for name, v := range values {
			if err := i.Set(name, v); err != nil {
				t.Fatal(err)
			}
		}
		path, err := s.Create(ctx, i, cim.OperationOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	filter := func(name, query string) cim.ObjectPath {
		return create("__EventFilter", map[string]cim.Value{
			"Name": cim.Str(name), "Query": cim.Str(query), "QueryLanguage": cim.Str("WQL"), "EventNamespace": cim.Str(`root\subscription`),
		})
	}
	file := filepath.Join(dir, "filters.log")
	wanted := filter("watch", `SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA '__EventFilter' AND TargetInstance.Name LIKE 'new[0-9]%'`)
	log := create("LogFileEventConsumer", map[string]cim.Value{
		"Name": cim.Str("log"), "Filename": cim.Str(file), "Text": cim.Str("%__CLASS%: %TargetInstance.Name%"),
	})
	create("__FilterToConsumerBinding", map[string]cim.Value{"Filter": cim.Ref(wanted.Relative()), "Consumer": cim.Ref(log.Relative())})
	deadline := time.Now().Add(20 * time.Second)
	for n := '0'; ; n = '0' + (n-'0'+1)%10 {
		name := "new" + string(n) + time.Now().Format("150405.000000")
		filter("old"+name, "SELECT * FROM __TimerEvent")
		filter(name, "SELECT * FROM __TimerEvent")
		for range 20 {
			if b, err := os.ReadFile(file); err == nil && len(b) > 0 {
				want := "__InstanceCreationEvent: new"
				if got := string(b); len(got) < len(want) || got[:len(want)] != want {
					t.Errorf("%q", got)
				}
				return
			}
			time.Sleep(25 * time.Millisecond)
		}
		if time.Now().After(deadline) {
			t.Fatal("the event does not come")
		}
	}
}

package cimom_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/security"
)

// ends waits until an enumeration ends and returns why.
func ends(t *testing.T, e cim.Enumerator) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		if _, err := e.Next(ctx, 0); err != nil {
			return err
		}
	}
}

// TestSubscriberChanges: rights that are taken away reach subscriptions that
// are open: the descriptor of the namespace at once, the groups of the account
// when an event would be delivered, and a poll with its next round.
func TestSubscriberChanges(t *testing.T) {
	var mu sync.Mutex
	var refused error
	refuse := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		refused = err
	}
	var changed []string
	m := cimom.New(cimom.Options{
		CurrentCaller: func(c cim.Caller) (cim.Caller, error) {
			mu.Lock()
			defer mu.Unlock()
			if c.Token.User == security.SIDUsers {
				return c, refused
			}
			return c, nil
		},
		ProvidersChanged: func(namespace string) { changed = append(changed, namespace) },
	})
	defer m.Close()
	class := cim.NewClass("Polled", nil).Key("Id", cim.String).Build(`root\cimv2`)
	if err := m.Register(static.New(class)); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, `root\cimv2`)
	put(t, s, keyed("Stored", ""), cim.PutClassOptions{})
	token := &security.Token{User: security.SIDUsers, Groups: []security.GroupEntry{{SID: security.SIDAuthenticatedUsers}}}
	user := s.With(cim.Caller{Token: token})
	const stored = `SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Stored'`
	add := func(id string) {
		t.Helper()
		create(t, s, "Stored", map[string]cim.Value{"Id": cim.Str(id)})
	}

	// the account
	one := subscribe(t, user, stored)
	poll := subscribe(t, user, `SELECT * FROM __InstanceCreationEvent WITHIN 0.1 WHERE TargetInstance ISA 'Polled'`)
	add("1")
	expect(t, one, "__InstanceCreationEvent")
	add("2")
	refuse(&cim.Error{Status: cim.ErrAccessDenied, Detail: "a group was taken away"})
	if err := ends(t, one); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("the account lost a group: %v", err)
	}
	if err := ends(t, poll); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("and polls: %v", err)
	}
	refuse(nil)

	// the namespace
	two, mine := subscribe(t, user, stored), subscribe(t, s, stored)
	if err := setSD(t, s, sdBytes(t, "O:BAG:BAD:(A;;0x6003f;;;BA)(A;;0x13;;;AU)")); err != nil {
		t.Fatal(err)
	}
	add("3")
	expect(t, two, "__InstanceCreationEvent")
	if err := setSD(t, s, sdBytes(t, "O:BAG:BAD:(A;;0x6003f;;;BA)")); err != nil {
		t.Fatal(err)
	}
	if err := ends(t, two); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("the namespace is for administrators: %v", err)
	}
	expect(t, mine, "__InstanceCreationEvent") // 3
	add("4")
	expect(t, mine, "__InstanceCreationEvent")

	create(t, s, "__Win32Provider", map[string]cim.Value{"Name": cim.Str("p")})
	if err := s.Delete(t.Context(), cim.ObjectPath{Class: "__Win32Provider", Keys: []cim.Key{{Name: "Name", Value: cim.Str("p")}}}, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	if want := slices.Repeat([]string{`root\cimv2`}, 4); !slices.Equal(changed, want) {
		t.Errorf("told of changes in %q, want %q", changed, want)
	}
}

package service

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom/decoupled"
	"github.com/casementhq/casement/security"
)

// slow is a provider of a class without instances.
type slow struct{}

func (slow) Classes() []*cim.Class {
	return []*cim.Class{cim.NewClass("Slow", nil).Key("Id", cim.String).Build(`root\cimv2`)}
}

// TestProviderIsCut: the connections of a decoupled provider end when it may not
// be that any more: its registration or its namespace changed.
func TestProviderIsCut(t *testing.T) {
	const deny = "O:BAG:BAD:(A;;0x1;;;S-1-22-1-1)"
	setSD := func(t *testing.T, svc *Service, namespace, sddl string) {
		t.Helper()
		sd, err := security.ParseSDDL(sddl)
		if err != nil {
			t.Fatal(err)
		}
		b, err := sd.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		s, err := svc.objects.Open(t.Context(), system, namespace, cim.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		_, err = s.Invoke(t.Context(), cim.ObjectPath{Class: "__SystemSecurity", Singleton: true}, "SetSD",
			cim.Arguments{{Name: "SD", Value: cim.Bytes(b)}}, cim.OperationOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	for what, change := range map[string]func(*testing.T, *Service){
		"the registration is for another": func(t *testing.T, svc *Service) {
			compile(t, svc, `instance of __Win32Provider { Name = "P"; HostingModel = "Decoupled:Com"; SecurityDescriptor = "`+deny+`"; };`)
		},
		"the provider is disabled": func(t *testing.T, svc *Service) {
			compile(t, svc, `instance of __Win32Provider { Name = "P"; HostingModel = "Decoupled:Com"; Enabled = FALSE; };`)
		},
		"the registration is gone": func(t *testing.T, svc *Service) {
			compile(t, svc, `#pragma deleteinstance("__Win32Provider.Name=\"P\"", fail)`)
		},
		"the namespace is for others": func(t *testing.T, svc *Service) {
			setSD(t, svc, `root\cimv2`, "O:BAG:BAD:(A;;0x6003f;;;SY)")
		},
		"nothing that matters": nil,
	} {
		t.Run(what, func(t *testing.T) {
			svc, socket := registering(t)
			compile(t, svc, `instance of __Win32Provider { Name = "P"; HostingModel = "Decoupled:Com"; };`)
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			ended := make(chan error, 1)
			go func() {
				ended <- decoupled.ServeStream(t.Context(), c, decoupled.ServeOptions{Name: "P", Namespace: `root\cimv2`, Provider: slow{}})
			}()
			for begin := time.Now(); len(svc.objects.registrar.Connected()) == 0; time.Sleep(time.Millisecond) {
				if time.Since(begin) > 10*time.Second {
					t.Fatal("it does not connect")
				}
			}
			if change == nil {
				compile(t, svc, `instance of __Win32Provider { Name = "Q"; HostingModel = "Decoupled:Com"; };`)
				setSD(t, svc, `root\default`, "O:BAG:BAD:(A;;0x6003f;;;SY)")
				select {
				case err := <-ended:
					t.Errorf("it is cut: %v", err)
				case <-time.After(50 * time.Millisecond):
				}
				return
			}
			change(t, svc)
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Error("it is still connected")
			}
		})
	}
}

// TestSubscriberLosesGroup: an account that is taken out of the group that let
// it in gets no more events of a subscription that is open.
func TestSubscriberLosesGroup(t *testing.T) {
	state := at(t, filepath.Join(t.TempDir(), "state"), testTime())
	svc, err := New(state, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	store := state.Accounts
	_, err = store.AddUser(accounts.NewUser{Name: "ann", Password: "Secret-1-Secret"})
	if err == nil {
		_, err = store.AddGroup("Watchers", "")
	}
	if err == nil {
		err = store.AddMember("Watchers", "ann")
	}
	if err != nil {
		t.Fatal(err)
	}
	token, err := store.Token("ann", accounts.TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	compile(t, svc, `class Acme_Alarm : __ExtrinsicEvent { uint32 Level; };`)
	s, err := svc.objects.Open(t.Context(), cim.Caller{Token: &token}, `root\cimv2`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	events, err := s.(cim.Subscriber).Subscribe(t.Context(), "SELECT * FROM Acme_Alarm", cim.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	compile(t, svc, `instance of Acme_Alarm { Level = 1; };`)
	if list, err := events.Next(ctx, 1); len(list) != 1 || err != nil {
		t.Fatalf("the first event: %v, %v", list, err)
	}
	compile(t, svc, `instance of Acme_Alarm { Level = 2; };`)
	if err := store.RemoveMember("Watchers", "ann"); err != nil {
		t.Fatal(err)
	}
	if list, err := events.Next(ctx, 1); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("after she left the group: %v, %v", list, err)
	}
}

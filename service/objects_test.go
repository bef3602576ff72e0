package service

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom/decoupled"
)

// compile stores MOF in root\cimv2 of a service, as its administrator.
func compile(t *testing.T, svc *Service, text string) {
	t.Helper()
	s, err := svc.objects.Open(t.Context(), system, "root", cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in := cim.Arguments{{Name: "MOF", Value: cim.Str(text)}, {Name: "Namespace", Value: cim.Str(`root\cimv2`)}}
	result, err := s.Invoke(t.Context(), cim.ObjectPath{Class: "Casement_Repository"}, "Compile", in, cim.OperationOptions{})
	if code, _ := result.ReturnValue.Uint(); err != nil || code != 0 {
		t.Fatalf("compile: %v, %v", result, err)
	}
}

// TestWhoMayBeAProvider: a decoupled provider is admitted where the
// SecurityDescriptor of its __Win32Provider grants the user's account the right
// 1; without one only the service's own user and root are. T-106.
func TestWhoMayBeAProvider(t *testing.T) {
	state := at(t, filepath.Join(t.TempDir(), "state"), testTime())
	svc, err := New(state, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	compile(t, svc, `
		instance of __Win32Provider { Name = "Open"; HostingModel = "Decoupled:Com"; SecurityDescriptor = "O:BAG:BAD:(A;;0x1;;;WD)"; };
		instance of __Win32Provider { Name = "Admins"; HostingModel = "Decoupled:Com"; SecurityDescriptor = "O:BAG:BAD:(A;;0x1;;;BA)"; };
		instance of __Win32Provider { Name = "One"; HostingModel = "decoupled:com:FoldIdentity(FALSE)"; SecurityDescriptor = "O:BAG:BAD:(A;;0x1;;;S-1-22-1-54321)"; };
		instance of __Win32Provider { Name = "Null"; HostingModel = "Decoupled:Com"; };
		instance of __Win32Provider { Name = "Inside"; HostingModel = "NetworkServiceHost"; SecurityDescriptor = "O:BAG:BAD:(A;;0x1;;;WD)"; };
		instance of __Win32Provider { Name = "Broken"; HostingModel = "Decoupled:Com"; SecurityDescriptor = "everybody"; };
		instance of __Win32Provider { Name = "NoDACL"; HostingModel = "Decoupled:Com"; SecurityDescriptor = "O:BAG:BA"; };
		instance of __Win32Provider { Name = "Nobody"; HostingModel = "Decoupled:Com"; SecurityDescriptor = "O:BAG:BAD:"; };
	`)
	p := &people{store: state.Accounts, state: state}
	own := ownUID()
	for _, test := range []struct {
		provider string
		uid      uint32
		want     error
	}{
		{"Open", 54321, nil}, {"open", 54322, nil},
		{"Admins", own, nil}, {"Admins", 0, nil}, {"Admins", 54321, cim.ErrAccessDenied},
		{"One", 54321, nil}, {"One", 54322, cim.ErrAccessDenied}, {"One", own, cim.ErrAccessDenied},
		{"Null", own, nil}, {"Null", 0, nil}, {"Null", 54321, cim.ErrAccessDenied},
		{"Inside", own, cim.ErrAccessDenied},
		{"Broken", own, cim.ErrInvalidProviderRegistration},
		{"NoDACL", 54321, cim.ErrInvalidProviderRegistration},
		{"Nobody", own, cim.ErrAccessDenied},
		{"Absent", own, cim.ErrProviderNotRegistered},
		{"CasementHost", own, cim.ErrAccessDenied},
	} {
		err := svc.objects.admit(p, test.uid, `root\cimv2`, test.provider)
		if !errors.Is(err, test.want) && (err != nil || test.want != nil) {
			t.Errorf("%s by the user %d: %v, want %v", test.provider, test.uid, err, test.want)
		}
	}
	if err := svc.objects.admit(p, own, `root\nowhere`, "Open"); !errors.Is(err, cim.ErrInvalidNamespace) {
		t.Errorf("in a namespace that does not exist: %v", err)
	}
}

// TestProvidersSocket: a process that the system knows as the service's own
// user registers through STATE/providers.sock and serves a class that is stored.
func TestProvidersSocket(t *testing.T) {
	_, socket := registering(t)
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = decoupled.ServeStream(t.Context(), c, decoupled.ServeOptions{Name: "Nothing", Provider: noClasses{}})
	if !errors.Is(err, cim.ErrProviderNotRegistered) {
		t.Errorf("a provider that nobody registered: %v", err)
	}
}

// registering is a service that takes providers, and the socket where it does.
func registering(t *testing.T) (svc *Service, socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "providers-") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	state := at(t, dir, testTime())
	if svc, err = New(state, Options{}); err != nil {
		t.Fatal(err)
	}
	l, err := svc.objects.listen(state)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- svc.objects.registrar.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(svc.objects.registrar.Close(), <-served, svc.Close()); err != nil {
			t.Error(err)
		}
	})
	return svc, filepath.Join(dir, providersName)
}

type noClasses struct{}

func (noClasses) Classes() []*cim.Class { return nil }

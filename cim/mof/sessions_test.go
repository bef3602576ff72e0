package mof

import (
	"context"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// host is a machine whose namespaces are made by instances of __NAMESPACE. Its
// sessions do what Sessions asks of them and nothing else.
type host struct {
	store
	namespaces map[string]bool
	open       int
	sd         map[string][]byte
}

type hostSession struct {
	cim.Session
	host      *host
	namespace string
}

func (h *host) Open(_ context.Context, namespace string) (cim.Session, error) {
	if !h.namespaces[cim.Fold(namespace)] {
		return nil, &cim.Error{Status: cim.ErrInvalidNamespace, Namespace: namespace}
	}
	h.open++
	return &hostSession{host: h, namespace: namespace}, nil
}

func (s *hostSession) GetClass(ctx context.Context, name string, _ cim.GetOptions) (*cim.Class, error) {
	return s.host.GetClass(ctx, s.namespace, name)
}

func (s *hostSession) PutClass(ctx context.Context, c *cim.Class, o cim.PutClassOptions) error {
	return s.host.PutClass(ctx, s.namespace, c, o)
}

func (s *hostSession) DeleteClass(ctx context.Context, name string, _ cim.OperationOptions) error {
	return s.host.DeleteClass(ctx, s.namespace, name)
}

func (s *hostSession) Create(ctx context.Context, i *cim.Instance, _ cim.OperationOptions) (cim.ObjectPath, error) {
	return s.host.PutInstance(ctx, s.namespace, i, PutInstanceOptions{Flags: CreateOnly})
}

func (s *hostSession) Put(ctx context.Context, i *cim.Instance, o cim.PutOptions) error {
	var flags Flags
	if o.Mode == cim.UpdateOnly {
		flags = UpdateOnly
	}
	_, err := s.host.PutInstance(ctx, s.namespace, i, PutInstanceOptions{Flags: flags})
	if err == nil && i.Class().IsA("__NAMESPACE") {
		name, _ := i.Get("Name").Str()
		s.host.namespaces[cim.Fold(s.namespace+`\`+name)] = true
	}
	return err
}

func (s *hostSession) Delete(ctx context.Context, path cim.ObjectPath, _ cim.OperationOptions) error {
	return s.host.DeleteInstance(ctx, s.namespace, path)
}

func (s *hostSession) Invoke(_ context.Context, path cim.ObjectPath, method string, in cim.Arguments, _ cim.OperationOptions) (cim.Result, error) {
	if path.Class != "__SystemSecurity" || method != "SetSD" {
		return cim.Result{}, cim.ErrInvalidMethod
	}
	s.host.sd[s.namespace], _ = in.Get("SD").Bytes()
	return cim.Result{ReturnValue: cim.U32(0)}, nil
}

func (s *hostSession) Close() error { s.host.open--; return nil }

func newHost(t *testing.T) *host {
	h := &host{store: *newStore(), namespaces: map[string]bool{"root": true, `root\default`: true}, sd: map[string][]byte{}}
	system, _, err := Definitions(oneFile{"s.mof", []byte(`class __NAMESPACE { [Key] string Name; };`)}, "s.mof")
	if err != nil {
		t.Fatal(err)
	}
	h.classes[memoryKey("", "__NAMESPACE")] = system[0]
	return h
}

func TestSessions(t *testing.T) {
	h := newHost(t)
	target := NewSessions(h.Open)
	f := parse(t, `#pragma namespace("\\\\.\\root")
		[NamespaceSecuritySDDL("O:BAG:BAD:(A;CI;0x60003;;;WD)")]
		instance of __Namespace { Name = "test"; };
		#pragma namespace("\\\\.\\root\\test")
		class A { [Key] string K; };
		instance of A as $A { K = "a"; };
		#pragma instanceflags("createonly")
		instance of A { K = "b"; };
		#pragma instanceflags("updateonly")
		instance of A { K = "b"; };
		#pragma deleteinstance("A.K=\"b\"", fail)
		#pragma deleteclass("A", fail)`)
	if err := Compile(t.Context(), f, target, Options{}); err != nil {
		t.Fatal(err)
	}
	wantLog(t, &h.store, `root:__NAMESPACE.Name="test"`, `root\test:A mode 0 conflict 0 amended false`, `root\test:A.K="a"`,
		`root\test:A.K="b"`, `root\test:A.K="b"`, `-root\test:A.K="b"`, `-root\test:A`)
	sd, err := security.DecodeSecurityDescriptor(h.sd[`root\test`])
	if err != nil || len(sd.DACL.ACEs) != 1 || sd.DACL.ACEs[0].Mask != 0x60003 || sd.DACL.ACEs[0].SID.String() != "S-1-1-0" {
		t.Errorf("%v %v", sd, err)
	}
	if h.open != 2 {
		t.Errorf("%d sessions are open", h.open)
	}
	if err := target.Close(); err != nil || h.open != 0 {
		t.Errorf("%v, %d sessions are open", err, h.open)
	}
	for text, want := range map[string]cim.Status{
		`#pragma namespace("root") instance of __Namespace { [PropertyContext("x"), Dynamic, Provider("P")] Name; };`: cim.ErrNotSupported,
		`#pragma namespace("root/none") class A { };`:                                                                 cim.ErrInvalidNamespace,
		`#pragma namespace("root") [RequiresEncryption] instance of __Namespace { Name = "x"; };`:                     cim.ErrNotSupported,
		`#pragma namespace("root") #pragma instanceflags("updateonly") instance of __Namespace { Name = "none"; };`:   cim.ErrNotFound,
	} {
		if err := Compile(t.Context(), parse(t, text), target, Options{}); cim.StatusOf(err) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

package consumers

import (
	"context"
	"errors"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// TestStoredConsumers stores consumers through the object manager: T-99 and
// T-100 fail there, and what is stored bears its creator.
func TestStoredConsumers(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := cimom.New(cimom.Options{})
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	token := &security.Token{User: security.SIDLocalSystem, Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}}
	s, err := m.Open(ctx, cim.Caller{Token: token, Protection: cim.ProtectionPktPrivacy}, `root\subscription`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	create := func(class string, values ...any) error {
		_, err := s.Create(ctx, consumer(t, p, class, values...), cim.OperationOptions{})
		return err
	}
	if err := create("ActiveScriptEventConsumer", "Name", "a", "ScriptingEngine", "VBScript", "ScriptText", "x", "ScriptFileName", "y"); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Errorf("T-99: %v", err)
	}
	if err := create("ActiveScriptEventConsumer", "Name", "a", "ScriptingEngine", "VBScript", "ScriptText", "x"); !errors.Is(err, cim.ErrProviderNotCapable) {
		t.Errorf("a script: %v", err)
	}
	if err := create("NTEventLogEventConsumer", "Name", "a", "SourceName", "a:b", "EventID", cim.U32(1)); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Errorf("T-100: %v", err)
	}
	if err := create("LogFileEventConsumer", "Name", "a", "Filename", "/var/log/x"); err != nil {
		t.Fatal(err)
	}
	path, err := cim.ParsePath(`LogFileEventConsumer.Name="a"`)
	if err != nil {
		t.Fatal(err)
	}
	i, err := s.Get(ctx, path, cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if sid, err := sidOf(i.Get("CreatorSID")); err != nil || sid != security.SIDAdministrators {
		t.Errorf("the creator is %v %v", sid, err)
	}
	if err := i.Set("Filename", cim.Str("relative")); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, i, cim.PutOptions{}); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Errorf("a change for the worse: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.begin(); !errors.Is(err, cim.ErrShuttingDown) {
		t.Errorf("the provider is open after its manager: %v", err)
	}
}

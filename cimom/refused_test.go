package cimom_test

import (
	"context"
	"errors"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// refusing lists no class whose name begins with R.
type refusing struct{}

func (refusing) Classes() []*cim.Class {
	above := cim.NewClass("Above", nil).Abstract().Key("ID", cim.Uint32).Build(faultyNamespace)
	listed := cim.NewClass("Listed", above).Dynamic().Build("")
	refused := cim.NewClass("Refused", above).Dynamic().Build("")
	below := cim.NewClass("RefusedToo", refused).Dynamic().Build("")
	return []*cim.Class{above, listed, refused, below, cim.NewClass("Given", refused).Dynamic().Build("")}
}

func (refusing) List(_ context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	if r.Class.Name[0] == 'R' {
		return &cim.Error{Status: cim.ErrProviderNotCapable, Detail: "the query must be bounded"}
	}
	i := cim.NewInstance(r.Class)
	if err := i.Set("ID", cim.U32(1)); err != nil {
		return err
	}
	return yield(i)
}

// A class that its provider does not list whole is left out of a list of its superclass and refused where it is the
// one that was asked for. See spec/wmi.md 8.2, row 54.
func TestClassesThatAreNotListedWhole(t *testing.T) {
	ctx := context.Background()
	m := cimom.New(cimom.Options{})
	t.Cleanup(func() { m.Close() })
	if err := m.Register(refusing{}); err != nil {
		t.Fatal(err)
	}
	token := &security.Token{Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}}
	s, err := m.Open(ctx, cim.Caller{Token: token}, faultyNamespace, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		class   string
		count   int
		refused bool
	}{{"Above", 2, false}, {"Refused", 1, true}, {"RefusedToo", 0, true}, {"Listed", 1, false}} {
		e, err := s.Enumerate(ctx, c.class, cim.EnumerateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := cim.Collect(ctx, e)
		if len(out) != c.count || errors.Is(err, cim.ErrProviderNotCapable) != c.refused || err != nil && !c.refused {
			t.Errorf("%s gives %d instances and %v", c.class, len(out), err)
		}
	}
}

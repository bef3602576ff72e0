package dcom_test

import (
	"testing"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
)

func TestActivateCallRelease(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob")})
	p, err := c.Activate(within(t), w.host, clsidCounter, iidCounter, iidMissing, iidOther)
	if err != nil {
		t.Fatal(err)
	}
	if p[0] == nil || p[1] != nil || p[2] == nil {
		t.Fatalf("the interfaces are %v", p)
	}
	if n, err := add(t, p[0], 40); n != 40 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := add(t, p[0], 2); n != 42 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	var f facts
	if err := p[0].Call(within(t), 5, nil, &f); err != nil || f.user != "bob" || f.level != uint32(dcerpc.LevelPrivacy) {
		t.Errorf("the call was made by %+v, %v", f, err)
	}
	q, err := p[2].QueryInterface(within(t), iidCounter)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := add(t, q, 1); n != 43 || err != nil {
		t.Errorf("another proxy of the interface: %d, %v", n, err)
	}
	if err := c.Release(within(t), p...); err != nil {
		t.Error(err)
	}
	if w.released.Load() != 0 || w.exporter.Len() != 1 {
		t.Error("the object is gone before its last proxy is")
	}
	if _, err := add(t, p[0], 1); !isResult(err, dcom.RPC_E_DISCONNECTED) {
		t.Errorf("a released proxy: %v", err)
	}
	if err := q.Release(within(t)); err != nil {
		t.Error(err)
	}
	if w.released.Load() != 1 || w.exporter.Len() != 0 {
		t.Errorf("the object was released %d times, %d are there", w.released.Load(), w.exporter.Len())
	}
}

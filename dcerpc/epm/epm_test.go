package epm_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcerpc/epm"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

func start(t *testing.T, m *epm.Mapper) *dcerpc.Server {
	t.Helper()
	s := dcerpc.NewServer(dcerpc.ServerOptions{})
	s.Register(m.Interface())
	t.Cleanup(func() { s.Close() })
	return s
}

func connect(t *testing.T, s *dcerpc.Server, opts dcerpc.Options) (context.Context, *dcerpc.Binding) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	c, err := dcerpc.Dial(ctx, "tcp", l.Addr().String(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	b, err := c.Bind(ctx, epm.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, b
}

func TestMapAndLookup(t *testing.T) {
	m := &epm.Mapper{}
	id := dcerpc.Syntax("12345678-1234-abcd-ef00-01234567cffb", 1, 2)
	m.Register(epm.Endpoint{Interface: id, Port: 49152, Annotation: "first"})
	for i := range 250 {
		id := id
		id.UUID[15] = byte(i)
		m.Register(epm.Endpoint{Interface: id, Port: uint16(1000 + i), Annotation: fmt.Sprint("number ", i)})
	}
	for _, narrow := range []bool{true, false} {
		ctx, b := connect(t, start(t, m), dcerpc.Options{OnlyNDR20: narrow})
		asked := id
		asked.Minor = 1
		towers, err := epm.Map(ctx, b, asked, security.GUID{})
		if err != nil || len(towers) != 1 || towers[0].String() != "ncacn_ip_tcp:127.0.0.1[49152]" || towers[0].Port() != 49152 || towers[0].Interface != id {
			t.Errorf("mapped to %v, %v", towers, err)
		}
		asked.Minor = 3
		if _, err := epm.Map(ctx, b, asked, security.GUID{}); !errors.Is(err, epm.ErrNotRegistered) {
			t.Errorf("a higher minor version: %v", err)
		}
		entries, err := epm.Lookup(ctx, b)
		if err != nil || len(entries) != 251 || entries[0].Annotation != "first" || entries[250].Tower.Port() != 1249 {
			t.Errorf("%d entries, %v", len(entries), err)
		}
	}
	m.Unregister(epm.Endpoint{Interface: id, Port: 49152, Annotation: "first"})
	ctx, b := connect(t, start(t, m), dcerpc.Options{})
	if towers, err := epm.Map(ctx, b, id, security.GUID{}); !errors.Is(err, epm.ErrNotRegistered) {
		t.Errorf("after removal: %v, %v", towers, err)
	}
}

// raw is a stub of octets.
type raw []byte

func (r *raw) MarshalNDR(e *ndr.Encoder)   { e.Raw(*r) }
func (r *raw) UnmarshalNDR(d *ndr.Decoder) { *r = d.Raw(d.Left()) }

// A request in the layout of [C706] appendix O and L, written by hand; the tower of the answer is that of the request with port and
// address filled in.
func TestMapOnTheWire(t *testing.T) {
	m := &epm.Mapper{}
	m.Register(epm.Endpoint{Interface: dcerpc.Syntax("12345678-1234-abcd-ef00-01234567cffb", 1, 0), Port: 0x1234})
	ctx, b := connect(t, start(t, m), dcerpc.Options{OnlyNDR20: true})
	tower := func(port, ip string) string {
		return "0500" +
			"1300" + "0d" + "785634123412cdabef0001234567cffb" + "0100" + "0200" + "0000" +
			"1300" + "0d" + "045d888aeb1cc9119fe808002b104860" + "0200" + "0200" + "0000" +
			"0100" + "0b" + "0200" + "0000" +
			"0100" + "07" + "0200" + port +
			"0100" + "09" + "0400" + ip
	}
	request := "00000000" + // no object
		"01000000" + "4b000000" + "4b000000" + tower("0087", "00000000") + "00" +
		"0000000000000000000000000000000000000000" + "04000000"
	in := raw(unhex(t, request))
	var out raw
	if err := b.Call(ctx, 3, security.GUID{}, &in, &out); err != nil {
		t.Fatal(err)
	}
	want := "0000000000000000000000000000000000000000" + "01000000" + "04000000" + "00000000" + "01000000" +
		"00000200" + "4b000000" + "4b000000" + tower("1234", "7f000001") + "00" + "00000000"
	if got := hex.EncodeToString(out); got != want {
		t.Errorf("answered\n%s, want\n%s", got, want)
	}
}

func TestNobodyRegistersRemotely(t *testing.T) {
	m := &epm.Mapper{}
	ctx, b := connect(t, start(t, m), dcerpc.Options{})
	for _, op := range []uint16{0, 1, 6} {
		in := raw(make([]byte, 100))
		var out raw
		if err := b.Call(ctx, op, security.GUID{}, &in, &out); err != nil || hex.EncodeToString(out) != "cda0c916" {
			t.Errorf("operation %d: %x, %v", op, []byte(out), err)
		}
	}
	if entries, err := epm.Lookup(ctx, b); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestHandlesBelongToTheirAssociation(t *testing.T) {
	m := &epm.Mapper{}
	for i := range 3 {
		m.Register(epm.Endpoint{Interface: epm.ID, Port: uint16(i + 1)})
	}
	s := start(t, m)
	ctx, first := connect(t, s, dcerpc.Options{OnlyNDR20: true})
	_, friend := connect(t, s, dcerpc.Options{OnlyNDR20: true, Association: first.Conn().Association()})
	_, stranger := connect(t, s, dcerpc.Options{OnlyNDR20: true})
	// ept_lookup of all, one entry
	in := raw(unhex(t, "00000000"+"00000000"+"00000000"+"01000000"+"0000000000000000000000000000000000000000"+"01000000"))
	var out raw
	if err := first.Call(ctx, 2, security.GUID{}, &in, &out); err != nil {
		t.Fatal(err)
	}
	handle := out[:20]
	free := raw(handle)
	if err := stranger.Call(ctx, 4, security.GUID{}, &free, nil); !errors.Is(err, &dcerpc.Fault{Status: dcerpc.StatusContextMismatch}) {
		t.Errorf("a stranger frees the handle: %v", err)
	}
	if err := friend.Call(ctx, 4, security.GUID{}, &free, &out); err != nil || hex.EncodeToString(out) != "000000000000000000000000000000000000000000000000" {
		t.Errorf("another connection of the association: %x, %v", []byte(out), err)
	}
	if err := first.Call(ctx, 4, security.GUID{}, &free, nil); !errors.Is(err, &dcerpc.Fault{Status: dcerpc.StatusContextMismatch}) {
		t.Errorf("a handle is freed twice: %v", err)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

package dcom_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// utf16le writes s as it stands in a DUALSTRINGARRAY, with its terminator.
func utf16le(s string) string {
	var b []byte
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		b = append(b, byte(u), byte(u>>8))
	}
	return hex.EncodeToString(b)
}

var (
	iid  = security.GUID{0x11, 15: 0x1f}
	ipid = security.GUID{0x22, 15: 0x2f}
	id3  = security.GUID{0x33, 15: 0x3f}
)

const (
	hexIID  = "1100000000000000000000000000001f"
	hexIPID = "2200000000000000000000000000002f"
	hexID3  = "3300000000000000000000000000003f"
	hexStd  = "00100000 05000000 0807060504030201 1817161514131211" + hexIPID
	// [MS-DCOM] 2.2.19.1: the smallest array.
	hexEmpty = "0400 0200 0000000000000000"
)

var std = dcom.StdObjRef{Flags: dcom.StdNoPing, PublicRefs: 5, OXID: 0x0102030405060708, OID: 0x1112131415161718, IPID: ipid}

// One string binding and one security binding: tower 7 "h[9]", terminator; service 10, 0xffff, "p", terminator.
var (
	bindings = dcom.DualStringArray{
		Strings:  []dcom.StringBinding{{Tower: dcom.TowerTCP, Address: "h[9]"}},
		Security: []dcom.SecurityBinding{{AuthnSvc: 10, Principal: "p"}},
	}
	hexBindings = "0c00 0700 0700" + utf16le("h[9]") + "0000 0a00 ffff" + utf16le("p") + "0000"
)

// The octets follow the pictures of [MS-DCOM] 2.2.18.
func TestObjRefs(t *testing.T) {
	for name, c := range map[string]struct {
		ref   dcom.ObjRef
		bytes string
	}{
		"standard": {dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iid, Std: std, Resolver: bindings},
			"4d454f57 01000000" + hexIID + hexStd + hexBindings},
		"standard without bindings": {dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iid, Std: std},
			"4d454f57 01000000" + hexIID + hexStd + hexEmpty},
		"handler": {dcom.ObjRef{Kind: dcom.ObjRefHandler, IID: iid, Std: std, CLSID: id3, Resolver: bindings},
			"4d454f57 02000000" + hexIID + hexStd + hexID3 + hexBindings},
		"custom": {dcom.ObjRef{Kind: dcom.ObjRefCustom, IID: iid, CLSID: id3, Data: []byte("data"), Reserved: 7},
			"4d454f57 04000000" + hexIID + hexID3 + "00000000 07000000 64617461"},
		"extended": {dcom.ObjRef{Kind: dcom.ObjRefExtended, IID: iid, Std: std, Resolver: bindings, DataID: id3, Data: []byte("context!+")},
			"4d454f57 08000000" + hexIID + hexStd + "5659534e" + hexBindings + "01000000 5659534e" + hexID3 + "09000000 10000000" + hex.EncodeToString([]byte("context!+\x00\x00\x00\x00\x00\x00\x00"))},
	} {
		t.Run(name, func(t *testing.T) {
			want := unhex(t, c.bytes)
			if got := c.ref.Append([]byte("x")); string(got[1:]) != string(want) {
				t.Errorf("written as\n%x, want\n%x", got[1:], want)
			}
			got, err := dcom.ParseObjRef(want)
			if err != nil {
				t.Fatal(err)
			}
			if again := got.Append(nil); !bytes.Equal(again, want) || got.Kind != c.ref.Kind || got.Std != c.ref.Std || string(got.Data) != string(c.ref.Data) {
				t.Errorf("read as %+v", got)
			}
			for n := range want {
				if c.ref.Kind == dcom.ObjRefCustom && n >= 48 {
					break // the data of a custom reference has no length of its own
				}
				if r, err := dcom.ParseObjRef(want[:n]); err == nil {
					t.Errorf("the first %d octets are read as %+v", n, r)
				} else if !errors.Is(err, &dcom.Error{HRESULT: dcom.RPC_E_INVALID_OBJREF}) {
					t.Errorf("the first %d octets: %v", n, err)
				}
			}
		})
	}
	for name, s := range map[string]string{
		"no MEOW":              "4d454f58 01000000" + hexIID + hexStd + hexEmpty,
		"two kinds":            "4d454f57 03000000" + hexIID + hexStd + hexEmpty,
		"an extended of two":   "4d454f57 08000000" + hexIID + hexStd + "5659534e" + hexEmpty + "02000000 5659534e" + hexID3 + "08000000 08000000 0000000000000000",
		"an extended unsigned": "4d454f57 08000000" + hexIID + hexStd + "5659534e" + hexEmpty + "01000000 5659534f" + hexID3 + "08000000 08000000 0000000000000000",
		"wrongly rounded":      "4d454f57 08000000" + hexIID + hexStd + "5659534e" + hexEmpty + "01000000 5659534e" + hexID3 + "07000000 07000000 0000000000000000",
	} {
		if r, err := dcom.ParseObjRef(unhex(t, s)); err == nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
}

func TestDualStringArrayTerminators(t *testing.T) {
	for name, s := range map[string]string{
		"no terminator of a string":             "0300 0200 0700 6100 6100",
		"no terminator of the list":             "0500 0300 0700 6100 0000 0000 0000",
		"security beyond the end":               "0400 0500 0000 0000 0000 0000",
		"no terminator of a principal":          "0600 0200 0000 0000 0a00 ffff 6100 6100",
		"no terminator of the second list":      "0600 0200 0000 0000 0a00 ffff 6100 0000",
		"no second list":                        "0200 0200 0000 0000",
		"a security binding that ends too soon": "0300 0200 0000 0000 0a00",
		"longer than its argument":              "ffff 0200 0000 0000 0000 0000",
	} {
		b := unhex(t, "4d454f57 01000000"+hexIID+hexStd+s)
		if r, err := dcom.ParseObjRef(b); err == nil {
			t.Errorf("%s: read as %+v", name, r.Resolver)
		}
		// As an argument the size stands before it as well.
		arg := unhex(t, s)
		d := ndr.NewDecoder(append([]byte{byte((len(arg) - 4) / 2), 0, 0, 0}, arg...), ndr.Format{})
		var a dcom.DualStringArray
		if a.UnmarshalNDR(d); d.Err() == nil {
			t.Errorf("%s: read as the argument %+v", name, a)
		}
	}
}

func TestParseStringBinding(t *testing.T) {
	for _, c := range []struct {
		address, host string
		port          uint16
	}{
		{"DC1", "DC1", 0},
		{"DC1[49724]", "DC1", 49724},
		{"10.0.0.1[5000]", "10.0.0.1", 5000}, // [MS-DCOM] 2.2.19.3
		{"2001:db8::1", "2001:db8::1", 0},
		{"2001:db8::1[135]", "2001:db8::1", 135},
		{"[2001:db8::1][135]", "2001:db8::1", 135},
		{"fe80::1%eth0[1]", "fe80::1%eth0", 1},
		{"[2001:db8::1]", "2001:db8::1", 0},
	} {
		host, port, err := dcom.ParseStringBinding(c.address)
		if err != nil || host != c.host || port != c.port {
			t.Errorf("%s: %q, %d, %v", c.address, host, port, err)
		}
	}
	for _, address := range []string{"", "[1]", "h[0]", "h[65536]", "h[x]", "h[1", "h]", "a b[1]", "a/b[1]", "a\x00b", "u@h[1]", `\\h[1]`, "h[1][2]", "h[-1]", "h[+1]", strings.Repeat("a", 256)} {
		if host, port, err := dcom.ParseStringBinding(address); err == nil {
			t.Errorf("%q is %q, %d", address, host, port)
		}
	}
}

// Both definitions of SpecialPropertiesData are read ([MS-DCOM] 2.2.22.2.2), and a peer may be big-endian.
func TestSpecialPropertiesAlternate(t *testing.T) {
	common := "00000002 00000001 00000000 00000000 00000002 00000000000000000000000000000000 00000000 00000010 00000002"
	for name, s := range map[string]string{"the first": common + "00000000 00000000 0000000000000000 0000000000000000000000000000000000000000 00000000", "the alternate": common + strings.Repeat("00000000", 8)} {
		d := ndr.NewDecoder(unhex(t, s), ndr.Format{BigEndian: true})
		var p dcom.SpecialProperties
		p.UnmarshalNDR(d)
		if d.Err() != nil || p.Session != 2 || p.DefaultAuthnLevel != 2 || p.OriginalClassContext != 0x10 || p.Flags != 2 {
			t.Errorf("%s is read as %+v, %v", name, p, d.Err())
		}
	}
}

// The octets follow [MS-DCOM] 2.2.21.2 and 2.2.21.3.
func TestErrorInfo(t *testing.T) {
	text := func(s string) *string { return &s }
	i := &dcom.ErrorInfo{HelpContext: 3, IID: iid, Source: text("ab"), Description: text("c")}
	want := unhex(t, "00000000 03000000"+hexIID+"ffffffff 03000000 00000000 03000000"+utf16le("ab")+"0000 ffffffff 02000000 00000000 02000000"+utf16le("c")+"00000000")
	r := i.ObjRef()
	if !bytes.Equal(r.Data, want) {
		t.Errorf("written as\n%x, want\n%x", r.Data, want)
	}
	that := dcom.ORPCThat{Extents: []dcom.Extent{{ID: id3, Data: []byte("xyz")}, {ID: dcom.ExtentErrorInfo, Data: r.Append(nil)}}}
	e := ndr.NewEncoder(nil, ndr.Format{})
	that.MarshalNDR(e)
	var got dcom.ORPCThat
	d := ndr.NewDecoder(e.Stub(), ndr.Format{})
	got.UnmarshalNDR(d)
	back, err := dcom.ParseErrorInfo(got.ErrorInfo())
	if d.Err() != nil || err != nil || d.Left() != 0 || *back.Source != "ab" || *back.Description != "c" || back.HelpFile != nil || back.IID != iid || back.HelpContext != 3 {
		t.Errorf("read as %+v, %v, %v", back, err, d.Err())
	}
}

// The octets follow [MS-DCOM] 2.2.13: an array of an even number of pointers, data of a multiple of eight octets.
func TestExtents(t *testing.T) {
	want := unhex(t, "01000000 00000200 01000000 00000000 04000200 02000000 08000200 00000000 08000000"+hexID3+"03000000 78797a 0000000000")
	that := dcom.ORPCThat{Flags: 1, Extents: []dcom.Extent{{ID: id3, Data: []byte("xyz")}}}
	e := ndr.NewEncoder(nil, ndr.Format{})
	that.MarshalNDR(e)
	if !bytes.Equal(e.Stub(), want) {
		t.Errorf("written as\n%x, want\n%x", e.Stub(), want)
	}
	for n := 8; n < len(want); n++ {
		d := ndr.NewDecoder(want[:n], ndr.Format{})
		var got dcom.ORPCThat
		if got.UnmarshalNDR(d); d.Err() == nil {
			t.Errorf("the first %d octets are read as %+v", n, got)
		}
	}
}

// The octets follow [MS-DCOM] 2.2.21.4 and 2.2.21.5.
func TestContextExtension(t *testing.T) {
	want := unhex(t, "4b554e41 00000100 01000000 48000000 40000000 00000000 05400080 00000000"+
		"4e414e49 03000000 40000000 00000000"+hexID3+"78797a0000000000")
	x := dcom.ContextExtension{ServerResult: 0x80004005, Policies: []dcom.Policy{{ID: id3, Data: []byte("xyz")}}}
	if got := x.Append(nil); !bytes.Equal(got, want) {
		t.Errorf("written as\n%x, want\n%x", got, want)
	}
	got, err := dcom.ParseContextExtension(want)
	if err != nil || got.ServerResult != x.ServerResult || string(got.Policies[0].Data) != "xyz" || got.Policies[0].ID != id3 {
		t.Errorf("read as %+v, %v", got, err)
	}
	want[40] = 0xff // where the data is
	if got, err := dcom.ParseContextExtension(want); err == nil {
		t.Errorf("data beyond the end is read as %+v", got)
	}
}

// Each message reads back what it writes; the octets of most are also in the captures.
func TestMessages(t *testing.T) {
	text := "file"
	ref := &dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iid, Std: std, Resolver: bindings}
	x := dcom.ExporterInfo{OXID: 7, Bindings: bindings, RemUnknown: ipid, AuthnHint: 5, Version: dcom.Version}
	for _, c := range []struct{ in, out message }{
		{&dcom.RemoteActivationRequest{This: dcom.ORPCThis{Version: dcom.Version, CID: id3}, CLSID: id3, ObjectName: &text, Storage: ref, Mode: dcom.ModeClassObject, IIDs: []security.GUID{iid, ipid}, Protseqs: []uint16{7}}, new(dcom.RemoteActivationRequest)},
		{&dcom.RemoteActivationResponse{Exporter: x, Interfaces: []dcom.InterfaceResult{{Object: ref}, {Result: dcom.E_NOINTERFACE}}}, new(dcom.RemoteActivationResponse)},
		{&dcom.RemoteActivationResponse{Result: dcom.E_ACCESSDENIED, Interfaces: []dcom.InterfaceResult{{}}}, new(dcom.RemoteActivationResponse)},
		{&dcom.ResolveOxidRequest{OXID: 7, Protseqs: []uint16{7, 8, 9}}, new(dcom.ResolveOxidRequest)},
		{&dcom.ResolveOxidResponse{Exporter: x}, new(dcom.ResolveOxidResponse)},
		{&dcom.ResolveOxid2Response{ResolveOxidResponse: dcom.ResolveOxidResponse{Exporter: x}}, new(dcom.ResolveOxid2Response)},
		{&dcom.ResolveOxid2Response{ResolveOxidResponse: dcom.ResolveOxidResponse{Status: dcom.OR_INVALID_OXID}}, new(dcom.ResolveOxid2Response)},
		{&dcom.ComplexPingRequest{SetID: 8, Sequence: 2, Add: []uint64{1, 2}, Del: []uint64{3}}, new(dcom.ComplexPingRequest)},
		{&dcom.ComplexPingRequest{}, new(dcom.ComplexPingRequest)},
		{&dcom.ComplexPingResponse{SetID: 8, Backoff: 1, Status: 5}, new(dcom.ComplexPingResponse)},
		{&dcom.RemAddRefResponse{Results: []uint32{0, dcom.CO_E_OBJNOTREG}}, new(dcom.RemAddRefResponse)},
		{&dcom.RemQueryInterface2Request{IPID: ipid, IIDs: []security.GUID{iid}}, new(dcom.RemQueryInterface2Request)},
		{&dcom.RemQueryInterface2Response{Results: []uint32{0, dcom.E_NOINTERFACE}, Objects: []*dcom.ObjRef{ref, nil}}, new(dcom.RemQueryInterface2Response)},
		{&dcom.InstanceInfo{File: &text, Mode: 2, Storage: ref}, new(dcom.InstanceInfo)},
		{&dcom.CreateInstanceResponse{Object: ref, Result: 3}, new(dcom.CreateInstanceResponse)},
	} {
		e := ndr.NewEncoder(nil, ndr.Format{})
		c.in.MarshalNDR(e)
		d := ndr.NewDecoder(e.Stub(), ndr.Format{})
		c.out.UnmarshalNDR(d)
		again := ndr.NewEncoder(nil, ndr.Format{})
		c.out.MarshalNDR(again)
		if d.Err() != nil || d.Left() != 0 || !bytes.Equal(again.Stub(), e.Stub()) {
			t.Errorf("%T: %v, %d octets left; again\n%x, first\n%x", c.in, d.Err(), d.Left(), again.Stub(), e.Stub())
		}
		for n := range e.Len() - 3 {
			d := ndr.NewDecoder(e.Stub()[:n], ndr.Format{})
			if c.out.UnmarshalNDR(d); d.Err() == nil {
				t.Errorf("%T: the first %d octets are read", c.in, n)
			}
		}
	}
}

func TestErrorText(t *testing.T) {
	err := error(&dcom.Error{HRESULT: dcom.E_ACCESSDENIED, Op: "activation at server1", Detail: "level 4"})
	if s := err.Error(); !strings.HasPrefix(s, "activation at server1: E_ACCESSDENIED (0x80070005, -2147024891): level 4; ") || !strings.Contains(s, "Distributed COM Users") {
		t.Error(s)
	}
	if !errors.Is(err, &dcom.Error{HRESULT: dcom.E_ACCESSDENIED}) || errors.Is(err, &dcom.Error{HRESULT: dcom.E_FAIL}) {
		t.Error("the code is not what the error is")
	}
	if s := (&dcom.Error{HRESULT: 0x80041003}).Error(); s != "0x80041003" {
		t.Error(s)
	}
}

// go-msrpc offers a place for a result by a pointer to an interface pointer of no octets.
func TestAnInterfacePointerOfNoOctetsIsNull(t *testing.T) {
	d := ndr.NewDecoder(make([]byte, 8), ndr.Format{})
	var r dcom.ObjRef
	if r.UnmarshalNDR(d); d.Err() != nil || r.Kind != 0 {
		t.Errorf("kind %d, %v", r.Kind, d.Err())
	}
}

package dcom_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
)

// addRecorded adds what the captures hold, where there are captures.
func addRecorded(f *testing.F, add func(message)) {
	if os.Getenv("CASEMENT_FIXTURES") == "" {
		return
	}
	for _, s := range recordedStubs(f) {
		kind := recordedMessages[s.iid][s.opnum]
		make := kind[0]
		if s.response {
			make = kind[1]
		}
		if make == nil {
			continue
		}
		m := make()
		m.UnmarshalNDR(ndr.NewDecoder(s.stub, ndr.Format{}))
		add(m)
	}
}

func FuzzObjRef(f *testing.F) {
	f.Add((&dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iid, Std: std, Resolver: bindings}).Append(nil))
	f.Add((&dcom.ObjRef{Kind: dcom.ObjRefHandler, IID: iid, Std: std, Resolver: bindings}).Append(nil))
	f.Add((&dcom.ObjRef{Kind: dcom.ObjRefExtended, IID: iid, Std: std, Data: []byte("123456789")}).Append(nil))
	f.Add((&dcom.ErrorInfo{IID: iid}).ObjRef().Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := dcom.ParseObjRef(b)
		if err != nil {
			return
		}
		again, err := dcom.ParseObjRef(r.Append(nil))
		if err != nil || !bytes.Equal(again.Append(nil), r.Append(nil)) {
			t.Fatalf("%+v is read back as %+v, %v", r, again, err)
		}
		_, _ = dcom.ParseContext(r)
		_, _ = dcom.ParseErrorInfo(b)
		_, _ = dcom.ParseContextExtension(b)
		_, _ = dcom.ParseActivationProperties(r.Data)
	})
}

func FuzzActivationProperties(f *testing.F) {
	addRecorded(f, func(m message) {
		switch m := m.(type) {
		case *dcom.RemoteCreateInstanceRequest:
			f.Add(m.Properties.Data)
		case *dcom.SCMActivatorResponse:
			f.Add(m.Properties.Data)
		}
	})
	a := dcom.ActivationProperties{Properties: []dcom.Property{
		&dcom.InstantiationInfo{}, &dcom.SpecialProperties{}, &dcom.InstanceInfo{}, &dcom.ScmRequestInfo{}, &dcom.ActivationContextInfo{},
		&dcom.ServerLocationInfo{}, &dcom.SecurityInfo{}, &dcom.ScmReplyInfo{}, &dcom.PropsOut{}, &dcom.UnknownProperty{},
	}}
	f.Add(a.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := dcom.ParseActivationProperties(b)
		if err != nil {
			return
		}
		once := a.Append(nil)
		again, err := dcom.ParseActivationProperties(once)
		if err != nil || !bytes.Equal(again.Append(nil), once) {
			t.Fatalf("%+v is read back as %+v, %v", a, again, err)
		}
	})
}

func FuzzDualStringArray(f *testing.F) {
	e := ndr.NewEncoder(nil, ndr.Format{})
	bindings.MarshalNDR(e)
	f.Add(e.Stub(), false)
	f.Add([]byte("\x04\x00\x00\x00\x04\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00"), true)
	f.Fuzz(func(t *testing.T, b []byte, big bool) {
		d := ndr.NewDecoder(b, ndr.Format{BigEndian: big})
		var a, again dcom.DualStringArray
		if a.UnmarshalNDR(d); d.Err() != nil {
			return
		}
		e := ndr.NewEncoder(nil, ndr.Format{})
		a.MarshalNDR(e)
		d = ndr.NewDecoder(e.Stub(), ndr.Format{})
		if again.UnmarshalNDR(d); d.Err() != nil || len(again.Strings) != len(a.Strings) || len(again.Security) != len(a.Security) {
			t.Fatalf("%+v is read back as %+v, %v", a, again, d.Err())
		}
	})
}

func FuzzStringBinding(f *testing.F) {
	for _, s := range []string{"DC1[49724]", "2001:db8::1[135]", "[::1][1]", "a[b][1]", "h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port, err := dcom.ParseStringBinding(s)
		if err != nil {
			return
		}
		h, p, err := dcom.ParseStringBinding(dcom.FormatStringBinding(host, port))
		if err != nil || h != host || p != port {
			t.Fatalf("%q is %q, %d, and then %q, %d, %v", s, host, port, h, p, err)
		}
	})
}

// FuzzMessages reads anything as each of the messages.
func FuzzMessages(f *testing.F) {
	kinds := []func() message{
		func() message { return new(dcom.ORPCThis) }, func() message { return new(dcom.ORPCThat) },
		func() message { return new(dcom.RemoteGetClassObjectRequest) }, func() message { return new(dcom.RemoteCreateInstanceRequest) },
		func() message { return new(dcom.SCMActivatorResponse) }, func() message { return new(dcom.RemoteActivationRequest) },
		func() message { return new(dcom.RemoteActivationResponse) }, func() message { return new(dcom.CreateInstanceResponse) },
		func() message { return new(dcom.ResolveOxidRequest) }, func() message { return new(dcom.ResolveOxid2Response) },
		func() message { return new(dcom.ComplexPingRequest) }, func() message { return new(dcom.ServerAlive2Response) },
		func() message { return new(dcom.RemQueryInterfaceRequest) }, func() message { return new(dcom.RemQueryInterfaceResponse) },
		func() message { return new(dcom.InterfaceRefsRequest) }, func() message { return new(dcom.RemAddRefResponse) },
		func() message { return new(dcom.RemQueryInterface2Response) },
	}
	for i, m := range []message{&dcom.RemoteActivationRequest{IIDs: nil}, &dcom.ComplexPingRequest{Add: []uint64{1}}, &dcom.ORPCThat{Extents: []dcom.Extent{{Data: []byte("x")}}}} {
		e := ndr.NewEncoder(nil, ndr.Format{})
		m.MarshalNDR(e)
		f.Add(e.Stub(), uint8(i), false, false)
	}
	addRecorded(f, func(m message) {
		e := ndr.NewEncoder(nil, ndr.Format{})
		m.MarshalNDR(e)
		for i := range kinds {
			f.Add(e.Stub(), uint8(i), false, false)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte, kind uint8, wide, big bool) {
		m := kinds[int(kind)%len(kinds)]()
		d := ndr.NewDecoder(b, ndr.Format{Wide: wide, BigEndian: big})
		if m.UnmarshalNDR(d); d.Err() != nil {
			return
		}
		if a, ok := m.(*dcom.RemoteActivationRequest); ok && a.IIDs == nil {
			return // a NULL pointer to its interfaces is read, to be answered with E_INVALIDARG, and never written
		}
		e := ndr.NewEncoder(nil, ndr.Format{})
		m.MarshalNDR(e)
		again := ndr.NewDecoder(e.Stub(), ndr.Format{})
		if kinds[int(kind)%len(kinds)]().UnmarshalNDR(again); again.Err() != nil {
			t.Fatalf("%T: %+v is not read back: %v", m, m, again.Err())
		}
	})
}

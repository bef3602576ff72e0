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

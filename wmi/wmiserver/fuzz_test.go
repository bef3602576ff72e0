package wmiserver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// FuzzMethods gives octets to every method of every interface: no method may fail otherwise than with a fault or a result.
func FuzzMethods(f *testing.F) {
	p := newPeer(f, Options{Callbacks: anonymous, Repository: &keeper{}})
	p.server.dial = func(context.Context, *dcom.ObjRef, string, manner) (proxy, error) {
		return nil, errors.New("nobody there")
	}
	s := p.login(cimtest.Namespace)
	encode := func(m ndr.Marshaler) []byte {
		e := ndr.NewEncoder(nil, ndr.Format{})
		m.MarshalNDR(e)
		return e.Stub()
	}
	for n, m := range map[uint16]ndr.Marshaler{
		iwbem.OpGetObject: &iwbem.GetObjectRequest{Path: text(`CT_Part.ID="p1"`), Object: iwbem.ObjectSlot{Given: true}, CallResult: iwbem.RefSlot{Given: true}},
		iwbem.OpExecQuery: &iwbem.ExecQueryRequest{Language: text("WQL"), Query: text("SELECT * FROM CT_Part")},
		iwbem.OpExecQueryAsync: &iwbem.ExecQueryAsyncRequest{
			Language: text("WQL"), Query: text("SELECT * FROM CT_Part"), Sink: p.sinks.new(1).ref,
		},
		iwbem.OpExecMethod: &iwbem.ExecMethodRequest{Path: text("CT_Only=@"), Method: text("Touch"), OutParams: iwbem.ObjectSlot{Given: true}},
	} {
		f.Add(byte(0), byte(n), encode(m))
	}
	f.Add(byte(2), byte(iwbem.OpNext), encode(&iwbem.NextRequest{Timeout: 0, Count: 5}))
	f.Add(byte(4), byte(iwbem.OpSmartNext), encode(&iwbem.SmartNextRequest{Timeout: 0, Count: 5}))
	f.Add(byte(1), byte(iwbem.OpAddEnumToRefresher), encode(&iwbem.AddToRefresherRequest{Path: "CT_Part"}))
	iids := []security.GUID{wmi.IIDServices, wmi.IIDRefreshingServices, wmi.IIDEnumClassObject, wmi.IIDFetchSmartEnum, wmi.IIDWCOSmartEnum, wmi.IIDLevel1Login}
	f.Fuzz(func(t *testing.T, which, opnum byte, stub []byte) {
		q := p.as(p.caller)
		q.t = t
		e := q.query(s, "SELECT * FROM CT_Part", 0x10)
		var fetched iwbem.GetSmartEnumResponse
		q.call(e, wmi.IIDFetchSmartEnum, iwbem.OpGetSmartEnum, &iwbem.GetSmartEnumRequest{}, &fetched)
		refs := []*dcom.ObjRef{s, s, e, e, fetched.Ref, nil}
		n := int(which) % len(iids)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var out raw
		_ = q.try(ctx, refs[n], iids[n], uint16(opnum), octets(stub), &out)
		// what it made is released with what it was made from
		q.host.mu.Lock()
		var made []object
		for id, o := range q.host.objects {
			if id != s.Std.OID {
				made = append(made, o.object)
				delete(q.host.objects, id)
			}
		}
		q.host.mu.Unlock()
		for _, o := range made {
			o.released()
		}
	})
}

// octets is a stub as it is.
type octets []byte

func (o octets) MarshalNDR(e *ndr.Encoder) { e.Raw(o) }

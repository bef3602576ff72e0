package wmiserver

import (
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// wait begins a method that has no end.
func (p *peer) wait(services *dcom.ObjRef) (*dcom.ObjRef, uint32) {
	p.t.Helper()
	var out iwbem.ExecMethodResponse
	p.call(services, wmi.IIDServices, iwbem.OpExecMethod, &iwbem.ExecMethodRequest{
		Path: text("CT_Types"), Method: text("Wait"), Flags: wmi.FlagReturnImmediately, CallResult: iwbem.RefSlot{Given: true},
	}, &out)
	return out.CallResult.Ref, out.Result
}

// An operation counts as long as it runs: giving up its result makes no room for another.
func TestOperationsWithoutResultCount(t *testing.T) {
	p := newPeer(t, Options{Limits: Limits{MaxRequestsPerUser: 3}})
	s := p.login(cimtest.Namespace)
	for range 3 {
		ref, code := p.wait(s)
		want(t, "ExecMethod", code, 0)
		p.release(ref)
	}
	_, code := p.wait(s)
	want(t, "while three methods run", code, cim.ErrQuotaViolation)
	p.server.cancel() // they end
	for start := time.Now(); p.server.ledger.outstanding() > 0; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d operations are left", p.server.ledger.outstanding())
		}
	}
}

// A call result that came beside its result counts until it is released.
func TestFinishedResultsCount(t *testing.T) {
	p := newPeer(t, Options{Limits: Limits{MaxRequestsPerUser: 2}})
	s := p.login(cimtest.Namespace)
	run := func() (*dcom.ObjRef, uint32) {
		var out iwbem.ExecMethodResponse
		p.call(s, wmi.IIDServices, iwbem.OpExecMethod, &iwbem.ExecMethodRequest{
			Path: text("CT_Only=@"), Method: text("Touch"), OutParams: iwbem.ObjectSlot{Given: true}, CallResult: iwbem.RefSlot{Given: true},
		}, &out)
		return out.CallResult.Ref, out.Result
	}
	first, code := run()
	want(t, "ExecMethod", code, 0)
	_, code = run()
	want(t, "ExecMethod", code, 0)
	_, code = run()
	want(t, "a third", code, cim.ErrQuotaViolation)
	p.release(first)
	_, code = run()
	want(t, "after a release", code, 0)
}

// What was asked for encrypted in a namespace that demands it is not fetched in another way.
func TestResultOfAnEncryptedNamespace(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(`root\secret`)
	var out iwbem.GetObjectResponse
	p.call(s, wmi.IIDServices, iwbem.OpGetObject, &iwbem.GetObjectRequest{
		Path: text("__SystemClass"), Flags: wmi.FlagReturnImmediately, CallResult: iwbem.RefSlot{Given: true},
	}, &out)
	want(t, "GetObject", out.Result, 0)
	if _, code := p.object(out.CallResult.Ref, -1); code != 0 {
		t.Fatalf("GetResultObject: %#x", code)
	}
	open := p.caller
	open.Protection = cim.ProtectionPktIntegrity
	q := p.as(open)
	if i, code := q.object(out.CallResult.Ref, -1); i != nil || code != uint32(cim.ErrAccessDenied) {
		t.Errorf("GetResultObject without encryption: %v, %#x", i, code)
	}
	_, code := q.callStatus(out.CallResult.Ref, -1)
	want(t, "GetCallStatus without encryption", code, cim.ErrAccessDenied)
	_, code = q.resultText(out.CallResult.Ref)
	want(t, "GetResultString without encryption", code, cim.ErrAccessDenied)
}

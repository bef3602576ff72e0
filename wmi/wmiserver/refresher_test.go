package wmiserver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

func TestRefresher(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(`root\cimv2`)
	id := iwbem.RefresherID{Machine: text("CLIENT"), Process: 7, GUID: security.GUID{1}}
	add := func(opnum uint16, path string) iwbem.RefreshInfoResponse {
		t.Helper()
		var out iwbem.RefreshInfoResponse
		p.call(s, wmi.IIDRefreshingServices, opnum, &iwbem.AddToRefresherRequest{Refresher: id, Path: path, Version: 2}, &out)
		if out.Version != 1 {
			t.Errorf("the server's version: %d", out.Version)
		}
		return out
	}
	plain := add(iwbem.OpAddObjectToRefresher, `Win32_LogicalDisk.DeviceID="C:"`)
	if plain.Result != 0 || plain.Info.Type != iwbem.RefreshNonHiPerf || plain.Info.Namespace.Text != `root\cimv2` || p.decode(plain.Info.Template).Class().Name != "Win32_LogicalDisk" {
		t.Errorf("not of high performance: %+v", plain)
	}
	for path, status := range map[string]cim.Status{
		`Win32_PerfRawData_Test.Name="none"`: cim.ErrNotFound, "Win32_PerfRawData_Test": cim.ErrInvalidObjectPath, `Nothing.Name="x"`: cim.ErrInvalidClass,
	} {
		out := add(iwbem.OpAddObjectToRefresher, path)
		want(t, path, out.Result, status)
		if out.Info.Type != iwbem.RefreshInvalid {
			t.Errorf("%s: %+v", path, out.Info)
		}
	}
	want(t, "an unknown class", add(iwbem.OpAddEnumToRefresher, "Nothing").Result, cim.ErrInvalidClass)
	one, all := add(iwbem.OpAddObjectToRefresher, `Win32_PerfRawData_Test.Name="one"`), add(iwbem.OpAddEnumToRefresher, "Win32_PerfRawData_Test")
	if one.Result != 0 || one.Info.Type != iwbem.RefreshRemote || one.Info.Refresher == nil || one.Info.CancelID == all.Info.CancelID || one.Info.GUID != all.Info.GUID || one.Info.Refresher.Std != all.Info.Refresher.Std {
		t.Fatalf("%+v, %+v", one, all)
	}
	blobs, err := p.codec.NewInstanceBlobs(p.decode(one.Info.Template).Class())
	if err != nil {
		t.Fatal(err)
	}
	refresh := func() iwbem.RemoteRefreshResponse {
		t.Helper()
		var out iwbem.RemoteRefreshResponse
		p.call(all.Info.Refresher, wmi.IIDRemoteRefresher, iwbem.OpRemoteRefresh, &iwbem.RemoteRefreshRequest{}, &out)
		want(t, "RemoteRefresh", out.Result, 0)
		return out
	}
	counts := func() (single uint64, list []uint64) {
		t.Helper()
		out := refresh()
		if len(out.Objects) != 2 || out.Objects[0].Type != iwbem.BlobAll || out.Objects[1].Type != iwbem.BlobEnum || out.Objects[0].RequestID != one.Info.CancelID {
			t.Fatalf("%+v", out.Objects)
		}
		i, err := blobs.Decode(out.Objects[0].Blob)
		if err != nil {
			t.Fatal(err)
		}
		single, _ = i.Get("Count").Uint()
		many, err := blobs.DecodeEnum(out.Objects[1].Blob)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range many {
			n, _ := i.Get("Count").Uint()
			list = append(list, n)
		}
		return single, list
	}
	if n, list := counts(); n != 1 || len(list) != 2 || list[0] != 1 || list[1] != 2 {
		t.Errorf("first: %d, %v", n, list)
	}
	i := p.decode(p.get(s, text(`Win32_PerfRawData_Test.Name="one"`), 0).Object.Object)
	_ = i.Set("Count", cim.U32(9))
	var put iwbem.PutInstanceResponse
	p.call(s, wmi.IIDServices, iwbem.OpPutInstance, &iwbem.PutInstanceRequest{Object: p.encode(i)}, &put)
	want(t, "PutInstance", put.Result, 0)
	if n, list := counts(); n != 9 || list[0] != 9 {
		t.Errorf("then: %d, %v", n, list)
	}
	var removed iwbem.DeleteInstanceResponse
	p.call(s, wmi.IIDServices, iwbem.OpDeleteInstance, &iwbem.DeleteInstanceRequest{Path: text(`Win32_PerfRawData_Test.Name="one"`)}, &removed)
	want(t, "DeleteInstance", removed.Result, 0)
	if out := refresh(); out.Objects[0].Type != iwbem.BlobError || out.Objects[0].Blob != nil {
		t.Errorf("an object that is gone: %+v", out.Objects[0])
	}
	var stopped iwbem.StopRefreshingResponse
	p.call(one.Info.Refresher, wmi.IIDRemoteRefresher, iwbem.OpStopRefreshing, &iwbem.StopRefreshingRequest{IDs: []uint32{one.Info.CancelID}}, &stopped)
	want(t, "StopRefreshing", stopped.Result, 0)
	p.call(one.Info.Refresher, wmi.IIDRemoteRefresher, iwbem.OpStopRefreshing, &iwbem.StopRefreshingRequest{IDs: []uint32{99}}, &stopped)
	want(t, "StopRefreshing of nothing", stopped.Result, cim.ErrNotFound)
	if out := refresh(); len(out.Objects) != 1 {
		t.Errorf("%d objects are left", len(out.Objects))
	}

	var again iwbem.ReconnectRemoteRefresherResponse
	p.call(s, wmi.IIDRefreshingServices, iwbem.OpReconnectRemoteRefresher, &iwbem.ReconnectRemoteRefresherRequest{
		Refresher: id, Infos: []iwbem.ReconnectInfo{{Type: 0, Path: text(`Win32_PerfRawData_Test.Name="two"`)}, {Type: 1, Path: text("Nothing")}}, Results: make([]iwbem.ReconnectResult, 2),
	}, &again)
	if again.Result != 0 || again.Results[0].Status != 0 || again.Results[1].Status != uint32(cim.ErrInvalidClass) {
		t.Errorf("ReconnectRemoteRefresher: %+v", again)
	}
	var same iwbem.GetRemoteRefresherResponse
	p.call(s, wmi.IIDRefreshingServices, iwbem.OpGetRemoteRefresher, &iwbem.GetRemoteRefresherRequest{Refresher: id}, &same)
	if same.Result != 0 || same.GUID != one.Info.GUID {
		t.Errorf("GetRemoteRefresher: %+v", same)
	}
	if out := refresh(); len(out.Objects) != 2 {
		t.Errorf("%d objects after the reconnection", len(out.Objects))
	}
	var gone iwbem.RemoveObjectFromRefresherResponse
	p.call(s, wmi.IIDRefreshingServices, iwbem.OpRemoveObjectFromRefresher, &iwbem.RemoveObjectFromRefresherRequest{Refresher: id}, &gone)
	want(t, "RemoveObjectFromRefresher", gone.Result, cim.ErrNotAvailable)

	var template iwbem.RefreshInfoResponse
	p.call(s, wmi.IIDRefreshingServices, iwbem.OpAddObjectToRefresherByTemplate, &iwbem.AddObjectToRefresherByTemplateRequest{
		Refresher: id, Template: p.encode(p.decode(p.get(s, text(`Win32_PerfRawData_Test.Name="two"`), 0).Object.Object)),
	}, &template)
	want(t, "AddObjectToRefresherByTemplate", template.Result, 0)
	p.release(s)
	for _, r := range []*dcom.ObjRef{one.Info.Refresher, all.Info.Refresher, same.Refresher, template.Info.Refresher} {
		p.release(r)
	}
	if n := len(p.server.refreshers.known); n != 0 {
		t.Errorf("%d refreshers are left", n)
	}
}

// keeper is a repository that remembers what it was asked.
type keeper struct {
	asked []string
	busy  chan struct{}
}

func (k *keeper) Backup(_ context.Context, _ cim.Caller, file string) error {
	k.asked = append(k.asked, "backup "+file)
	return nil
}

func (k *keeper) Restore(_ context.Context, _ cim.Caller, file string) error {
	k.asked = append(k.asked, "restore "+file)
	if k.busy != nil {
		k.busy <- struct{}{}
		<-k.busy
	}
	if file == "bad" {
		return &cim.Error{Status: cim.ErrInvalidStream, Err: errors.New("inside")}
	}
	return nil
}

func (p *peer) backup(iid security.GUID, opnum uint16, file string, flags uint32) uint32 {
	p.t.Helper()
	p.host.mu.Lock()
	p.host.objects[1<<40] = exportedObject{&backup{p.server}, ownerOf(p.caller), 1}
	p.host.mu.Unlock()
	r := *p.sinks.new(1 << 41).ref
	r.Std.OID = 1 << 40
	var out iwbem.StatusResponse
	if opnum == iwbem.OpPause || opnum == iwbem.OpResume {
		p.call(&r, iid, opnum, &iwbem.EmptyRequest{}, &out)
	} else {
		p.call(&r, iid, opnum, &iwbem.FileRequest{File: file, Flags: flags}, &out)
	}
	return out.Result
}

func TestBackupRestore(t *testing.T) {
	k := &keeper{}
	p := newPeer(t, Options{Repository: k})
	both := []security.GUID{wmi.IIDBackupRestore, wmi.IIDBackupRestoreEx}
	for _, iid := range both {
		want(t, "Backup", p.backup(iid, iwbem.OpBackup, "a", 0), 0)
		want(t, "Backup with a flag", p.backup(iid, iwbem.OpBackup, "a", 1), cim.ErrInvalidParameter)
		want(t, "Backup to nothing", p.backup(iid, iwbem.OpBackup, "", 0), cim.ErrInvalidParameter)
		want(t, "Restore without the flag", p.backup(iid, iwbem.OpRestore, "a", 0), cim.ErrInvalidParameter)
		want(t, "Restore", p.backup(iid, iwbem.OpRestore, "a", 1), 0)
		want(t, "Restore that fails", p.backup(iid, iwbem.OpRestore, "bad", 1), cim.ErrInvalidStream)
	}
	user := p.as(remote(token(security.SIDAuthenticatedUsers)))
	want(t, "Backup as a user", user.backup(both[0], iwbem.OpBackup, "a", 0), cim.ErrAccessDenied)
	want(t, "Pause as a user", user.backup(both[1], iwbem.OpPause, "", 0), cim.ErrAccessDenied)
	if len(k.asked) != 6 {
		t.Errorf("the repository was asked %q", k.asked)
	}
	none := newPeer(t, Options{})
	want(t, "Backup without a repository", none.backup(both[0], iwbem.OpBackup, "a", 0), cim.ErrNotSupported)

	// calls during a restore
	s := p.login("root")
	k.busy = make(chan struct{})
	done := make(chan uint32)
	go func() { done <- p.as(p.caller).backup(both[0], iwbem.OpRestore, "a", 1) }()
	<-k.busy
	_, code := p.tryQuery(s, "WQL", "SELECT * FROM __NAMESPACE", 0)
	want(t, "a call during a restore", code, 0x80080008)
	k.busy <- struct{}{}
	want(t, "Restore", <-done, 0)
	_, code = p.tryQuery(s, "WQL", "SELECT * FROM __NAMESPACE", 0)
	want(t, "a call after it", code, 0)
}

// Pause makes calls wait until Resume. [MS-WMI] 3.1.4.11.
func TestPause(t *testing.T) {
	p := newPeer(t, Options{Repository: &keeper{}})
	s := p.login("root")
	ex := wmi.IIDBackupRestoreEx
	want(t, "Resume without a pause", p.backup(ex, iwbem.OpResume, "", 0), cim.ErrInvalidOperation)
	want(t, "Pause", p.backup(ex, iwbem.OpPause, "", 0), 0)
	want(t, "Pause again", p.backup(ex, iwbem.OpPause, "", 0), cim.ErrInvalidOperation)
	done := make(chan uint32)
	go func() {
		_, code := p.as(p.caller).tryQuery(s, "WQL", "SELECT * FROM __NAMESPACE", 0)
		done <- code
	}()
	select {
	case <-done:
		t.Error("a call went through")
	case <-time.After(50 * time.Millisecond):
	}
	want(t, "Resume", p.backup(ex, iwbem.OpResume, "", 0), 0)
	want(t, "the call", <-done, 0)
}

// What refreshers are told to refresh is charged to the account, until it is not refreshed any more; and one answer has its limit.
func TestRefresherLimits(t *testing.T) {
	p := newPeer(t, Options{Limits: Limits{ReplayBytesPerUser: 100_000, ResponseBytes: 20}})
	s := p.login(`root\cimv2`)
	values, err := iwbem.NewContext(cim.NamedArray{{Name: "Long", Value: cim.Str(strings.Repeat("x", 60_000))}})
	if err != nil {
		t.Fatal(err)
	}
	add := func(guid byte, values iwbem.Context) iwbem.RefreshInfoResponse {
		t.Helper()
		var out iwbem.RefreshInfoResponse
		p.call(s, wmi.IIDRefreshingServices, iwbem.OpAddObjectToRefresher, &iwbem.AddToRefresherRequest{
			Refresher: iwbem.RefresherID{GUID: security.GUID{guid}}, Path: `Win32_PerfRawData_Test.Name="one"`, Context: values, Version: 2,
		}, &out)
		return out
	}
	first := add(1, values)
	want(t, "AddObjectToRefresher", first.Result, 0)
	want(t, "one more of the same refresher", add(1, values).Result, cim.ErrQuotaViolation)
	want(t, "one of another", add(2, values).Result, cim.ErrQuotaViolation)
	var stopped iwbem.StopRefreshingResponse
	p.call(first.Info.Refresher, wmi.IIDRemoteRefresher, iwbem.OpStopRefreshing, &iwbem.StopRefreshingRequest{IDs: []uint32{first.Info.CancelID}}, &stopped)
	want(t, "StopRefreshing", stopped.Result, 0)
	second := add(2, values)
	want(t, "AddObjectToRefresher", second.Result, 0)

	refresh := func() iwbem.RemoteRefreshResponse {
		var out iwbem.RemoteRefreshResponse
		p.call(first.Info.Refresher, wmi.IIDRemoteRefresher, iwbem.OpRemoteRefresh, &iwbem.RemoteRefreshRequest{}, &out)
		return out
	}
	var refs []*dcom.ObjRef
	for range 10 {
		out := add(1, nil)
		want(t, "AddObjectToRefresher", out.Result, 0)
		refs = append(refs, out.Info.Refresher)
		if len(refs) == 1 {
			if out := refresh(); out.Result != 0 || len(out.Objects) != 1 {
				t.Errorf("RemoteRefresh: %+v", out)
			}
		}
	}
	if out := refresh(); out.Result != uint32(cim.ErrQuotaViolation) || out.Objects != nil {
		t.Errorf("RemoteRefresh of more than an answer may hold: %#x, %d objects", out.Result, len(out.Objects))
	}
	for _, r := range append(refs, first.Info.Refresher, second.Info.Refresher) {
		p.release(r)
	}
	if n := len(p.server.ledger.users); n != 0 {
		t.Errorf("%d accounts are charged in the end", n)
	}
}

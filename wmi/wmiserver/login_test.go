package wmiserver

import (
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// T-03, T-17 and the forms of a namespace.
func TestLoginNamespaces(t *testing.T) {
	p := newPeer(t, Options{})
	for _, c := range []struct {
		resource iwbem.String
		want     cim.Status
	}{
		{text(`root\cimv2`), 0},
		{text(`\\host\root\cimv2`), 0},
		{text(`//./root/cimv2`), 0},
		{text(`\\.\ROOT\CIMV2`), 0},
		{text(`\\[::1]\root`), 0},
		{text(`root`), 0},
		{text(`root\nothing`), cim.ErrInvalidNamespace},
		{text(`\\host`), cim.ErrInvalidNamespace},
		{text(`\\host\root\\cimv2`), cim.ErrInvalidNamespace},
		{text(`\\host\root\cimv2:Win32_Process`), cim.ErrInvalidNamespace},
		{text(``), cim.ErrInvalidParameter},
		{null, cim.ErrInvalidParameter},
		{text(strings.Repeat("x", maxNamespace+1)), cim.ErrQuotaViolation},
	} {
		for _, locale := range []iwbem.String{null, text("MS_409,MS_407"), text("EN_US")} {
			var out iwbem.NTLMLoginResponse
			p.call(nil, wmi.IIDLevel1Login, iwbem.OpNTLMLogin, &iwbem.NTLMLoginRequest{NetworkResource: c.resource, PreferredLocale: locale}, &out)
			want(t, clip(c.resource.Text), out.Result, c.want)
			if (out.Ref != nil) != (c.want == 0) {
				t.Errorf("%s: the namespace pointer is %v", c.resource.Text, out.Ref)
			}
		}
	}
}

// T-04.
func TestLoginFlags(t *testing.T) {
	p := newPeer(t, Options{})
	for _, flags := range []uint32{1, 0x40, 0x80, 0x80000000} {
		var out iwbem.NTLMLoginResponse
		p.call(nil, wmi.IIDLevel1Login, iwbem.OpNTLMLogin, &iwbem.NTLMLoginRequest{NetworkResource: text("root"), PreferredLocale: null, Flags: flags}, &out)
		want(t, "NTLMLogin", out.Result, cim.ErrInvalidParameter)
		if out.Ref != nil {
			t.Error("a namespace pointer")
		}
	}
}

// The methods of the login that do nothing, [MS-WMI] 3.1.4.1.1 to 3.1.4.1.3; T-17: LocaleVersion tells that unknown locales are ignored.
func TestLoginMethodsThatDoNothing(t *testing.T) {
	p := newPeer(t, Options{})
	var position iwbem.EstablishPositionResponse
	p.call(nil, wmi.IIDLevel1Login, iwbem.OpEstablishPosition, &iwbem.EstablishPositionRequest{Reserved1: null}, &position)
	if position.Result != 0 || position.LocaleVersion != 1 {
		t.Errorf("EstablishPosition: %+v", position)
	}
	var challenge iwbem.RequestChallengeResponse
	p.call(nil, wmi.IIDLevel1Login, iwbem.OpRequestChallenge, &iwbem.RequestChallengeRequest{Reserved1: null, Reserved2: null}, &challenge)
	want(t, "RequestChallenge", challenge.Result, cim.ErrNotSupported)
	var login iwbem.WBEMLoginResponse
	p.call(nil, wmi.IIDLevel1Login, iwbem.OpWBEMLogin, &iwbem.WBEMLoginRequest{Reserved1: null}, &login)
	want(t, "WBEMLogin", login.Result, 0x80004001)
	var id iwbem.SetClientInfoResponse
	p.call(nil, wmi.IIDLoginClientID, iwbem.OpSetClientInfo, &iwbem.SetClientInfoRequest{ClientMachine: text("CLIENT"), ClientProcess: 7}, &id)
	want(t, "SetClientInfo", id.Result, 0)
	p.call(nil, wmi.IIDLoginClientIDEx, iwbem.OpSetClientInfoEx, &iwbem.SetClientInfoExRequest{ClientMachine: text("CLIENT"), ClientMachineFQDN: null}, &id)
	want(t, "SetClientInfoEx", id.Result, 0)
}

// T-112, as far as it is WMI's: an object does not have other interfaces.
func TestInterfaces(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login("root")
	e := p.query(s, "SELECT * FROM __NAMESPACE", 0)
	all := []security.GUID{
		wmi.IIDLevel1Login, wmi.IIDLoginClientID, wmi.IIDLoginClientIDEx, wmi.IIDLoginHelper, wmi.IIDServices, wmi.IIDEnumClassObject,
		wmi.IIDFetchSmartEnum, wmi.IIDWCOSmartEnum, wmi.IIDCallResult, wmi.IIDObjectSink, wmi.IIDRefreshingServices, wmi.IIDRemoteRefresher,
		wmi.IIDBackupRestore, wmi.IIDBackupRestoreEx,
	}
	for _, c := range []struct {
		o    object
		have []security.GUID
	}{
		{&login{p.server}, all[:3]},
		{p.host.objects[s.Std.OID].object, []security.GUID{wmi.IIDServices, wmi.IIDRefreshingServices}},
		{p.host.objects[e.Std.OID].object, []security.GUID{wmi.IIDEnumClassObject, wmi.IIDFetchSmartEnum}},
		{&smartEnum{}, []security.GUID{wmi.IIDWCOSmartEnum}},
		{&callResult{}, []security.GUID{wmi.IIDCallResult}},
		{&eventSink{}, []security.GUID{wmi.IIDObjectSink}},
		{&remoteRefresher{}, []security.GUID{wmi.IIDRemoteRefresher}},
		{&backup{}, []security.GUID{wmi.IIDBackupRestore, wmi.IIDBackupRestoreEx}},
	} {
		for _, iid := range all {
			has := false
			for _, one := range c.have {
				has = has || one == iid
			}
			if (c.o.methods(iid) != nil) != has {
				t.Errorf("%T and %v: %v", c.o, iid, !has)
			}
		}
	}
	if err := p.try(t.Context(), s, wmi.IIDServices, 26, &iwbem.EmptyRequest{}, &iwbem.StatusResponse{}); err == nil {
		t.Error("method 26 is there")
	}
}

func token(groups ...security.SID) *security.Token {
	t := &security.Token{User: mustSID("S-1-5-21-1-2-3-1001"), Groups: []security.GroupEntry{{SID: security.SIDEveryone}}}
	for _, g := range groups {
		t.Groups = append(t.Groups, security.GroupEntry{SID: g})
	}
	return t
}

func mustSID(s string) security.SID {
	sid, err := security.ParseSID(s)
	if err != nil {
		panic(err)
	}
	return sid
}

// T-05, T-06: rights at connect. DefaultSDDL gives Authenticated Users Enable and no Remote Enable, others nothing.
func TestLoginRights(t *testing.T) {
	p := newPeer(t, Options{})
	user := p.as(remote(token(security.SIDAuthenticatedUsers)))
	_, code := user.tryLogin(`root\cimv2`)
	want(t, "a remote caller without Remote Enable", code, cim.ErrAccessDenied)
	local := remote(token(security.SIDAuthenticatedUsers))
	local.Remote = false
	_, code = p.as(local).tryLogin(`root\cimv2`)
	want(t, "the same caller locally", code, 0)
	local.Token = token()
	_, code = p.as(local).tryLogin(`root\cimv2`)
	want(t, "a caller without Enable", code, cim.ErrAccessDenied)
}

// T-09: the level of each call counts.
func TestEncryptedNamespace(t *testing.T) {
	var log logged
	p := newPeer(t, Options{Logger: log.logger()})
	low := p.caller
	low.Protection = cim.ProtectionPktIntegrity
	_, code := p.as(low).tryLogin(`root\secret`)
	want(t, "login at level 5", code, cim.ErrAccessDenied)
	if !strings.Contains(log.String(), "event=5605") {
		t.Errorf("the log: %s", log.String())
	}
	s := p.login(`root\secret`)
	e := p.query(s, "SELECT * FROM __SystemClass", wmi.FlagReturnImmediately|wmi.FlagForwardOnly)
	if _, code := p.as(low).tryQuery(s, "WQL", "SELECT * FROM __SystemClass", 0); code != uint32(cim.ErrAccessDenied) {
		t.Errorf("a query at level 5: %#x", code)
	}
	if _, code := p.as(low).next(e, -1, 1); code != uint32(cim.ErrAccessDenied) {
		t.Errorf("Next at level 5 on an enumerator made at level 6: %#x", code)
	}
	if _, code := p.next(e, -1, 1); failed(code) {
		t.Errorf("Next at level 6: %#x", code)
	}
	// elsewhere a lower level is permitted
	cimv2 := p.login(`root\cimv2`)
	e = p.query(cimv2, "SELECT * FROM Win32_OperatingSystem", 0)
	if list, code := p.as(low).next(e, -1, 1); code != 0 || len(list) != 1 {
		t.Errorf("Next at level 5 where that is permitted: %#x", code)
	}
}

// [MS-WMI] 3.1.4: a caller must let the service act for him.
func TestImpersonation(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login("root")
	e := p.query(s, "SELECT * FROM __NAMESPACE", 0)
	for _, level := range []cim.Impersonation{cim.ImpersonationAnonymous, cim.ImpersonationIdentify} {
		c := p.caller
		c.Impersonation = level
		q := p.as(c)
		_, code := q.tryLogin("root")
		want(t, "NTLMLogin", code, cim.ErrAccessDenied)
		_, code = q.tryQuery(s, "WQL", "SELECT * FROM __NAMESPACE", 0)
		want(t, "ExecQuery", code, cim.ErrAccessDenied)
		_, code = q.next(e, -1, 1)
		want(t, "Next", code, cim.ErrAccessDenied)
	}
	c := p.caller
	c.Impersonation = cim.ImpersonationDelegate
	if _, code := p.as(c).tryLogin("root"); code != 0 {
		t.Errorf("Delegate: %#x", code)
	}
}

func TestOpenNamespace(t *testing.T) {
	p := newPeer(t, Options{})
	root := p.login("root")
	for _, c := range []struct {
		path string
		want cim.Status
	}{
		{"cimv2", 0}, {`\\.\root\cimv2`, 0}, {"nothing", cim.ErrInvalidNamespace}, {`\\.\root`, cim.ErrInvalidNamespace},
		{`\\.\elsewhere\cimv2`, cim.ErrInvalidNamespace}, {"", cim.ErrInvalidParameter},
	} {
		var out iwbem.OpenNamespaceResponse
		p.call(root, wmi.IIDServices, iwbem.OpOpenNamespace, &iwbem.OpenNamespaceRequest{Namespace: text(c.path), Services: iwbem.RefSlot{Given: true}}, &out)
		want(t, c.path, out.Result, c.want)
		if c.want == 0 {
			if list, code := p.next(p.query(out.Services.Ref, "SELECT * FROM Win32_OperatingSystem", 0), -1, 2); len(list) != 1 || code != 1 {
				t.Errorf("%s is not root\\cimv2: %d, %#x", c.path, len(list), code)
			}
		}
	}
	var out iwbem.OpenNamespaceResponse
	p.call(root, wmi.IIDServices, iwbem.OpOpenNamespace, &iwbem.OpenNamespaceRequest{Namespace: text("cimv2"), Flags: wmi.FlagReturnImmediately, Services: iwbem.RefSlot{Given: true}, CallResult: iwbem.RefSlot{Given: true}}, &out)
	if out.Result != 0 || out.Services.Ref != nil || out.CallResult.Ref == nil {
		t.Fatalf("semisynchronous: %+v", out)
	}
	var services iwbem.GetResultServicesResponse
	p.call(out.CallResult.Ref, wmi.IIDCallResult, iwbem.OpGetResultServices, &iwbem.TimeoutRequest{Timeout: iwbem.Forever}, &services)
	want(t, "GetResultServices", services.Result, 0)
	p.release(root)
	p.release(out.CallResult.Ref)
	if list, _ := p.next(p.query(services.Ref, "SELECT * FROM Win32_OperatingSystem", 0), -1, 1); len(list) != 1 {
		t.Error("the namespace does not outlive the call result")
	}
}

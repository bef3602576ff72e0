package wmiserver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// T-44: the bits of [MS-WMI] 3.1.4.3 that each method accepts, and no other. With flags that are accepted a call gets further than its
// flags, to an error that its other arguments make.
func TestFlags(t *testing.T) {
	p := newPeer(t, Options{Callbacks: anonymous})
	s := p.login(cimtest.Namespace)
	slot := iwbem.RefSlot{Given: true}
	path := func(f uint32) ndr.Marshaler {
		return &iwbem.PathRequest{Path: text(strings.Repeat("x", 5000)), Flags: f}
	}
	pathAsync := func(f uint32) ndr.Marshaler {
		return &iwbem.PathAsyncRequest{Path: text(strings.Repeat("x", 9000)), Flags: f}
	}
	remove := func(f uint32) ndr.Marshaler {
		return &iwbem.DeleteRequest{Path: text(strings.Repeat("x", 9000)), Flags: f, CallResult: slot}
	}
	query := func(f uint32) ndr.Marshaler {
		return &iwbem.QueryRequest{Language: text("SQL"), Query: text("x"), Flags: f}
	}
	queryAsync := func(f uint32) ndr.Marshaler {
		return &iwbem.QueryAsyncRequest{Language: text("SQL"), Query: text("x"), Flags: f}
	}
	object := iwbem.ClassObject("no object")
	put := func(f uint32) ndr.Marshaler { return &iwbem.PutRequest{Object: object, Flags: f, CallResult: slot} }
	putAsync := func(f uint32) ndr.Marshaler { return &iwbem.PutAsyncRequest{Object: object, Flags: f} }
	for _, m := range []struct {
		name   string
		opnum  uint16
		bits   uint32
		make   func(uint32) ndr.Marshaler
		status cim.Status // of a call whose flags are accepted
	}{
		{"OpenNamespace", 3, 0x10, func(f uint32) ndr.Marshaler {
			return &iwbem.OpenNamespaceRequest{Namespace: text("nothing"), Flags: f &^ 0x10, Services: slot}
		}, cim.ErrInvalidNamespace},
		{"GetObject", 6, 0x20210, func(f uint32) ndr.Marshaler {
			return &iwbem.GetObjectRequest{Path: text("no path at all"), Flags: f, Object: iwbem.ObjectSlot{Given: true}, CallResult: slot}
		}, cim.ErrInvalidObjectPath},
		{"GetObjectAsync", 7, 0x20280, pathAsync, cim.ErrQuotaViolation},
		{"PutClass", 8, 0x20073, put, cim.ErrInvalidObject},
		{"PutClassAsync", 9, 0x200e3, putAsync, cim.ErrInvalidObject},
		{"DeleteClass", 10, 0x10, remove, cim.ErrQuotaViolation},
		{"DeleteClassAsync", 11, 0x80, pathAsync, cim.ErrQuotaViolation},
		{"CreateClassEnum", 12, 0x20131, path, cim.ErrQuotaViolation},
		{"CreateClassEnumAsync", 13, 0x20181, pathAsync, cim.ErrQuotaViolation},
		{"PutInstance", 14, 0x20013, put, cim.ErrInvalidObject},
		{"PutInstanceAsync", 15, 0x20083, putAsync, cim.ErrInvalidObject},
		{"DeleteInstance", 16, 0x10, remove, cim.ErrQuotaViolation},
		{"DeleteInstanceAsync", 17, 0x80, pathAsync, cim.ErrQuotaViolation},
		{"CreateInstanceEnum", 18, 0x20331, path, cim.ErrQuotaViolation},
		{"CreateInstanceEnumAsync", 19, 0x20381, pathAsync, cim.ErrQuotaViolation},
		{"ExecQuery", 20, 0x20332, query, cim.ErrInvalidQueryType},
		{"ExecQueryAsync", 21, 0x20382, queryAsync, cim.ErrInvalidQueryType},
		{"ExecNotificationQuery", 22, 0x20030, query, cim.ErrInvalidQueryType},
		{"ExecNotificationQueryAsync", 23, 0x20080, queryAsync, cim.ErrInvalidQueryType},
		{"ExecMethod", 24, 0x10, func(f uint32) ndr.Marshaler {
			return &iwbem.ExecMethodRequest{Path: text("x"), Method: text("y"), InParams: object, Flags: f, OutParams: iwbem.ObjectSlot{Given: true}, CallResult: slot}
		}, cim.ErrInvalidObject},
		{"ExecMethodAsync", 25, 0x80, func(f uint32) ndr.Marshaler {
			return &iwbem.ExecMethodAsyncRequest{Path: text("x"), Method: text("y"), InParams: object, Flags: f}
		}, cim.ErrInvalidObject},
	} {
		t.Run(m.name, func(t *testing.T) {
			for bit := uint32(1); bit != 0; bit <<= 1 {
				var out raw
				p.call(s, wmi.IIDServices, m.opnum, m.make(bit), &out)
				status := m.status
				if m.bits&bit == 0 {
					status = cim.ErrInvalidParameter
				}
				want(t, fmt.Sprintf("flag %#x", bit), out.result, status)
			}
		})
	}
}

// raw reads the HRESULT at the end of any response.
type raw struct{ result uint32 }

func (r *raw) UnmarshalNDR(d *ndr.Decoder) {
	for d.Left() >= 4 {
		r.result = d.Uint32()
	}
}

// T-35.
func TestSemisynchronousNeedsAPlace(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	var out iwbem.GetObjectResponse
	p.call(s, wmi.IIDServices, iwbem.OpGetObject, &iwbem.GetObjectRequest{Path: text("CT_Part"), Flags: wmi.FlagReturnImmediately, Object: iwbem.ObjectSlot{Given: true}}, &out)
	want(t, "GetObject", out.Result, cim.ErrInvalidParameter)
	for opnum, in := range map[uint16]ndr.Marshaler{
		iwbem.OpDeleteInstance: &iwbem.DeleteRequest{Path: text(`CT_Part.ID="p1"`), Flags: wmi.FlagReturnImmediately},
		iwbem.OpPutClass:       &iwbem.PutRequest{Object: p.encode(cim.ClassObject(cim.NewClass("Test_X", nil).Build(""))), Flags: wmi.FlagReturnImmediately},
	} {
		var out iwbem.CallResultResponse
		p.call(s, wmi.IIDServices, opnum, in, &out)
		want(t, fmt.Sprint(opnum), out.Result, cim.ErrInvalidParameter)
	}
	if out := p.get(s, text("Test_X"), 0); out.Result != uint32(cim.ErrNotFound) {
		t.Errorf("the class was put: %#x", out.Result)
	}
}

func (p *peer) object(cr *dcom.ObjRef, timeout int32) (*cim.Instance, uint32) {
	p.t.Helper()
	var out iwbem.GetResultObjectResponse
	p.call(cr, wmi.IIDCallResult, iwbem.OpGetResultObject, &iwbem.TimeoutRequest{Timeout: timeout}, &out)
	if out.Object == nil {
		return nil, out.Result
	}
	return p.decode(out.Object), out.Result
}

func (p *peer) callStatus(cr *dcom.ObjRef, timeout int32) (status, code uint32) {
	p.t.Helper()
	var out iwbem.GetCallStatusResponse
	p.call(cr, wmi.IIDCallResult, iwbem.OpGetCallStatus, &iwbem.TimeoutRequest{Timeout: timeout}, &out)
	return out.Status, out.Result
}

func (p *peer) resultText(cr *dcom.ObjRef) (string, uint32) {
	p.t.Helper()
	var out iwbem.GetResultStringResponse
	p.call(cr, wmi.IIDCallResult, iwbem.OpGetResultString, &iwbem.TimeoutRequest{Timeout: -1}, &out)
	return out.Text.Text, out.Result
}

// T-46 and the rest of [MS-WMI] 3.1.4.5.
func TestCallResult(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	semi := func(path string) *dcom.ObjRef {
		var out iwbem.GetObjectResponse
		p.call(s, wmi.IIDServices, iwbem.OpGetObject, &iwbem.GetObjectRequest{
			Path: text(path), Flags: wmi.FlagReturnImmediately, Object: iwbem.ObjectSlot{Given: true}, CallResult: iwbem.RefSlot{Given: true},
		}, &out)
		if out.Result != 0 || out.CallResult.Ref == nil || out.Object.Object != nil {
			t.Fatalf("GetObject: %+v", out)
		}
		return out.CallResult.Ref
	}
	cr := semi(`CT_Part.ID="p1"`)
	for range 2 {
		if i, code := p.object(cr, -1); code != 0 || !i.Get("ID").Equal(cim.Str("p1")) {
			t.Errorf("GetResultObject: %#x", code)
		}
	}
	if status, code := p.callStatus(cr, 0); status != 0 || code != 0 {
		t.Errorf("GetCallStatus: %#x, %#x", status, code)
	}
	_, code := p.resultText(cr)
	want(t, "GetResultString of a GetObject", code, cim.ErrInvalidOperation)
	cr = semi(`CT_Part.ID="none"`)
	_, code = p.object(cr, -1)
	want(t, "GetResultObject of nothing", code, cim.ErrNotFound)
	if e := p.extended(); !e.Get("StatusCode").Equal(cim.U32(uint32(cim.ErrNotFound))) || !e.Get("Operation").Equal(cim.Str("GetObject")) {
		t.Errorf("the error object: %v", e)
	}
	if status, code := p.callStatus(cr, -1); status != uint32(cim.ErrNotFound) || code != 0 {
		t.Errorf("GetCallStatus: %#x, %#x", status, code)
	}

	var out iwbem.ExecMethodResponse
	p.call(s, wmi.IIDServices, iwbem.OpExecMethod, &iwbem.ExecMethodRequest{
		Path: text("CT_Types"), Method: text("Wait"), Flags: wmi.FlagReturnImmediately, CallResult: iwbem.RefSlot{Given: true},
	}, &out)
	want(t, "ExecMethod", out.Result, 0)
	if i, code := p.object(out.CallResult.Ref, 0); i != nil || code != resultTimedOut {
		t.Errorf("T-46: GetResultObject(0): %#x", code)
	}
	if _, code := p.callStatus(out.CallResult.Ref, 50); code != resultTimedOut {
		t.Errorf("GetCallStatus(50 ms): %#x", code)
	}
	p.server.cancel() // the method has no end
	if status, code := p.callStatus(out.CallResult.Ref, 5000); status != uint32(cim.ErrCallCancelled) || code != 0 {
		t.Errorf("after the end: %#x, %#x", status, code)
	}
}

// extended is the error object of the last answer: in ORPCTHAT it is an OBJREF_CUSTOM of IWbemClassObject.
func (p *peer) extended() *cim.Instance {
	p.t.Helper()
	if p.info == nil {
		p.t.Fatal("no error object")
	}
	r, err := dcom.ParseObjRef(p.info)
	if err != nil || r.Kind != dcom.ObjRefCustom || r.CLSID != wmi.CLSIDClassObject || r.IID != dcom.IIDErrorInfo {
		p.t.Fatalf("%+v, %v", r, err)
	}
	i := p.decode(r.Data)
	if !i.Class().IsA("__ExtendedStatus") {
		p.t.Errorf("an error object of class %s", i.Class().Name)
	}
	return i
}

// Error objects of calls that fail at once say what was asked.
func TestErrorObject(t *testing.T) {
	p := newPeer(t, Options{})
	p.get(p.login(cimtest.Namespace), text(`CT_Part.ID="none"`), 0)
	e := p.extended()
	for name, value := range map[string]cim.Value{
		"StatusCode": cim.U32(0x80041002), "Operation": cim.Str("GetObject"), "ParameterInfo": cim.Str(`CT_Part.ID="none"`), "ProviderName": cim.Null(cim.String),
	} {
		if !e.Get(name).Equal(value) {
			t.Errorf("%s: %v, want %v", name, e.Get(name), value)
		}
	}
}

// Classes and instances are written, deleted and found as the flags say, with and without a call result.
func TestWrites(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(`root\cimv2`)
	put := func(opnum uint16, i *cim.Instance, flags uint32, given bool) (string, uint32) {
		t.Helper()
		var out iwbem.CallResultResponse
		p.call(s, wmi.IIDServices, opnum, &iwbem.PutRequest{Object: p.encode(i), Flags: flags, CallResult: iwbem.RefSlot{Given: given}}, &out)
		if !given || out.Result != 0 {
			return "", out.Result
		}
		status, _ := p.callStatus(out.CallResult.Ref, -1)
		path, _ := p.resultText(out.CallResult.Ref)
		p.release(out.CallResult.Ref)
		return path, status
	}
	class := cim.ClassObject(cim.NewClass("Test_Thing", nil).Key("ID", cim.String).Property("Value", cim.Uint32).Property("Note", cim.String).Build(""))
	for _, c := range []struct {
		flags uint32
		given bool
		want  cim.Status
	}{
		{wmi.FlagUpdateOnly, false, cim.ErrNotFound},
		{wmi.FlagUpdateOnly, true, cim.ErrNotFound}, // through the call result, also without the flag for it
		{wmi.FlagUpdateOnly | wmi.FlagCreateOnly, false, cim.ErrInvalidParameter},
		{wmi.FlagSafeMode | wmi.FlagForceMode, false, cim.ErrInvalidParameter},
		{wmi.FlagCreateOnly, false, 0},
		{wmi.FlagCreateOnly | wmi.FlagReturnImmediately, true, cim.ErrAlreadyExists},
		{0, false, 0},
		{wmi.FlagUpdateOnly | wmi.FlagReturnImmediately, true, 0},
	} {
		_, code := put(iwbem.OpPutClass, class, c.flags, c.given)
		want(t, fmt.Sprintf("PutClass, flags %#x", c.flags), code, c.want)
	}
	for name, status := range map[string]cim.Status{"_Test": cim.ErrInvalidOperation, "Test_": cim.ErrInvalidObject, "Te st": cim.ErrInvalidParameter} {
		_, code := put(iwbem.OpPutClass, cim.ClassObject((&cim.Class{Name: name}).Seal()), 0, false)
		want(t, "PutClass "+name, code, status)
	}
	thing := func(id string, value uint32) *cim.Instance {
		i := cim.NewInstance(class.Class())
		if id != "" {
			_ = i.Set("ID", cim.Str(id))
		}
		_ = i.Set("Value", cim.U32(value))
		return i
	}
	for _, c := range []struct {
		id    string
		flags uint32
		given bool
		want  cim.Status
		path  string
	}{
		{"a", wmi.FlagUpdateOnly, false, cim.ErrNotFound, ""},
		{"a", wmi.FlagCreateOnly, false, 0, ""},
		{"a", wmi.FlagCreateOnly, true, cim.ErrAlreadyExists, ""},
		{"b", 0, true, 0, `Test_Thing.ID="b"`},
		{"c", wmi.FlagCreateOnly | wmi.FlagReturnImmediately, true, 0, `Test_Thing.ID="c"`},
		{"", 0, false, cim.ErrNoKey, ""},
	} {
		path, code := put(iwbem.OpPutInstance, thing(c.id, 1), c.flags, c.given)
		want(t, fmt.Sprintf("PutInstance %s, flags %#x", c.id, c.flags), code, c.want)
		if path != c.path {
			t.Errorf("PutInstance %s: the path %q, want %q", c.id, path, c.path)
		}
	}
	if _, code := put(iwbem.OpPutInstance, class, 0, false); code != uint32(cim.ErrInvalidParameter) {
		t.Errorf("PutInstance of a class: %#x", code)
	}
	remove := func(opnum uint16, path string, given bool) uint32 {
		t.Helper()
		var out iwbem.CallResultResponse
		p.call(s, wmi.IIDServices, opnum, &iwbem.DeleteRequest{Path: text(path), CallResult: iwbem.RefSlot{Given: given}}, &out)
		if !given {
			return out.Result
		}
		status, _ := p.callStatus(out.CallResult.Ref, -1)
		return status
	}
	want(t, "DeleteInstance", remove(iwbem.OpDeleteInstance, `Test_Thing.ID="a"`, false), 0)
	want(t, "DeleteInstance again", remove(iwbem.OpDeleteInstance, `Test_Thing.ID="a"`, true), cim.ErrNotFound)
	want(t, "DeleteInstance of a class", remove(iwbem.OpDeleteInstance, `Test_Thing`, false), cim.ErrInvalidObjectPath)
	if list, _ := p.next(p.query(s, "SELECT * FROM Test_Thing", 0), -1, 10); len(list) != 2 {
		t.Errorf("%d instances, want 2", len(list))
	}
	want(t, "DeleteClass of a class with instances", remove(iwbem.OpDeleteClass, "Test_Thing", false), cim.ErrClassHasInstances)
	for _, id := range []string{"b", "c"} {
		want(t, "DeleteInstance", remove(iwbem.OpDeleteInstance, `Test_Thing.ID="`+id+`"`, true), 0)
	}
	want(t, "DeleteClass", remove(iwbem.OpDeleteClass, "Test_Thing", false), 0)
	want(t, "DeleteClass again", remove(iwbem.OpDeleteClass, "Test_Thing", false), cim.ErrNotFound)
}

// Partial updates and reads, spec/wmi.md 4.7.
func TestPartialInstances(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	context := func(values ...cim.NamedValue) iwbem.Context {
		c, err := iwbem.NewContext(values)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	on := func(name string) cim.NamedValue { return cim.NamedValue{Name: name, Value: cim.Bool(true)} }
	i := p.decode(p.get(s, text(`CT_Item.ID="fixed"`), 0).Object.Object)
	_ = i.Set("Value", cim.U32(77))
	_ = i.Set("Caption", cim.Str("not wanted"))
	only := cim.NamedValue{Name: "__PUT_EXT_PROPERTIES", Value: cim.Strs([]string{"Value"})}
	for _, flags := range []uint32{0, wmi.FlagCreateOnly, wmi.FlagUpdateOnly} {
		var out iwbem.PutInstanceResponse
		p.call(s, wmi.IIDServices, iwbem.OpPutInstance, &iwbem.PutInstanceRequest{
			Object: p.encode(i), Flags: flags, Context: context(on("__PUT_EXTENSIONS"), on("__PUT_EXT_CLIENT_REQUEST"), only),
		}, &out)
		status := cim.ErrInvalidContext
		if flags == wmi.FlagUpdateOnly {
			status = 0
		}
		want(t, fmt.Sprintf("PutInstance, flags %#x", flags), out.Result, status)
	}
	i = p.decode(p.get(s, text(`CT_Item.ID="fixed"`), 0).Object.Object)
	if !i.Get("Value").Equal(cim.U32(77)) || !i.Get("Caption").IsNull() {
		t.Errorf("after a partial update: %v, %v", i.Get("Value"), i.Get("Caption"))
	}
	var out iwbem.CreateInstanceEnumResponse
	p.call(s, wmi.IIDServices, iwbem.OpCreateInstanceEnum, &iwbem.CreateInstanceEnumRequest{
		Path: text("CT_Part"), Context: context(on("__GET_EXTENSIONS"), on("__GET_EXT_CLIENT_REQUEST"), on("__GET_EXT_KEYS_ONLY")),
	}, &out)
	list, _ := p.next(out.Ref, -1, 10)
	for _, i := range list {
		if i.Get("ID").IsNull() || !i.Get("Caption").IsNull() {
			t.Errorf("keys only: %v, %v", i.Get("ID"), i.Get("Caption"))
		}
	}
	if len(list) != 3 {
		t.Errorf("%d instances", len(list))
	}
	var bad iwbem.GetObjectResponse
	p.call(s, wmi.IIDServices, iwbem.OpGetObject, &iwbem.GetObjectRequest{Path: text("CT_Part"), Context: iwbem.Context("?"), Object: iwbem.ObjectSlot{Given: true}}, &bad)
	want(t, "a context that cannot be read", bad.Result, cim.ErrInvalidContext)
}

// [MS-WMI] 3.1.4: an instance with texts of a locale needs the flag.
func TestAmendedInstance(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	i := p.decode(p.get(s, text(`CT_Item.ID="fixed"`), 0).Object.Object)
	i.SetQualifiers(&cim.InstanceQualifiers{Object: cim.Qualifiers{{Name: "Description", Value: cim.Str("x"), Flavor: cim.Amended | cim.ToInstance}}})
	for flags, status := range map[uint32]cim.Status{0: cim.ErrAmendedObject, wmi.FlagUseAmendedQualifiers: 0} {
		var out iwbem.PutInstanceResponse
		p.call(s, wmi.IIDServices, iwbem.OpPutInstance, &iwbem.PutInstanceRequest{Object: p.encode(i), Flags: flags}, &out)
		want(t, fmt.Sprintf("flags %#x", flags), out.Result, status)
	}
}

// Methods, with objects in and out. T-07: rights.
func TestExecMethod(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	run := func(path, method string, in *cim.Instance) (*cim.Instance, uint32) {
		t.Helper()
		r := &iwbem.ExecMethodRequest{Path: text(path), Method: text(method), OutParams: iwbem.ObjectSlot{Given: true}}
		if in != nil {
			r.InParams = p.encode(in)
		}
		var out iwbem.ExecMethodResponse
		p.call(s, wmi.IIDServices, iwbem.OpExecMethod, r, &out)
		if out.Object.Object == nil {
			return nil, out.Result
		}
		return p.decode(out.Object.Object), out.Result
	}
	class := p.decode(p.get(s, text("CT_Types"), 0).Object.Object).Class()
	in, err := p.codec.InParams(class, "Describe", cim.Arguments{{Name: "Prefix", Value: cim.Str("> ")}})
	if err != nil {
		t.Fatal(err)
	}
	out, code := run(`CT_Types.ID="full"`, "Describe", in)
	if code != 0 || !out.Get("Text").Equal(cim.Str(`> CT_Types full`)) || !out.Get("ReturnValue").Equal(cim.S32(-1)) || out.Class().Name != "__PARAMETERS" {
		t.Errorf("Describe: %v, %#x", out, code)
	}
	out, code = run("CT_Only=@", "Touch", nil)
	if code != 0 || !out.Get("ReturnValue").Equal(cim.U32(0)) {
		t.Errorf("Touch: %#x", code)
	}
	_, code = run("CT_Types", "Nothing", nil)
	want(t, "an unknown method", code, cim.ErrInvalidMethod)
	_, code = run(`CT_Types.ID="full"`, "Describe", cim.NewInstance(cim.NewClass("__PARAMETERS", nil).Property("Wrong", cim.String).Build("")))
	want(t, "an unknown parameter that is NULL", code, 0)
	wrong := cim.NewInstance(cim.NewClass("__PARAMETERS", nil).Property("Wrong", cim.String).Build(""))
	_ = wrong.Set("Wrong", cim.Str("x"))
	_, code = run(`CT_Types.ID="full"`, "Describe", wrong)
	want(t, "an unknown parameter", code, cim.ErrInvalidMethodParameters)
	var none iwbem.ExecMethodResponse
	p.call(s, wmi.IIDServices, iwbem.OpExecMethod, &iwbem.ExecMethodRequest{Path: text("CT_Only=@"), Method: text("Touch")}, &none)
	want(t, "no place for the out parameters", none.Result, cim.ErrInvalidParameter)
	var both iwbem.ExecMethodResponse
	p.call(s, wmi.IIDServices, iwbem.OpExecMethod, &iwbem.ExecMethodRequest{
		Path: text("CT_Only=@"), Method: text("Touch"), OutParams: iwbem.ObjectSlot{Given: true}, CallResult: iwbem.RefSlot{Given: true},
	}, &both)
	if i, code := p.object(both.CallResult.Ref, 0); both.Object.Object == nil || code != 0 || i == nil {
		t.Errorf("with a place for the call result: %+v", both)
	}

	// Enable and Remote Enable without Execute Methods
	if err := p.server.o.Opener.(namespaces).AddNamespace(restricted()); err != nil {
		t.Fatal(err)
	}
	user := p.as(remote(token(security.SIDAuthenticatedUsers)))
	s = user.login(`root\restricted`)
	p = user
	_, code = run("__SystemSecurity=@", "GetSD", nil)
	want(t, "T-07: GetSD without Execute Methods", code, cim.ErrAccessDenied)
	out, code = run("__SystemSecurity=@", "GetCallerAccessRights", nil)
	if code != 0 || !out.Get("rights").Equal(cim.S32(0x21)) {
		t.Errorf("T-07: GetCallerAccessRights: %v, %#x", out, code)
	}
}

// T-45 is TestWindows7EmptyClass; an empty class is the base of a new one.
func TestEmptyClassIsABase(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(`root\cimv2`)
	base := p.decode(p.get(s, null, 0).Object.Object).Class()
	class := *base
	class.Name = "Test_FromEmpty"
	class.Properties = append(class.Properties, cim.Property{Name: "ID", Type: cim.String, Key: true, Qualifiers: cim.Qualifiers{{Name: "key", Value: cim.Bool(true)}}})
	var out iwbem.PutClassResponse
	p.call(s, wmi.IIDServices, iwbem.OpPutClass, &iwbem.PutClassRequest{Object: p.encode(cim.ClassObject(class.Seal()))}, &out)
	want(t, "PutClass", out.Result, 0)
	if out := p.get(s, text("Test_FromEmpty"), 0); out.Result != 0 {
		t.Errorf("GetObject: %#x", out.Result)
	}
}

// The bounds on outstanding operations: MaxRequestLimit for all, and for one account.
func TestRequestLimits(t *testing.T) {
	for _, c := range []struct {
		limits Limits
		want   cim.Status
	}{
		{Limits{MaxRequests: 3}, cim.ErrServerTooBusy},
		{Limits{MaxRequestsPerUser: 3}, cim.ErrQuotaViolation},
	} {
		p := newPeer(t, Options{Limits: c.limits})
		s := p.login(cimtest.Namespace)
		var open []*dcom.ObjRef
		for range 3 {
			open = append(open, p.query(s, allNumbers, wmi.FlagReturnImmediately))
		}
		_, code := p.tryQuery(s, "WQL", allNumbers, wmi.FlagReturnImmediately)
		want(t, "one more", code, c.want)
		if n := p.get(s, text("CT_Part"), 0).Result; n != uint32(c.want) {
			t.Errorf("a call: %#x", n)
		}
		p.release(open[0])
		_, code = p.tryQuery(s, "WQL", allNumbers, wmi.FlagReturnImmediately)
		want(t, "after a release", code, 0)
	}
}

// Releasing everything leaves nothing behind.
func TestNothingIsLeft(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	e := p.query(s, allNumbers, 0)
	p.next(e, -1, 3)
	f := p.query(s, allNumbers, wmi.FlagReturnImmediately|wmi.FlagForwardOnly)
	p.release(s)
	list, _ := p.next(f, -1, 3)
	inOrder(t, "after the namespace was released", list, 0, 3)
	for _, r := range []*dcom.ObjRef{e, f} {
		p.release(r)
	}
	deadline := time.Now().Add(5 * time.Second)
	for p.server.ledger.outstanding() > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n, users := p.server.ledger.outstanding(), len(p.server.ledger.users); n > 0 || users > 0 || p.host.len() > 0 {
		t.Errorf("%d operations, %d accounts, %d objects are left", n, users, p.host.len())
	}
}

// Amended qualifiers come with classes and with instances where the flag asks for them.
func TestAmended(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(`root\cimv2`)
	p.putClass(s, "Test_Localized")
	m := p.server.o.Opener.(namespaces)
	if err := m.AddNamespace(localNamespace()); err != nil {
		t.Fatal(err)
	}
	local := p.login(`root\cimv2\ms_409`)
	class := cim.NewClass("Test_Localized", nil).Qualifier(cim.Qualifier{Name: "Description", Value: cim.Str("localized"), Flavor: cim.Amended | cim.ToSubClass}).
		Qualifier(cim.Qualifier{Name: "Amendment", Value: cim.Bool(true)}).Key("ID", cim.String).Build("")
	var out iwbem.PutClassResponse
	p.call(local, wmi.IIDServices, iwbem.OpPutClass, &iwbem.PutClassRequest{Object: p.encode(cim.ClassObject(class)), Flags: wmi.FlagUseAmendedQualifiers}, &out)
	want(t, "PutClass", out.Result, 0)
	var login iwbem.NTLMLoginResponse
	p.call(nil, wmi.IIDLevel1Login, iwbem.OpNTLMLogin, &iwbem.NTLMLoginRequest{NetworkResource: text(`root\cimv2`), PreferredLocale: text("MS_409")}, &login)
	s = login.Ref
	i := cim.NewInstance(p.decode(p.get(s, text("Test_Localized"), 0).Object.Object).Class())
	_ = i.Set("ID", cim.Str("x"))
	p.call(s, wmi.IIDServices, iwbem.OpPutInstance, &iwbem.PutInstanceRequest{Object: p.encode(i)}, &out)
	want(t, "PutInstance", out.Result, 0)
	for flags, text1 := range map[uint32]string{0: "", wmi.FlagUseAmendedQualifiers: "localized"} {
		check := func(what string, i *cim.Instance) {
			t.Helper()
			if got := i.Class().Qualifiers.Text("Description"); got != text1 {
				t.Errorf("%s, flags %#x: %q, want %q", what, flags, got, text1)
			}
		}
		check("a class", p.decode(p.get(s, text("Test_Localized"), flags).Object.Object))
		check("an instance", p.decode(p.get(s, text(`Test_Localized.ID="x"`), flags).Object.Object))
		list, _ := p.next(p.query(s, "SELECT * FROM Test_Localized", flags), -1, 1)
		check("a query", list[0])
		if !list[0].Get("ID").Equal(cim.Str("x")) {
			t.Errorf("the values are lost: %v", list[0])
		}
	}
}

// Some clients send the NUL at the end of a string, which is no part of it.
func TestStringsWithTheirEnd(t *testing.T) {
	p := newPeer(t, Options{})
	ref, code := p.tryQuery(p.login(cimtest.Namespace), "WQL\x00", "SELECT * FROM CT_Part\x00", 0)
	want(t, "ExecQuery", code, 0)
	if list, _ := p.next(ref, -1, 5); len(list) != 3 {
		t.Errorf("%d objects", len(list))
	}
}

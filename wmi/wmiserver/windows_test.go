package wmiserver

import (
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// The cases of spec/proof.md 5, which were validated on Windows. TestWindowsN is case N.

func TestWindows1And2Languages(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(`root\cimv2`)
	for _, flags := range []uint32{0, wmi.FlagReturnImmediately | wmi.FlagForwardOnly} {
		for _, c := range []struct {
			language, query iwbem.String
			want            cim.Status
		}{
			{null, text("SELECT * FROM Win32_LogicalDisk"), cim.ErrInvalidParameter},
			{text("WQL"), null, cim.ErrInvalidParameter},
			{text("WQL"), text(""), cim.ErrInvalidParameter},
			{text("SQL"), text("SELECT * FROM Win32_LogicalDisk"), cim.ErrInvalidQueryType},
			{text("wql"), text("SELECT * FROM Win32_LogicalDisk"), cim.StatusOK},
		} {
			var out iwbem.ExecQueryResponse
			p.call(s, wmi.IIDServices, iwbem.OpExecQuery, &iwbem.ExecQueryRequest{Language: c.language, Query: c.query, Flags: flags}, &out)
			want(t, c.language.Text+" "+c.query.Text, out.Result, c.want)
			if (out.Ref != nil) != (c.want == cim.StatusOK) {
				t.Errorf("%s: an enumerator: %v", c.query.Text, out.Ref)
			}
		}
	}
}

func TestWindows3And4And9Queries(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(`root\cimv2`)
	for _, c := range []struct {
		query string
		want  cim.Status
	}{
		{"SELECT * FROM Win32_Unknown", 0},
		{"SELECT Nothing FROM Win32_LogicalDisk", 0},
		{`SELECT * FROM Win32_LogicalDisk WHERE "C:" = DeviceID`, 0},
		{"SELECT * FROM Win32_LogicalDisk WHERE DeviceID LIKE '%%X%'", 0},
		{`SELECT * FROM Win32_LogicalDisk WHERE PNPDeviceID = "PCI\\1"`, 0},
		{"SELECT\n*\tFROM\r\nWin32_LogicalDisk", 0},
		{"SELECT * FROM Win32_LogicalDisk WHERE availability = '3'", 0},
		{"SELECT * FROM Win32_LogicalDisk WHERE PNPDeviceID <> NULL", 0},
		{"SELECT * FROM Win32_LogicalDisk WHERE NULL = PNPDeviceID", 0},
		{`ASSOCIATORS OF{Win32_LogicalDisk="C:"}`, 0},
		{`ASSOCIATORS OF {Win32_LogicalDisk.DeviceID="C:"} WHERE AssocClass=CIM_X ClassDefsOnly`, 0},
		{`ASSOCIATORS OF {Win32_LogicalDisk.DeviceID='C:'} WHERE ClassDefsOnly AssocClass=CIM_X`, 0},
		{`SELECT * FROM Win32_LogicalDisk WHERE PNPDeviceID LIKE "PCI\\%"`, 0},
		{`SELECT * FROM Win32_LogicalDisk WHERE PNPDeviceID LIKE "PCI\%"`, cim.ErrInvalidQuery},
	} {
		_, code := p.tryQuery(s, "WQL", c.query, wmi.FlagReturnImmediately|wmi.FlagForwardOnly)
		want(t, c.query, code, c.want)
	}
}

func TestWindows5Next(t *testing.T) {
	p := newPeer(t, Options{})
	e := p.query(p.login(`root\cimv2`), "SELECT * FROM CIM_Thing", wmi.FlagReturnImmediately)
	if list, code := p.next(e, -1, 0); len(list) != 0 || code != 0 {
		t.Errorf("0 objects: %d, %#x", len(list), code)
	}
	if list, code := p.next(e, -1, 1); len(list) != 1 || code != 0 {
		t.Errorf("1 object: %d, %#x", len(list), code)
	}
	if list, code := p.next(e, -1, 5); len(list) != 4 || code != 1 {
		t.Errorf("5 objects of 4: %d, %#x", len(list), code)
	}
}

func TestWindows6UnknownClass(t *testing.T) {
	p := newPeer(t, Options{})
	e := p.query(p.login(`root\cimv2`), "SELECT * FROM Win32_Unknown", wmi.FlagReturnImmediately|wmi.FlagForwardOnly)
	list, code := p.next(e, -1, 1)
	want(t, "Next", code, cim.ErrInvalidClass)
	if len(list) > 0 {
		t.Errorf("%d objects", len(list))
	}
	if e := p.extended(); !e.Get("Operation").Equal(cim.Str("ExecQuery")) || !e.Get("ParameterInfo").Equal(cim.Str("SELECT * FROM Win32_Unknown")) {
		t.Errorf("the error object: %v, %v", e.Get("Operation"), e.Get("ParameterInfo"))
	}
}

func TestWindows7EmptyClass(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(`root\cimv2`)
	for _, path := range []iwbem.String{null, text("")} {
		out := p.get(s, path, 0)
		want(t, "GetObject", out.Result, 0)
		i := p.decode(out.Object.Object)
		if !i.IsClass() || i.Class().Name != "" || len(i.Class().Properties) > 0 {
			t.Errorf("not an empty class: %+v", i.Class())
		}
	}
}

func (p *peer) get(s *dcom.ObjRef, path iwbem.String, flags uint32) (out iwbem.GetObjectResponse) {
	p.t.Helper()
	p.call(s, wmi.IIDServices, iwbem.OpGetObject, &iwbem.GetObjectRequest{Path: path, Flags: flags, Object: iwbem.ObjectSlot{Given: true}}, &out)
	return out
}

func TestWindows8Missing(t *testing.T) {
	p := newPeer(t, Options{})
	out := p.get(p.login(`root\cimv2`), text(`Win32_LogicalDisk.DeviceID="Q:"`), 0)
	want(t, "GetObject", out.Result, cim.ErrNotFound)
	if !out.Object.Given || out.Object.Object != nil {
		t.Errorf("the object: %+v", out.Object)
	}
}

func TestWindows10Strings(t *testing.T) {
	p := newPeer(t, Options{})
	e := p.query(p.login(`root\cimv2`), "SELECT * FROM Win32_LogicalDisk WHERE DeviceID > 'b:' AND DeviceID < 'd:'", 0)
	list, _ := p.next(e, -1, 10)
	if len(list) != 1 || !list[0].Get("DeviceID").Equal(cim.Str("C:")) {
		t.Errorf("%d disks", len(list))
	}
}

func TestWindows11Root(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login("root")
	e := p.query(s, "SELECT * FROM Win32_OperatingSystem", wmi.FlagReturnImmediately|wmi.FlagForwardOnly)
	_, code := p.next(e, -1, 1)
	want(t, "Next", code, cim.ErrInvalidClass)
	_, code = p.tryQuery(s, "WQL", "SELECT * FROM Win32_OperatingSystem", 0)
	want(t, "a synchronous ExecQuery", code, cim.ErrInvalidClass)
}

func TestWindows12NotificationQuery(t *testing.T) {
	p := newPeer(t, Options{Callbacks: anonymous})
	s := p.login(`root\cimv2`)
	sink := p.sinks.new(1)
	for _, c := range []iwbem.ExecNotificationQueryAsyncRequest{
		{Language: null, Query: null}, {Language: text("WQL"), Query: null, Sink: sink.ref},
		{Language: null, Query: text("SELECT * FROM __InstanceCreationEvent"), Sink: sink.ref},
		{Language: text("WQL"), Query: text("SELECT * FROM __ClassCreationEvent")},
	} {
		var out iwbem.ExecNotificationQueryAsyncResponse
		p.call(s, wmi.IIDServices, iwbem.OpExecNotificationQueryAsync, &c, &out)
		want(t, "ExecNotificationQueryAsync", out.Result, cim.ErrInvalidParameter)
	}
	if p.sinks.dials > 0 {
		t.Error("the sink was called")
	}
}

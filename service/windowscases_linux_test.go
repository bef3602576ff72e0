package service

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// The calls whose results were seen on Windows: spec/proof.md 5, rows 1 to 15.
// What only a DCOM client can say is not here: NULL for the language or the
// query (row 1), a NULL pointer and no objects for Next (5), Get and GetMethod
// of an object in the client's hands (8), an empty class for an empty path (7), ExecNotificationQueryAsync (12), and
// that an unknown class shows at Next and not before (3, 6).
func TestWindowsCases(t *testing.T) {
	state := at(t, filepath.Join(t.TempDir(), "state"), testTime())
	if os.Geteuid() == 0 {
		if err := state.Accounts.SetUnixUser("Administrator", "nobody", false); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(state.Accounts.SetPassword("Administrator", "Secret-1-word"), state.Accounts.SetDisabled("Administrator", false)); err != nil {
		t.Fatal(err)
	}
	token, err := state.Accounts.Token("Administrator", accounts.TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := state.Hive.Update(func(tx *registry.Tx) error {
		return errors.Join(tx.Set(`HKLM\SOFTWARE\Cases\Below`, "", registry.SZ("")), tx.Set(`HKLM\SOFTWARE\Cases`, "Text", registry.SZ("value")),
			tx.Set(`HKLM\SOFTWARE\Cases`, "Number", registry.DWORD(7)))
	}); err != nil {
		t.Fatal(err)
	}
	starter := &idle{}
	svc, err := New(state, Options{Starter: starter})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	defer func() {
		for _, j := range starter.jobs {
			_ = j.Close()
		}
	}()
	compile(t, svc, `
		class Case_Disk { [key] string DeviceID; uint16 Availability; string PNPDeviceID; string Name; };
		instance of Case_Disk { DeviceID = "A:"; Availability = 3; PNPDeviceID = "PCI\\VEN_1"; Name = "a"; };
		instance of Case_Disk { DeviceID = "b:"; Availability = 3; PNPDeviceID = "USB\\VID_1"; Name = "b"; };
		instance of Case_Disk { DeviceID = "C:"; Availability = 4; Name = "c"; };
		instance of Case_Disk { DeviceID = "c:\\x"; };
		instance of Case_Disk { DeviceID = "D:"; };
		[Association] class Case_Link { [key] Case_Disk ref One; [key] Case_Disk ref Other; };
		instance of Case_Link { One = "Case_Disk.DeviceID=\"A:\""; Other = "Case_Disk.DeviceID=\"b:\""; };`)
	open := func(namespace string) cim.Session {
		t.Helper()
		s, err := svc.objects.Open(t.Context(), cim.Caller{Token: &token}, namespace, cim.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	s := open(`root\cimv2`)
	query := func(s cim.Session, text, language string) ([]*cim.Instance, error) {
		e, err := s.Query(t.Context(), text, cim.QueryOptions{Language: language})
		if err != nil {
			return nil, err
		}
		return cim.Collect(t.Context(), e)
	}
	for _, tt := range []struct {
		row, query, language string
		count                int
		want                 cim.Status
	}{
		{"1", "", "", 0, cim.ErrInvalidParameter},
		{"1", "", "WQL", 0, cim.ErrInvalidParameter},
		{"2", "SELECT * FROM Case_Disk", "SQL", 0, cim.ErrInvalidQueryType},
		{"2", "SELECT * FROM Case_Disk", "wql", 5, 0},
		{"3 a literal on the left", "SELECT * FROM Case_Disk WHERE 3 = Availability", "", 2, 0},
		{"3 two percent signs", "SELECT * FROM Case_Disk WHERE PNPDeviceID LIKE '%%VEN%'", "", 1, 0},
		{"3 two backslashes", `SELECT * FROM Case_Disk WHERE PNPDeviceID = 'PCI\\VEN_1'`, "", 1, 0},
		{"3 newlines and tabs", "SELECT\n*\tFROM\r\nCase_Disk\tWHERE\nAvailability\n=\t4", "", 1, 0},
		{"3 a number in quotes", "SELECT * FROM Case_Disk WHERE availability = '3'", "", 2, 0},
		{"3 <> NULL", "SELECT * FROM Case_Disk WHERE NAME <> NULL", "", 3, 0},
		{"3 NULL on the left", "SELECT * FROM Case_Disk WHERE NULL = NAME", "", 2, 0},
		{"4 no blank", `ASSOCIATORS OF{Case_Disk.DeviceID="A:"}`, "", 1, 0},
		{"4 AssocClass, ClassDefsOnly", `ASSOCIATORS OF {Case_Disk.DeviceID="A:"} WHERE AssocClass=Case_Link ClassDefsOnly`, "", 1, 0},
		{"4 ClassDefsOnly, AssocClass", `ASSOCIATORS OF{Case_Disk.DeviceID="A:"} WHERE ClassDefsOnly AssocClass=Case_Link`, "", 1, 0},
		{"4 no name of the key", `ASSOCIATORS OF {Case_Disk="A:"}`, "", 1, 0},
		{"4 single quotes", `ASSOCIATORS OF {Case_Disk.DeviceID='A:'}`, "", 1, 0},
		{"6", "SELECT * FROM Case_None", "", 0, cim.ErrInvalidClass},
		{"9", `SELECT * FROM Case_Disk WHERE PNPDeviceID LIKE "PCI\\%"`, "", 1, 0},
		{"9", `SELECT * FROM Case_Disk WHERE PNPDeviceID LIKE "PCI\%"`, "", 0, cim.ErrInvalidQuery},
		{"10", "SELECT * FROM Case_Disk WHERE DeviceID > 'b:' AND DeviceID < 'd:'", "", 2, 0},
		{"10 without case", "SELECT * FROM Case_Disk WHERE DeviceID > 'B:' AND DeviceID < 'D:'", "", 2, 0},
	} {
		list, err := query(s, tt.query, tt.language)
		if tt.want == 0 && err != nil || tt.want != 0 && !errors.Is(err, tt.want) || len(list) != tt.count {
			t.Errorf("row %s: %q: %d instances, %v; want %d, %v", tt.row, tt.query, len(list), err, tt.count, tt.want)
		}
	}
	if _, err := query(open("root"), "SELECT * FROM Win32_OperatingSystem", ""); !errors.Is(err, cim.ErrInvalidClass) {
		t.Errorf("row 11: %v", err)
	}

	e, err := s.Query(t.Context(), "SELECT * FROM Case_Disk", cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for { // row 5: more than there are gives what there is, and then the end
		list, err := e.Next(t.Context(), 6-total)
		total += len(list)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if total != 5 {
		t.Errorf("row 5: %d of 5 instances", total)
	}

	if _, err := s.Get(t.Context(), cim.ObjectPath{Class: "Case_Disk", Keys: []cim.Key{{Name: "DeviceID", Value: cim.Str("Z:")}}}, cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("row 8: a missing instance: %v", err)
	}

	process := cim.ObjectPath{Class: "Win32_Process"}
	for _, tt := range []struct{ line, value string }{{"", "21"}, {"/no/such/program", "9"}, {"/bin/sh -c true", "0"}} {
		in := cim.Arguments{{Name: "CommandLine", Value: cim.Str(tt.line)}}
		if tt.line == "" {
			in = nil
		}
		r, err := s.Invoke(t.Context(), process, "Create", in, cim.OperationOptions{})
		if err != nil || r.ReturnValue.String() != tt.value || r.Out.Get("ProcessId").IsNull() == (tt.value == "0") {
			t.Errorf("row 13: %q: %v, %v; want %s", tt.line, r, err, tt.value)
		}
	}

	r, err := s.Invoke(t.Context(), cim.ObjectPath{Class: "__SystemSecurity", Singleton: true}, "GetSD", nil, cim.OperationOptions{})
	if err != nil || r.ReturnValue.Type() != cim.Uint32 || r.ReturnValue.String() != "0" || r.Out.Get("SD").Type() != cim.Uint8.Array() {
		t.Errorf("row 14: %v, %v", r, err)
	}
	raw, _ := r.Out.Get("SD").Bytes()
	if sd, err := security.DecodeSecurityDescriptor(raw); err != nil || sd.Control&security.SelfRelative == 0 {
		t.Errorf("row 14: %v, %v", sd, err)
	}

	reg := cim.ObjectPath{Class: "StdRegProv"}
	at := func(more ...cim.NamedValue) cim.Arguments {
		return append(cim.Arguments{{Name: "hDefKey", Value: cim.U32(0x80000002)}, {Name: "sSubKeyName", Value: cim.Str(`SOFTWARE\Cases`)}}, more...)
	}
	for _, tt := range []struct {
		method string
		in     cim.Arguments
		want   map[string]string // the type and the value of each out parameter
	}{
		{"EnumKey", at(), map[string]string{"sNames": "string[] Below"}},
		{"EnumValues", at(), map[string]string{"sNames": "string[] Number,Text", "Types": "sint32[] 4,1"}},
		{"GetStringValue", at(cim.NamedValue{Name: "sValueName", Value: cim.Str("Text")}), map[string]string{"sValue": "string value"}},
	} {
		r, err := open(`root\default`).Invoke(t.Context(), reg, tt.method, tt.in, cim.OperationOptions{})
		if err != nil || r.ReturnValue.String() != "0" {
			t.Errorf("row 15: %s: %v, %v", tt.method, r, err)
		}
		for name, want := range tt.want {
			v := r.Out.Get(name)
			got := v.String()
			if v.Type().IsArray() {
				var parts []string
				for _, e := range v.Elems() {
					parts = append(parts, e.String())
				}
				got = strings.Join(parts, ",")
			}
			if suffix := map[bool]string{true: "[]"}[v.Type().IsArray()]; v.Type().Elem().String()+suffix+" "+got != want {
				t.Errorf("row 15: %s: %s is %s%s %s, want %s", tt.method, name, v.Type().Elem(), suffix, got, want)
			}
		}
	}
}

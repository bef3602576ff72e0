package static_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/security"
)

const hostFile = `{"namespace": "root\\cimv2",
 "classes": [
  {"name": "CIM_Thing", "abstract": true, "properties": [{"name": "ID", "type": "string", "key": true}]},
  {"name": "Address", "properties": [{"name": "Port", "type": "uint16", "default": 5985}]},
  {"name": "Host", "superclass": "CIM_Thing", "qualifiers": {"Version": "2.0"}, "properties": [
    {"name": "Memory", "type": "uint64", "qualifiers": {"Units": "Bytes", "MappingStrings": ["a", "b"], "MaxLen": 8}},
    {"name": "Tags", "type": "string[]", "write": true}, {"name": "Up", "type": "boolean"},
    {"name": "Since", "type": "datetime"}, {"name": "Peer", "type": "ref", "class": "Host"},
    {"name": "At", "type": "object", "class": "Address"}, {"name": "Load", "type": "real32"}],
   "methods": [{"name": "Ping", "type": "uint32", "parameters": [{"name": "Count", "type": "uint8"}, {"name": "Answer", "type": "string", "out": true}]}]}],
 "instances": [
  {"class": "Host", "properties": {"ID": "a", "Memory": "18446744073709551615", "Tags": ["x", "y"], "Up": true,
    "Since": "20240229235959.123456+060", "Peer": "Host.ID=\"b\"", "At": {"class": "Address", "properties": {}}, "Load": 0.5}},
  {"class": "Host", "properties": {"ID": "b", "Tags": [], "At": null}}]}`

func TestLoad(t *testing.T) {
	p, err := static.Load(fstest.MapFS{"hosts/one.json": {Data: []byte(hostFile)}}, "hosts/*.json")
	if err != nil {
		t.Fatal(err)
	}
	p.Handle(`root\cimv2`, "Host", "ping", func(_ context.Context, path cim.ObjectPath, in cim.Arguments) (cim.Result, error) {
		return cim.Result{ReturnValue: cim.U32(0), Out: cim.NamedArray{{Name: "answer", Value: cim.Str(path.Relative() + in.Get("Count").String())}}}, nil
	})
	m := cimom.New(cimom.Options{})
	defer m.Close()
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	caller := cim.Caller{Token: &security.Token{User: security.SIDAdministrators}}
	s, err := m.Open(t.Context(), caller, `root\cimv2`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a := cim.ObjectPath{Class: "Host", Keys: []cim.Key{{Name: "ID", Value: cim.Str("a")}}}
	i, err := s.Get(t.Context(), a, cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]cim.Value{
		"Memory": cim.U64(18446744073709551615), "Tags": cim.Strs([]string{"x", "y"}), "Up": cim.Bool(true),
		"Since": cim.Time("20240229235959.123456+060"), "Peer": cim.Ref(`Host.ID="b"`), "Load": cim.Real(cim.Real32, 0.5),
	}
	for name, v := range want {
		if got := i.Get(name); !got.Equal(v) {
			t.Errorf("%s = %v %v, want %v", name, got.Type(), got, v)
		}
	}
	if port := i.Get("At").Object().Get("Port"); !port.Equal(cim.U16(5985)) {
		t.Errorf("default of an embedded object: %v", port)
	}
	units := i.Class().Property("Memory").Qualifiers.Text("Units")
	if length, _ := i.Class().Property("Memory").Qualifiers.Get("MaxLen"); units != "Bytes" || !length.Equal(cim.S32(8)) {
		t.Errorf("qualifiers: %q, %v", units, length)
	}
	r, err := s.Invoke(t.Context(), a, "Ping", cim.Arguments{{Name: "Count", Value: cim.U8(3)}}, cim.OperationOptions{})
	if err != nil || r.Out.Get("Answer").String() != `Host.ID="a"3` {
		t.Errorf("Ping: %v, %v", r, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := []struct{ old, new, want string }{
		{`"uint64"`, `"uint65"`, `uint65`},
		{`"class": "Host", "properties": {"ID": "b"`, `"class": "Hos", "properties": {"ID": "b"`, "WBEM_E_INVALID_CLASS"},
		{`"Up": true`, `"Down": true`, "WBEM_E_INVALID_PROPERTY"},
		{`"Up": true`, `"Up": "maybe"`, "WBEM_E_TYPE_MISMATCH"},
		{`"Load": 0.5`, `"Load": 0.5, "ID": "b"`, "WBEM_E_ALREADY_EXISTS"},
		{`"abstract"`, `"abstrakt"`, "abstrakt"},
		{`{"ID": "b", `, `{`, "WBEM_E_NO_KEY"},
		{`"superclass": "CIM_Thing"`, `"superclass": "CIM_Nothing"`, "WBEM_E_INVALID_CLASS"},
		{`"namespace": "root\\cimv2"`, `"namespace": ""`, "namespace"},
		{`"Tags": []`, `"Tags": [null]`, "NULL"},
		{`"Since": "2024`, `"Since": "20x4`, "WBEM_E_TYPE_MISMATCH"},
	}
	for _, tt := range tests {
		if !strings.Contains(hostFile, tt.old) {
			t.Fatalf("%q is not in the file", tt.old)
		}
		data := strings.Replace(hostFile, tt.old, tt.new, 1)
		_, err := static.Load(fstest.MapFS{"f.json": {Data: []byte(data)}}, "f.json")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", tt.new, err, tt.want)
		}
	}
	if _, err := static.Load(fstest.MapFS{}, "*.json"); err == nil {
		t.Error("no file is no error")
	}
}

func TestAddTwice(t *testing.T) {
	c := cim.NewClass("X", nil).Key("A", cim.String).Key("B", cim.String).Build("root")
	p := static.New(c)
	make := func(a, b string) *cim.Instance { return cim.MakeInstance(c, []cim.Value{cim.Str(a), cim.Str(b)}) }
	if err := p.Add(make("a", "b\x00c"), make("a\x00b", "c")); err != nil {
		t.Errorf("different keys: %v", err)
	}
	if err := p.Add(make("A", "B\x00c")); !errors.Is(err, cim.ErrAlreadyExists) {
		t.Errorf("the same keys in another case: %v", err)
	}
}

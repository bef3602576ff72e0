package wmio

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/casementhq/casement/cim"
)

// impacket is a process of impacket that reads and makes objects.
type impacket struct {
	in  io.Writer
	out *bufio.Scanner
}

// startImpacket starts impacket from .venv; one that is absent is a skip, and
// a failure on the build machine.
func startImpacket(t *testing.T) *impacket {
	t.Helper()
	absent := t.Skipf
	if os.Getenv("CASEMENT_CI") == "1" {
		absent = t.Fatalf
	}
	python, err := filepath.Abs("../../../.venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		absent(".venv is missing; `make test` makes it from test/requirements.txt")
	}
	if out, err := exec.Command(python, "-c", "import impacket").CombinedOutput(); err != nil {
		absent("impacket is not in .venv: %s", out)
	}
	cmd := exec.Command(python, "impacket_peer.py")
	cmd.Dir = "testdata"
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &impacket{in: in, out: bufio.NewScanner(out)}
	p.out.Buffer(nil, 16<<20)
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return p
}

type peerProperty struct {
	Name       string
	Type       cim.Type
	Inherited  bool
	Value      any
	Qualifiers map[string]any
}

type peerMethod struct {
	Origin     int
	Qualifiers map[string]any
	In, Out    []peerProperty
}

type peerObject struct {
	Error, Name, Parent, Path, Sent string
	Qualifiers                      map[string]any
	Properties, ParentProperties    []peerProperty
	Methods                         map[string]peerMethod
}

func (p *impacket) do(t *testing.T, unit []byte, more map[string]any) peerObject {
	t.Helper()
	ask := map[string]any{"read": hex.EncodeToString(unit)}
	for k, v := range more {
		ask[k] = v
	}
	if _, err := p.in.Write(append(must(json.Marshal(ask)), '\n')); err != nil {
		t.Fatal(err)
	}
	if !p.out.Scan() {
		t.Fatalf("impacket ended: %v", p.out.Err())
	}
	var o peerObject
	if err := json.Unmarshal(p.out.Bytes(), &o); err != nil {
		t.Fatalf("%v: %s", err, p.out.Bytes())
	}
	if o.Error != "" {
		t.Fatal(o.Error)
	}
	return o
}

// asJSON is a value as text.
func asJSON(v any) string { return string(must(json.Marshal(v))) }

func (o *peerObject) check(t *testing.T, want [][2]string) {
	t.Helper()
	if len(o.Properties) != len(want) {
		t.Fatalf("%d properties", len(o.Properties))
	}
	for n, w := range want {
		if p := o.Properties[n]; p.Name != w[0] || asJSON(p.Value) != w[1] {
			t.Errorf("%s = %s, want %s = %s", p.Name, asJSON(p.Value), w[0], w[1])
		}
	}
}

// impacket 0.13.1 reads the instances that we make, and calls and puts so that
// we understand it. Its reader takes values from the heap only, arrays of
// strings in one piece and 0 for a default that is not spelled out; it fails at
// real numbers.
func TestImpacketReadsInstances(t *testing.T) {
	p := startImpacket(t)
	c := cim.NewClass("Whole", nil).Dynamic().Key("Id", cim.String).
		Property("Zero", cim.Uint32).Property("None", cim.String).Property("NoNumber", cim.Uint32).Property("Octet", cim.Uint8).
		Property("Signed", cim.Sint32).Property("Long", cim.Uint64).Property("Sure", cim.Boolean).
		Property("When", cim.Datetime).Property("Empty", cim.String).Property("Word", cim.String).Property("Wide", cim.String).
		Property("Octets", cim.Uint8|cim.ArrayFlag).Property("Texts", cim.String|cim.ArrayFlag).
		Add(cim.Property{Name: "Default", Type: cim.Uint16, Default: cim.U16(9)}).
		Object("Inner", "T").Property("Inners", cim.Object|cim.ArrayFlag).Ref("Other", "T").Build(`root\cimv2`)
	o := cim.Obj(handObject(handClass()))
	i := cim.MakeInstance(c, []cim.Value{
		cim.Str("id"), cim.U32(0), cim.Null(cim.String), cim.Null(cim.Uint32), cim.U8(200), cim.S32(-5), cim.U64(1 << 40), cim.Bool(true),
		cim.Time("20260102030405.000000+060"), cim.Str(""), cim.Str("key"), cim.Str("Grüße 漢字"),
		cim.Array(cim.Uint8, []cim.Value{cim.U8(1), cim.U8(0), cim.U8(255)}), cim.Strs([]string{"a", "", "漢"}), cim.U16(9),
		o, cim.Array(cim.Object, []cim.Value{o, o}), cim.Ref(`T.N=42`),
	})
	got := p.do(t, must((&Codec{Server: "HOST", SpellDefaults: true}).AppendUnit(nil, i)), nil)
	if got.Name != "Whole" || asJSON(got.Qualifiers) != `{"dynamic":"True"}` {
		t.Errorf("%s %v", got.Name, got.Qualifiers)
	}
	got.check(t, [][2]string{
		{"Id", `"id"`}, {"Zero", `0`}, {"None", `null`}, {"NoNumber", `null`}, {"Octet", `200`}, {"Signed", `-5`}, {"Long", `1099511627776`},
		{"Sure", `"True"`}, {"When", `"20260102030405.000000+060"`}, {"Empty", `""`}, {"Word", `"key"`}, {"Wide", `"Grüße 漢字"`},
		{"Octets", `[1,0,255]`}, {"Texts", `["a","","漢"]`}, {"Default", `9`}, {"Inner", `{"N":42}`}, {"Inners", `[{"N":42},{"N":42}]`}, {"Other", `"T.N=42"`},
	})
	for n, want := range map[int]string{0: `{"CIMTYPE":"string","key":"True"}`, 15: `{"CIMTYPE":"object:T"}`, 17: `{"CIMTYPE":"ref:T"}`} {
		if q := asJSON(got.Properties[n].Qualifiers); q != want {
			t.Errorf("%s has the qualifiers %s, want %s", got.Properties[n].Name, q, want)
		}
	}
}

func TestImpacketReadsClasses(t *testing.T) {
	p := startImpacket(t)
	top := cim.NewClass("Top", nil).Key("Zid", cim.Uint32).Method("Stop", cim.Uint32).Build(`root\cimv2`)
	c := cim.NewClass("Below", top).Qualifier(cim.Describes("All of it")).Property("Alpha", cim.String, cim.Maps("a", "b")).
		Method("Start", cim.Uint32, cim.In("Zwhat", cim.String), cim.In("How", cim.Uint32), cim.Out("Result", cim.Uint64)).Build("")
	k := &Codec{Server: "HOST", EmptySignatures: true}
	unit := must(k.AppendClass(nil, c, top, 0))
	got := p.do(t, unit, nil)
	if got.Name != "Below : Top " || got.Parent != "Top" || asJSON(got.Qualifiers) != `{"Description":"All of it"}` {
		t.Errorf("%q %q %v", got.Name, got.Parent, got.Qualifiers)
	}
	got.check(t, [][2]string{{"Zid", "null"}, {"Alpha", "null"}})
	if !got.Properties[0].Inherited || got.Properties[1].Inherited || len(got.ParentProperties) != 1 || got.ParentProperties[0].Inherited {
		t.Errorf("%+v above %+v", got.ParentProperties, got.Properties)
	}
	if q := asJSON(got.Properties[1].Qualifiers); q != `{"CIMTYPE":"string","MappingStrings":["a","b"]}` {
		t.Errorf("qualifiers %s", q)
	}
	names := func(list []peerProperty) (names []string) {
		for _, p := range list {
			names = append(names, fmt.Sprintf("%s %s %v", p.Type, p.Name, p.Qualifiers["ID"]))
		}
		return names
	}
	start, stop := got.Methods["Start"], got.Methods["Stop"]
	if in, want := names(start.In), []string{"string Zwhat 0", "uint32 How 1"}; !slices.Equal(in, want) {
		t.Errorf("in %v", in)
	}
	if out, want := names(start.Out), []string{"uint64 Result 2", "uint32 ReturnValue <nil>"}; !slices.Equal(out, want) {
		t.Errorf("out %v", out)
	}
	if start.Origin != 1 || stop.Origin != 0 || stop.In != nil || len(stop.Out) != 1 || asJSON(start.Qualifiers) != `{"Implemented":"True"}` {
		t.Errorf("%+v %+v", start, stop)
	}
	t.Run("call", func(t *testing.T) {
		in := p.do(t, unit, map[string]any{"call": "Start", "with": []any{"it", 7}})
		if in.Path != "Below" || in.Name != "Start" {
			t.Errorf("a call of %s on %s", in.Name, in.Path)
		}
		args := Arguments(decode(t, new(Codec), must(hex.DecodeString(in.Sent))))
		if len(args) != 2 || !args.Get("Zwhat").Equal(cim.Str("it")) || !args.Get("How").Equal(cim.U32(7)) {
			t.Errorf("arguments %v", args)
		}
		if in = p.do(t, unit, map[string]any{"call": "Stop", "with": []any{}}); in.Name != "Stop" || in.Sent != "" {
			t.Errorf("a call of %s with %q", in.Name, in.Sent)
		}
	})
	t.Run("put", func(t *testing.T) {
		i := decode(t, new(Codec), must(hex.DecodeString(p.do(t, unit, map[string]any{"spawn": map[string]any{"Alpha": "one", "Zid": 5}}).Sent)))
		if i.IsClass() || i.Class().Name != "Below" || !i.Get("Alpha").Equal(cim.Str("one")) || !i.Get("Zid").Equal(cim.U32(5)) {
			t.Errorf("an instance of %s: %v %v", i.Class().Name, i.Get("Alpha"), i.Get("Zid"))
		}
	})
}

// impacket and we see the same in what Windows made.
func TestImpacketAgreesOnWindows(t *testing.T) {
	unit := fixture(t, "ms-wmio-3-class-MyClass2-with-method.bin")
	p := startImpacket(t)
	got := p.do(t, unit, nil)
	c := decode(t, new(Codec), unit).Class()
	for n, w := range c.Properties {
		if q := got.Properties[n]; q.Name != w.Name || q.Type != w.Type {
			t.Errorf("%s %s, impacket has %s %s", w.Type, w.Name, q.Type, q.Name)
		}
	}
	m := c.Methods[0]
	if q := got.Methods[m.Name]; len(q.In) != 1 || q.In[0].Name != m.In[0].Name || q.Out[0].Name != m.Out[0].Name || q.Origin != 2 {
		t.Errorf("impacket has %+v", q)
	}
}

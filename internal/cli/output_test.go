package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/casementhq/casement/cim"
)

var thing = cim.NewClass("Thing", nil).Key("Name", cim.String).Property("Size", cim.Uint64).Property("Tags", cim.String.Array()).
	Property("When", cim.Datetime).Property("Uptime", cim.Datetime).Property("On", cim.Boolean).Property("Ratio", cim.Real64).
	Object("Inner", "").Ref("Other", "").Build(`root\cimv2`)

var inner = cim.NewClass("Inner", nil).Property("X", cim.Sint32).Build(`root\cimv2`)

// things are a full object and one of NULLs.
func things(t *testing.T) []*cim.Instance {
	t.Helper()
	in := cim.NewInstance(inner)
	if err := in.Set("X", cim.S32(-5)); err != nil {
		t.Fatal(err)
	}
	full := cim.NewInstance(thing)
	for name, v := range map[string]cim.Value{
		"Name": cim.Str("a <b> & \"c\",\x1b[31m\nd"), "Size": cim.U64(18446744073709551615), "Tags": cim.Strs([]string{"x", "y z"}),
		"When": cim.Time("20261120103000.500000+060"), "Uptime": cim.Time("00000001020304.000000:000"), "On": cim.Bool(true),
		"Ratio": cim.Real(cim.Real64, 0.25), "Inner": cim.Obj(in), "Other": cim.Ref(`\\H\root\cimv2:Thing.Name="z"`),
	} {
		if err := full.Set(name, v); err != nil {
			t.Fatal(name, err)
		}
	}
	empty := cim.NewInstance(thing)
	if err := empty.Set("Name", cim.Str("zz")); err != nil {
		t.Fatal(err)
	}
	return []*cim.Instance{full, empty}
}

// printed runs the instances through a writer, one a batch.
func printed(t *testing.T, format, host string, list []*cim.Instance) string {
	t.Helper()
	var b bytes.Buffer
	w := newRows(format, &b)
	e := cim.SliceEnumerator(list, nil)
	for {
		batch, err := e.Next(context.Background(), 1)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.write(host, batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestJSONOutput(t *testing.T) {
	var got []map[string]any
	d := json.NewDecoder(strings.NewReader(printed(t, "json", "h1", things(t))))
	d.UseNumber()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	full, empty := got[0], got[1]
	if full["Host"] != "h1" || full["Name"] != "a <b> & \"c\",\x1b[31m\nd" || full["Size"] != json.Number("18446744073709551615") ||
		full["On"] != true || full["Ratio"] != json.Number("0.25") || full["Other"] != `\\H\root\cimv2:Thing.Name="z"` {
		t.Errorf("%v", full)
	}
	when, err := time.Parse(time.RFC3339Nano, full["When"].(string))
	if err != nil || !when.Equal(time.Date(2026, 11, 20, 9, 30, 0, 5e8, time.UTC)) {
		t.Errorf("When %v (%v)", full["When"], err)
	}
	if full["Uptime"] != "P1DT2H3M4S" {
		t.Errorf("Uptime %v", full["Uptime"])
	}
	if in := full["Inner"].(map[string]any); in["X"] != json.Number("-5") {
		t.Errorf("Inner %v", in)
	}
	if tags := full["Tags"].([]any); len(tags) != 2 || tags[1] != "y z" {
		t.Errorf("Tags %v", tags)
	}
	if v, there := empty["Size"]; !there || v != nil || empty["Inner"] != nil || empty["Tags"] != nil {
		t.Errorf("NULLs %v", empty)
	}
	if s := printed(t, "json", "", nil); s != "[]\n" {
		t.Errorf("nothing is %q", s)
	}
}

func TestCSVOutput(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(printed(t, "csv", "h", things(t)))).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatal(err, rows)
	}
	if rows[0][0] != "Host" || rows[0][1] != "Name" || rows[1][0] != "h" || rows[1][1] != "a <b> & \"c\",\x1b[31m\nd" ||
		rows[1][3] != "{x, y z}" || rows[2][2] != "" {
		t.Errorf("%q", rows)
	}
}

func TestXMLOutput(t *testing.T) {
	type value struct {
		Text string `xml:",chardata"`
	}
	var doc struct {
		XMLName  xml.Name `xml:"IRETURNVALUE"`
		Instance []struct {
			Class    string `xml:"CLASSNAME,attr"`
			Property []struct {
				Name  string `xml:"NAME,attr"`
				Type  string `xml:"TYPE,attr"`
				Value *value `xml:"VALUE"`
			} `xml:"PROPERTY"`
			Array []struct {
				Name  string  `xml:"NAME,attr"`
				Value []value `xml:"VALUE.ARRAY>VALUE"`
			} `xml:"PROPERTY.ARRAY"`
			Reference []struct {
				Value *value `xml:"VALUE"`
			} `xml:"PROPERTY.REFERENCE"`
		} `xml:"INSTANCE"`
	}
	list := things(t)
	if err := list[0].Set("Name", cim.Str("a <b> & \"c\"")); err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal([]byte(printed(t, "xml", "", list)), &doc); err != nil {
		t.Fatal(err)
	}
	full, empty := doc.Instance[0], doc.Instance[1]
	if full.Class != "Thing" || full.Property[0].Value.Text != "a <b> & \"c\"" || full.Property[1].Type != "uint64" || full.Property[1].Value.Text != "18446744073709551615" {
		t.Errorf("%+v", full)
	}
	if len(full.Array) != 1 || len(full.Array[0].Value) != 2 || full.Array[0].Value[1].Text != "y z" {
		t.Errorf("arrays %+v", full.Array)
	}
	if full.Reference[0].Value.Text != `\\H\root\cimv2:Thing.Name="z"` || empty.Property[1].Value != nil || empty.Reference[0].Value != nil {
		t.Errorf("reference %+v, NULL %+v", full.Reference, empty.Property[1])
	}
	for _, p := range full.Property {
		if p.Name == "When" && (p.Type != "datetime" || p.Value.Text != "20261120103000.500000+060") {
			t.Errorf("When %+v", p)
		}
		if p.Name == "Inner" {
			var in struct {
				XMLName xml.Name `xml:"INSTANCE"`
				Value   string   `xml:"PROPERTY>VALUE"`
			}
			if err := xml.Unmarshal([]byte(p.Value.Text), &in); err != nil || in.Value != "-5" {
				t.Errorf("Inner %q (%v)", p.Value.Text, err)
			}
		}
	}
}

func TestTableOutput(t *testing.T) {
	class := cim.NewClass("T", nil).Key("Name", cim.String).Property("Size", cim.Uint32).Property("Note", cim.String).Build(`root\cimv2`)
	row := func(name string, size, note cim.Value) *cim.Instance {
		return cim.MakeInstance(class, []cim.Value{cim.Str(name), size, note})
	}
	batch := []*cim.Instance{row("añb", cim.U32(7), cim.Str("x")), row("c", cim.U32(12345), cim.Null(cim.String))}
	var b bytes.Buffer
	w := newRows("table", &b)
	if err := w.write("", batch); err != nil {
		t.Fatal(err)
	}
	first := b.String()
	// NULL is empty, numbers stand to the right, the long name of a later batch moves its row only.
	if want := "Name   Size  Note\n----   ----  ----\nañb       7  x\nc     12345\n"; first != want {
		t.Errorf("first batch:\n%s\nwant:\n%s", first, want)
	}
	if err := w.write("", []*cim.Instance{row("a longer name", cim.Null(cim.Uint32), cim.Str("y\x1b]0;evil\a\nz"))}); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimPrefix(b.String(), first); got != "a longer name         y\uFFFD]0;evil\uFFFD z\n" {
		t.Errorf("second batch %q", got)
	}
	list := printed(t, "list", "h", things(t)[:1])
	if !strings.Contains(list, "Host    : h\nName    : a <b>") || !strings.Contains(list, "Inner   : [Inner]\nInner.X : -5\n") || strings.Contains(list, "\x1b") {
		t.Errorf("list:\n%s", list)
	}
}

// What a host sends steers no terminal: not in errors, and in JSON not even by the
// control characters above ASCII.
func TestHarmlessOutput(t *testing.T) {
	evil := "a\x1b[2J\u009b31mb\u007f\n\tc"
	var errs bytes.Buffer
	if code := conclude(Streams{Err: &errs}, errors.New(evil)); code != 1 || errs.String() != "casement: a\uFFFD[2J\uFFFD31mb\uFFFD\n c\n" {
		t.Errorf("%d %q", code, errs.String())
	}
	b := appendString(nil, evil)
	var back string
	if err := json.Unmarshal(b, &back); err != nil || back != evil || bytes.IndexFunc(b, unicode.IsControl) >= 0 {
		t.Errorf("%q %q %v", b, back, err)
	}
}

// A table on a terminal that is too narrow becomes a list.
func TestNarrowTerminal(t *testing.T) {
	var b bytes.Buffer
	w := &tableRows{w: &b, width: 40}
	if err := w.write("", things(t)); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.String(), "Name    : a") {
		t.Errorf("%s", b.String())
	}
}

// What a host sent steers no terminal, and lines stay lines.
func TestHarmless(t *testing.T) {
	var b bytes.Buffer
	const sent = "root\\a\x1b]0;x\a\u009b2J\u202e\r\n\tGröße\u00a0漢\n\xff"
	n, err := io.WriteString(harmless{&b}, sent)
	if want := "root\\a\ufffd]0;x\ufffd\ufffd2J\ufffd\ufffd\n\tGröße\u00a0漢\n\ufffd"; err != nil || n != len(sent) || b.String() != want {
		t.Errorf("%d bytes, %v: %q, want %q", n, err, b.String(), want)
	}
}

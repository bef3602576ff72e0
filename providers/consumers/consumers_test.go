package consumers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/schema"
	"github.com/casementhq/casement/security"
)

// provider makes one that is closed with the test.
func provider(t *testing.T, o Options) *Provider {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// consumer makes an instance of a consumer class; values come in pairs.
func consumer(t *testing.T, p *Provider, class string, values ...any) *cim.Instance {
	t.Helper()
	for _, c := range p.Classes() {
		if c.Name != class {
			continue
		}
		i := cim.NewInstance(c)
		for n := 0; n < len(values); n += 2 {
			v, ok := values[n+1].(cim.Value)
			if !ok {
				v = cim.Str(values[n+1].(string))
			}
			if err := i.Set(values[n].(string), v); err != nil {
				t.Fatal(err)
			}
		}
		return i
	}
	t.Fatalf("there is no class %s", class)
	return nil
}

func consume(p *Provider, token *security.Token, c *cim.Instance, events ...*cim.Instance) error {
	return p.Consume(context.Background(), &cimom.Request{Caller: cim.Caller{Token: token}, Class: c.Class()}, c, events)
}

var administrator = &security.Token{User: security.SIDAdministrators}

func TestClasses(t *testing.T) {
	p := provider(t, Options{})
	want := map[string][]cim.Value{ // defaults of the documentation's class pages
		"CommandLineEventConsumer":  {cim.U32(0), cim.Null(cim.Uint64), cim.Null(cim.Uint32)},
		"LogFileEventConsumer":      {cim.Value{}, cim.U64(65535), cim.Value{}},
		"NTEventLogEventConsumer":   {cim.Value{}, cim.Value{}, cim.U32(1)},
		"ActiveScriptEventConsumer": {cim.U32(0), cim.Value{}, cim.Value{}},
		"SMTPEventConsumer":         {cim.Value{}, cim.Value{}, cim.Value{}},
	}
	if len(p.Classes()) != len(want) {
		t.Errorf("%d classes, want %d", len(p.Classes()), len(want))
	}
	for _, c := range p.Classes() {
		d, ok := want[c.Name]
		if !ok || c.Superclass != "__EventConsumer" || c.Namespace != `root\subscription` || !c.IsA("__IndicationRelated") || c.PropertyIndex("CreatorSID") < 0 {
			t.Errorf("%s : %s in %s", c.Name, c.Superclass, c.Namespace)
		}
		if k := c.Keys(); len(k) != 1 || c.Properties[k[0]].Name != "Name" {
			t.Errorf("%s has the keys %v", c.Name, k)
		}
		i := cim.NewInstance(c)
		for n, name := range []string{"KillTimeout", "MaximumFileSize", "EventType"} {
			if got := i.Get(name); c.PropertyIndex(name) >= 0 && got.String() != d[n].String() {
				t.Errorf("%s.%s is %v by default, want %v", c.Name, name, got, d[n])
			}
		}
	}
}

// TestCheckConsumer has T-99 and T-100.
func TestCheckConsumer(t *testing.T) {
	p := provider(t, Options{})
	one := cim.U32(1)
	tests := []struct {
		name, class string
		values      []any
		want        cim.Status
	}{
		{"T-99 both", "ActiveScriptEventConsumer", []any{"ScriptingEngine", "VBScript", "ScriptText", "x", "ScriptFileName", "y"}, cim.ErrInvalidParameter},
		{"T-99 neither", "ActiveScriptEventConsumer", []any{"ScriptingEngine", "VBScript"}, cim.ErrInvalidParameter},
		{"T-99 no engine", "ActiveScriptEventConsumer", []any{"ScriptText", "x"}, cim.ErrInvalidParameter},
		{"5.4 no scripts here", "ActiveScriptEventConsumer", []any{"ScriptingEngine", "VBScript", "ScriptText", "x"}, cim.ErrProviderNotCapable},
		{"T-100 colon", "NTEventLogEventConsumer", []any{"SourceName", "a:b", "EventID", one}, cim.ErrInvalidParameter},
		{"T-100 default type", "NTEventLogEventConsumer", []any{"SourceName", "a", "EventID", one}, 0},
		{"5.4 no source", "NTEventLogEventConsumer", []any{"EventID", one}, cim.ErrInvalidParameter},
		{"5.4 no id", "NTEventLogEventConsumer", []any{"SourceName", "a"}, cim.ErrInvalidParameter},
		{"5.4 type", "NTEventLogEventConsumer", []any{"SourceName", "a", "EventID", one, "EventType", cim.U32(3)}, cim.ErrInvalidParameter},
		{"5.4 too few strings", "NTEventLogEventConsumer", []any{"SourceName", "a", "EventID", one, "NumberOfInsertionStrings", cim.U32(2)}, cim.ErrInvalidParameter},
		{"5.4 no program", "CommandLineEventConsumer", nil, cim.ErrInvalidParameter},
		{"5.4 path alone", "CommandLineEventConsumer", []any{"ExecutablePath", "/bin/true"}, 0},
		{"5.4 template alone", "CommandLineEventConsumer", []any{"CommandLineTemplate", "true %Name%"}, 0},
		{"relative program", "CommandLineEventConsumer", []any{"ExecutablePath", "bin/true"}, cim.ErrInvalidParameter},
		{"relative folder", "CommandLineEventConsumer", []any{"ExecutablePath", "true", "WorkingDirectory", "x"}, cim.ErrInvalidParameter},
		{"5.4 no file", "LogFileEventConsumer", nil, cim.ErrInvalidParameter},
		{"relative file", "LogFileEventConsumer", []any{"Filename", "log"}, cim.ErrInvalidParameter},
		{"5.4 file", "LogFileEventConsumer", []any{"Filename", "/var/log/x"}, 0},
		{"5.4 no server", "SMTPEventConsumer", []any{"ToLine", "a@b"}, cim.ErrInvalidParameter},
		{"5.4 nobody", "SMTPEventConsumer", []any{"SMTPServer", "mail"}, cim.ErrInvalidParameter},
		{"5.4 blind copies alone", "SMTPEventConsumer", []any{"SMTPServer", "mail", "BccLine", "a@b"}, 0},
		{"two header lines in one", "SMTPEventConsumer", []any{"SMTPServer", "mail", "ToLine", "a@b", "HeaderFields", cim.Strs([]string{"X: a\r\nBcc: c@d"})}, cim.ErrInvalidParameter},
		{"no header line", "SMTPEventConsumer", []any{"SMTPServer", "mail", "ToLine", "a@b", "HeaderFields", cim.Strs([]string{"hello"})}, cim.ErrInvalidParameter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := consumer(t, p, tt.class, tt.values...)
			if err := p.CheckConsumer(c); cim.StatusOf(err) != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
			// What may not be stored does nothing either; and what nobody permits is refused.
			if err := consume(p, administrator, c, testEvent(t)); err == nil || tt.want != 0 && cim.StatusOf(err) != tt.want {
				t.Errorf("consumed: %v, want %v", err, tt.want)
			}
		})
	}
	if err := p.CheckConsumer(testEvent(t)); !errors.Is(err, cim.ErrInvalidClass) {
		t.Errorf("an event is no consumer: %v", err)
	}
}

// TestEventLog reports a record. See spec/wmi.md 5.4.
func TestEventLog(t *testing.T) {
	var got []Record
	p := provider(t, Options{MachineName: "HOST", Report: func(_ context.Context, creator cim.Caller, r Record) error {
		if creator.Token != administrator {
			t.Error("not as the creator")
		}
		got = append(got, r)
		return nil
	}})
	event := cim.NewInstance(cim.NewClass("E", nil).Property("Name", cim.String).Property("Raw", cim.Uint8.Array()).Property("SID", cim.Uint8.Array()).
		Property("User", cim.String).Build(`root\cimv2`))
	for name, v := range map[string]cim.Value{"Name": cim.Str("n"), "Raw": cim.Bytes([]byte{0, 255}), "SID": cim.Bytes([]byte{1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0}), "User": cim.Str("S-1-5-32-544")} {
		if err := event.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	base := []any{
		"SourceName", "Sample", "EventID", cim.U32(7), "Category", cim.U16(3), "InsertionStringTemplates", cim.Strs([]string{"%Name%!", "b", "c"}),
		"NumberOfInsertionStrings", cim.U32(2), "NameOfRawDataProperty", "Raw", "UNCServerName", `\\host`,
	}
	for _, property := range []string{"SID", "User", "Raw"} {
		err := consume(p, administrator, consumer(t, p, "NTEventLogEventConsumer", append(base, "NameOfUserSidProperty", property)...), event)
		if property == "Raw" {
			if !errors.Is(err, cim.ErrInvalidParameter) {
				t.Errorf("two bytes are a SID: %v", err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 2 {
		t.Fatalf("%d records", len(got))
	}
	r := got[0]
	if r.Source != "Sample" || r.EventID != 7 || r.Type != 1 || r.Category != 3 || !slices.Equal(r.Strings, []string{"n!", "b"}) || !slices.Equal(r.Data, []byte{0, 255}) ||
		r.User.String() != "S-1-5-18" || got[1].User != security.SIDAdministrators {
		t.Errorf("%+v", got)
	}
	c := consumer(t, p, "NTEventLogEventConsumer", "SourceName", "a", "EventID", cim.U32(1), "UNCServerName", "OTHER")
	if err := consume(p, administrator, c, event); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("another computer's log: %v", err)
	}
	if err := event.Set("Name", cim.Str(strings.Repeat("n", maxExpanded/2))); err != nil {
		t.Fatal(err)
	}
	c = consumer(t, p, "NTEventLogEventConsumer", "SourceName", "a", "EventID", cim.U32(1), "InsertionStringTemplates", cim.Strs([]string{"%Name%", "%Name%", "x"}),
		"NumberOfInsertionStrings", cim.U32(3))
	if err := consume(p, administrator, c, event); !errors.Is(err, cim.ErrQuotaViolation) || len(got) != 2 {
		t.Errorf("a record of more than %d bytes: %v", maxExpanded, err)
	}
}

// TestDocumentedSubscription compiles the example of docs/consumers.md.
func TestDocumentedSubscription(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "consumers.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```mof\n")
	text, _, _ := strings.Cut(rest, "```")
	system, _, err := mof.Definitions(schema.Files, "common.mof", "events.mof")
	if err != nil {
		t.Fatal(err)
	}
	p := provider(t, Options{})
	_, instances, err := mof.DefinitionsOn(append(system, p.Classes()...), fstest.MapFS{"example.mof": {Data: []byte(text)}}, "example.mof")
	if err != nil || len(instances) != 3 {
		t.Fatalf("%d instances, %v", len(instances), err)
	}
	for _, i := range instances {
		switch {
		case i.Class().IsA("__EventConsumer"):
			if err := p.CheckConsumer(i); err != nil {
				t.Error(err)
			}
		case i.Class().IsA("__EventFilter"):
			if q, err := wql.ParseEvent(i.Get("Query").String()); err != nil || q.Within != time.Minute {
				t.Errorf("%+v %v", q, err)
			}
		}
	}
}

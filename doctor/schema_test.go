package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// validReport checks a report against the schema, as far as the schema goes:
// types, required members, enums, patterns, constants.
func validReport(t *testing.T, r *Report) {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range validate(t, b) {
		t.Error(e)
	}
}

func validate(t *testing.T, document []byte) []string {
	t.Helper()
	var schema, value any
	for from, to := range map[*any][]byte{&schema: SchemaJSON, &value: document} {
		d := json.NewDecoder(bytes.NewReader(to))
		d.UseNumber()
		if err := d.Decode(from); err != nil {
			t.Fatal(err)
		}
	}
	return schemaErrors("$", schema.(map[string]any), value)
}

func schemaErrors(at string, schema map[string]any, v any) (list []string) {
	bad := func(format string, args ...any) { list = append(list, at+": "+fmt.Sprintf(format, args...)) }
	if c, ok := schema["const"]; ok && c != v {
		bad("%v is not %v", v, c)
	}
	if e, ok := schema["enum"].([]any); ok && !slices.Contains(e, v) {
		bad("%v is none of %v", v, e)
	}
	if want, ok := schema["type"]; ok {
		types, many := want.([]any)
		if !many {
			types = []any{want}
		}
		if !slices.Contains(types, any(typeOf(v))) {
			bad("%v is a %s, not %v", v, typeOf(v), types)
			return list
		}
	}
	if s, ok := v.(string); ok {
		if p, ok := schema["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(s) {
			bad("%q does not match %s", s, p)
		}
		if _, err := time.Parse(time.RFC3339, s); schema["format"] == "date-time" && err != nil {
			bad("%v", err)
		}
	}
	if o, ok := v.(map[string]any); ok {
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := o[name.(string)]; !ok {
				bad("%s is missing", name)
			}
		}
		properties, _ := schema["properties"].(map[string]any)
		for name, member := range o {
			if s, ok := properties[name].(map[string]any); ok {
				list = append(list, schemaErrors(at+"."+name, s, member)...)
			} else if s, ok := schema["additionalProperties"].(map[string]any); ok {
				list = append(list, schemaErrors(at+"."+name, s, member)...)
			} else if len(properties) > 0 {
				bad("the schema does not know %s", name)
			}
		}
	}
	if a, ok := v.([]any); ok {
		items, _ := schema["items"].(map[string]any)
		for n, member := range a {
			list = append(list, schemaErrors(fmt.Sprintf("%s[%d]", at, n), items, member)...)
		}
	}
	return list
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// The report of row 9 as spec/console.md 5 prints it is one of this schema, and
// what is not is found.
func TestSchemaTakesTheDocumentedReport(t *testing.T) {
	const documented = `{"schema":"casement.doctor/1","target":{"input":"srv07","addresses":["10.0.4.17"],"os":null},"from":"mgmt1","account":"SRV07\\ops","started":"2026-11-20T14:05:00Z","took_ms":812,
 "verdict":"blocked","transports":{"winrm":"blocked","dcom":"blocked"},"cause":{"check":"uac.filter","confidence":"likely","row":9,"title":"UAC filters this local account","for":["local account","not RID 500","password accepted"],"against":[]},
 "checks":[{"id":"dcom.activate","layer":"dcom","title":"Activation is allowed","result":"fail","code":"0x80070005","name":"E_ACCESSDENIED","detail":"refused at RemoteCreateInstance","needs":["rpc.auth"],"took_ms":9,"evidence":[{"at_ms":640,"saw":"RPC fault 5"}]}],
 "not":[{"code":"0x800706BA","means":"firewall"},{"code":"0x80041003","means":"namespace"}],
 "remedies":[{"id":"manage-as","rank":1,"where":"console","prompt":"sh","commands":["casement pool manage-as srv07 --credential NAME"],"undo":[],"effect":"none on srv07","fix":true,"verify":"casement doctor srv07"}]}`
	if errs := validate(t, []byte(documented)); len(errs) > 0 {
		t.Error(errs)
	}
	var r Report
	if err := json.Unmarshal([]byte(documented), &r); err != nil || r.Cause.Row != 9 || r.Checks[0].Outcome != Fail {
		t.Errorf("%v, %+v", err, r)
	}
	for from, to := range map[string]string{`"verdict":"blocked"`: `"verdict":"bad"`, `"0x80070005"`: `"5"`, `"from":"mgmt1",`: ``, `"rank":1`: `"rank":"1"`, `"casement.doctor/1"`: `"casement.doctor/2"`} {
		if errs := validate(t, []byte(strings.Replace(documented, from, to, 1))); len(errs) == 0 {
			t.Errorf("%s in place of %s passes", to, from)
		}
	}
}

package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
)

// Where a query is wrong is found by line and column, also of a server that does not
// tell; other errors have no place.
func TestPlaceOfAMistake(t *testing.T) {
	refused := &cim.Error{Status: cim.ErrInvalidQuery, Detail: "Invalid query"}
	for query, want := range map[string][2]int{
		"SELECT Name, State FROM Win32_Service WHERE StartMode'Auto'":          {1, 54},
		"SELECT Name\nFROM Win32_Service\nWHERE Näme = 'ü' StartMode = 'Auto'": {3, 18},
		"SELECT Name FROM": {1, 17},
		"ASSOCIATORS OF {Win32_Service.Name='x'} WHER x": {1, 41},
	} {
		p := placeOf(query, refused)
		if p == nil || p.Line != want[0] || p.Column != want[1] || p.Text == "" {
			t.Errorf("%q: %+v, want %v", query, p, want)
		}
	}
	if p := placeOf("SELECT Name FROM Win32_Service", refused); p != nil {
		t.Errorf("one that is right here: %+v", p)
	}
	if p := placeOf("SELECT Nime FROM Win32_Service", &cim.Error{Status: cim.ErrInvalidQuery, Detail: "no such property at column 8"}); p == nil || p.Column != 8 {
		t.Errorf("what the server tells: %+v", p)
	}
	if p := placeOf("SELECT", &cim.Error{Status: cim.ErrAccessDenied}); p != nil {
		t.Errorf("another error: %+v", p)
	}
}

// The rows come one by one, with the path of each, and the end tells how many; a mistake
// comes with its place.
func TestQueryStream(t *testing.T) {
	d := newHostDesk(t)
	b := d.as("read")
	lines := func(wql string) (all []map[string]any) {
		t.Helper()
		a, body := d.post(b, "/servers/srv01/query", url.Values{"ns": {`root\cimv2`}, "wql": {wql}}, "Accept", "application/x-ndjson")
		if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Fatalf("%s %s", a.Status, body)
		}
		for line := range strings.Lines(body) {
			var v map[string]any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatal(line)
			}
			all = append(all, v)
		}
		return all
	}
	all := lines("SELECT ProcessId, Name FROM Win32_Process")
	last := all[len(all)-1]
	if last["done"] != true || last["rows"] != float64(len(all)-2) || last["problem"] != nil || !slices.Equal(all[0]["columns"].([]any), []any{"Name", "ProcessId"}) && !slices.Equal(all[0]["columns"].([]any), []any{"ProcessId", "Name"}) {
		t.Errorf("%v … %v", all[0], last)
	}
	if all := lines("SELECT Name FROM Win32_Process WHERE\n Name 'x'"); len(all) != 1 || all[0]["place"].(map[string]any)["line"] != float64(2) || !strings.Contains(all[0]["problem"].(string), "0x80041017") {
		t.Errorf("a mistake: %v", all)
	}
	if n := len(slices.DeleteFunc(d.log(), func(e auditlog.Entry) bool { return e.Action != "query" })); n != 4 {
		t.Errorf("%d entries of the audit log about queries", n)
	}
}

// An object has its path, values, methods and what it is associated with; a call is
// confirmed by the server's name and is work of the pool.
func TestObjectPage(t *testing.T) {
	d := newHostDesk(t)
	b := d.as("oper")
	_, body := d.get(b, "/servers/srv01/query?"+url.Values{"path": {`\\X\root\cimv2:Win32_Group.Domain="nowhere",Name="Administrators"`}}.Encode())
	if !strings.Contains(body, "0x80041002") {
		t.Errorf("an object that is not there: %s", body)
	}
	table := struct{ Paths []string }{}
	_, text := d.post(b, "/servers/srv01/query", url.Values{"wql": {"SELECT * FROM Win32_OperatingSystem"}, "format": {"json"}})
	if err := json.Unmarshal([]byte(text), &table); err != nil || len(table.Paths) != 1 {
		t.Fatal(text)
	}
	_, body = d.get(b, "/servers/srv01/query?"+url.Values{"path": table.Paths}.Encode())
	for _, want := range []string{"Win32_OperatingSystem=@", "LastBootUpTime", "datetime", "Win32Shutdown(", "Invoke…", "Associators"} {
		if !strings.Contains(body, want) {
			t.Errorf("the object's page does not show %q", want)
		}
	}
	_, text = d.post(b, "/servers/srv01/query", url.Values{"wql": {"SELECT * FROM Win32_Group WHERE Name = 'Administrators'"}, "format": {"json"}})
	if err := json.Unmarshal([]byte(text), &table); err != nil || len(table.Paths) != 1 {
		t.Fatal(text)
	}
	if _, body = d.get(b, "/servers/srv01/query?"+url.Values{"path": table.Paths}.Encode()); !strings.Contains(body, `<span class="soft">Win32_UserAccount</span> <a href="/servers/srv01/query?`) {
		t.Errorf("what a group is associated with: %s", body[strings.Index(body, "Associators"):])
	}
	form := url.Values{"path": {`Win32_OperatingSystem=@`}, "method": {"Win32Shutdown"}, "in:Flags": {"2"}}
	a, body := d.post(b, "/servers/srv01/object", form, "Accept", "application/json")
	var ask struct{ Confirm confirmation }
	if err := json.Unmarshal([]byte(body), &ask); err != nil || a.StatusCode != http.StatusConflict || ask.Confirm.Level != 2 || ask.Confirm.Type != "srv01" || !strings.Contains(ask.Confirm.Effect, "Flags = 2") || len(d.pool.works) > 0 {
		t.Fatalf("%s %s", a.Status, body)
	}
	d.c.workLimit = 0
	ask.Confirm.Values.Set("typed", "srv01")
	if a, body := d.post(b, "/servers/srv01/object", ask.Confirm.Values, "Accept", "application/json"); a.StatusCode != http.StatusOK || len(d.pool.works) != 1 {
		t.Fatalf("%s %s", a.Status, body)
	}
	var p pool.InvokeParameters
	if err := json.Unmarshal(d.pool.works[0].Action.Parameters, &p); err != nil || p.Method != "Win32Shutdown" || p.Path != "Win32_OperatingSystem=@" || p.Arguments["Flags"] != "2" || p.Namespace != `root\cimv2` {
		t.Errorf("%+v", p)
	}
	form.Set("in:StartPassword", "Secret-7")
	if a, body := d.post(b, "/servers/srv01/object", form, "Accept", "application/json"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a password: %s %s", a.Status, body)
	}
}

// A query on a selection is one work; its rows stand together, with their servers, and
// the files have all of them.
func TestQueryOfMany(t *testing.T) {
	d := newDesk(t, entry("a"), entry("b"), entry("c")).ready()
	b := d.as("read")
	if _, body := d.get(b, "/query?server=a&server=b&tag=&wql=SELECT+Name+FROM+Win32_Service"); !strings.Contains(body, "On 2 servers") || len(d.pool.works) > 0 {
		t.Errorf("the page of a selection: %s", body)
	}
	if a, _ := d.get(b, "/query?on=b&wql=x"); a.Header.Get("Location") != `/servers/b/query?ns=root%5Ccimv2&wql=x` {
		t.Errorf("one server: %s", a.Header.Get("Location"))
	}
	a, _ := d.post(b, "/query", url.Values{"on": {"a", "b", "c"}, "wql": {"SELECT Name FROM Win32_Service"}})
	if a.Header.Get("Location") != "/query?work=w1" || !slices.Equal(d.pool.works[0].Targets, []string{"a", "b", "c"}) {
		t.Fatalf("%s %+v", a.Status, d.pool.works)
	}
	if _, body := d.get(b, "/query?work=w1"); !strings.Contains(body, `data-queryrun="query:w1"`) {
		t.Error("that it runs is not shown")
	}
	now := time.Now()
	d.pool.mu.Lock()
	d.pool.works[0].Tally = pool.Tally{Done: 2, Failed: 1, Ended: now}
	d.pool.results["w1"] = []pool.Result{
		{Work: "w1", Server: "b", State: pool.Done, Ended: now, Output: `{"Name":"=1+1","Size":"18446744073709551615"}` + "\n"},
		{Work: "w1", Server: "a", State: pool.Done, Ended: now, Output: `{"Name":"<b>x</b>","On":true}` + "\n" + `{"Name":null,"On":false}` + "\n"},
		{Work: "w1", Server: "c", State: pool.Failed, Ended: now, Code: "0x80041010", Words: "no such class"},
	}
	d.pool.mu.Unlock()
	_, body := d.get(b, "/query?work=w1")
	for _, want := range []string{"3 rows", "&lt;b&gt;x&lt;/b&gt;", "18446744073709551615", "1 server gave nothing", "no such class (0x80041010)", "SELECT Name FROM Win32_Service"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if _, csv := d.get(b, "/query/rows.csv?work=w1"); csv != "Server,Name,On,Size\na,<b>x</b>,true,\na,,false,\nb,'=1+1,,18446744073709551615\n" {
		t.Errorf("CSV: %q", csv)
	}
	var rows []map[string]*string
	if _, text := d.get(b, "/query/rows.json?work=w1"); json.Unmarshal([]byte(text), &rows) != nil || len(rows) != 3 || rows[1]["Name"] != nil || *rows[2]["Name"] != "=1+1" {
		t.Errorf("JSON: %s", text)
	}
	// a saved query is a link that waits
	if a, _ := d.post(b, "/query/save", url.Values{"name": {"mine"}, "ns": {`root\cimv2`}, "wql": {"SELECT * FROM Win32_Share"}, "back": {"/query"}}); a.StatusCode != http.StatusSeeOther {
		t.Error(a.Status)
	}
	if _, body := d.get(b, "/query"); !strings.Contains(body, `wql=SELECT%20%2a%20FROM%20Win32_Share`) {
		t.Errorf("the saved query: %s", body)
	}
	if _, body := d.get(d.as("oper"), "/query"); strings.Contains(body, "Win32_Share") {
		t.Error("somebody else has it")
	}
}

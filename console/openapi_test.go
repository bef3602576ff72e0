package console

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// pageOperations are the operations that have the data of each page. A page without one
// says why.
var pageOperations = map[string]string{
	"/alerts/{card}":                     "get-alerts",
	"/alerts/{card}/{row}":               "get-alerts",
	"/alerts/{card}/{row}/servers":       "get-alerts",
	"/alerts/{card}/export":              "get-alerts",
	"/events":                            "list-events-of-many",
	"/events/export":                     "list-events-of-many",
	"/servers/{name}/events/export":      "list-events",
	"/servers/{name}/performance/export": "get-performance",
	"/{$}":                               "get-dashboard",
	"/servers":                           "list-servers",
	"/groups/{tag}":                      "list-servers", // q=tag:…
	"/roles/{role}":                      "list-servers", // q=role:…
	"/servers/export":                    "list-servers",
	"/servers/add":                       "find-dns find-directory import-servers add-servers",
	"/servers/{name}":                    "get-server",
	"/servers/{name}/events":             "list-events",
	"/servers/{name}/services":           "list-services",
	"/servers/{name}/services/{service}": "get-service",
	"/servers/{name}/performance":        "get-performance",
	"/servers/{name}/disks":              "list-disks",
	"/servers/{name}/roles":              "list-roles",
	"/servers/{name}/users":              "list-users add-user change-user delete-user add-member remove-member",
	"/servers/{name}/firewall":           "list-firewall switch-firewall",
	"/servers/{name}/management":         "get-management start-work",
	"/servers/{name}/doctor":             "get-report examine",
	"/servers/{name}/shell":              "start-work", // run: a shell is a conversation with a person
	"/servers/{name}/query":              "query list-namespaces list-classes get-class get-object invoke",
	"/query":                             "start-work list-queries save-query remove-query",
	"/query/rows.csv":                    "get-output",
	"/query/rows.json":                   "get-output",
	"/run":                               "start-work",
	"/service":                           "start-work",
	"/work":                              "list-work",
	workPath + "/{id}":                   "get-work get-output cancel-work",
	workPath + "/{id}/results.csv":       "get-work",
	workPath + "/{id}/results.json":      "get-work",
	workPath + "/{id}/select/{which}":    "get-work",
	workPath + "/{id}/output/{server}":   "get-output",
	"/audit":                             "list-audit",
	"/audit/log.jsonl":                   "list-audit",
	"/settings":                          "get-preferences list-views save-view remove-view",
	"/settings/{tab}":                    "get-settings set-settings list-keys add-key revoke-key list-credentials set-credential remove-credential",
	"/":                                  "", // there is no such page
}

// The data of each page has an operation; each operation is in the document, which is
// of 3.1, and has its role, its errors as RFC 9457 says, and examples that are valid.
func TestOpenAPI(t *testing.T) {
	d := newDesk(t)
	_, text := d.get(d.as("read"), "/api/v1/openapi.json")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Role        string `json:"x-casement-role"`
			Responses   map[string]struct {
				Content map[string]struct{ Example any }
			}
			RequestBody *struct {
				Content map[string]struct{ Example any }
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("%v %.200s", err, text)
	}
	ids := map[string]bool{}
	for path, item := range doc.Paths {
		for verb, op := range item {
			ids[op.OperationID] = true
			if _, err := ParseRole(op.Role); err != nil {
				t.Errorf("%s has no role: %q", op.OperationID, op.Role)
			}
			if op.RequestBody != nil && op.RequestBody.Content["application/json"].Example == nil {
				t.Errorf("%s has no example of what it takes", op.OperationID)
			}
			if ok, has := op.Responses["200"]; has && ok.Content["application/json"].Example == nil {
				t.Errorf("%s has no example of what it gives", op.OperationID)
			}
			for _, status := range []string{"401", "403"} {
				e, _ := op.Responses[status].Content["application/problem+json"].Example.(map[string]any)
				if detail, _ := e["detail"].(string); detail == "" {
					t.Errorf("%s has no example of %s", op.OperationID, status)
				}
			}
			for _, k := range regexp.MustCompile(`\{[a-z]+\}`).FindAllString(path, -1) {
				if _, has := op.Responses["404"]; !has && k != "" {
					t.Errorf("%s %s does not tell of 404", verb, path)
				}
			}
		}
	}
	for _, p := range d.c.routes {
		method, path, _ := strings.Cut(p.Pattern, " ")
		if path == "" {
			method, path = http.MethodGet, p.Pattern
		}
		if strings.HasPrefix(path, "/api/v1/") && path != "/api/v1/openapi.json" {
			if op, has := doc.Paths[path][strings.ToLower(method)]; !has {
				t.Errorf("the document does not have %s", p.Pattern)
			} else if op.Role != p.Role.String() {
				t.Errorf("%s needs %s, and says %s", p.Pattern, p.Role, op.Role)
			}
			continue
		}
		if p.kind != kindPage || method != http.MethodGet {
			continue
		}
		operations, known := pageOperations[path]
		if !known {
			t.Errorf("the page %s has no operation that gives its data to programs", path)
		}
		for _, id := range strings.Fields(operations) {
			if !ids[id] {
				t.Errorf("the page %s names the operation %s, which there is not", path, id)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(apiExamples())) {
		if !ids[id] {
			t.Errorf("an example of %s, which there is not", id)
		}
	}
}

// The examples are what the schemas say.
func TestExamplesAreValid(t *testing.T) {
	d := newDesk(t)
	a := d.c.openAPI()
	d.c.mux = http.NewServeMux() // the routes are there once more
	d.c.apiAll(a)
	registry := a.huma.OpenAPI().Components.Schemas
	for path, item := range a.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			check := func(what string, mode huma.ValidateMode, m *huma.MediaType) {
				if m == nil || m.Schema == nil {
					return
				}
				res := &huma.ValidateResult{}
				huma.Validate(registry, m.Schema, huma.NewPathBuffer([]byte(""), 0), mode, m.Example, res)
				for _, err := range res.Errors {
					t.Errorf("%s %s, %s: %v", op.Method, path, what, err)
				}
			}
			if op.RequestBody != nil {
				check("what it takes", huma.ModeWriteToServer, op.RequestBody.Content["application/json"])
			}
			for status, r := range op.Responses {
				check(status, huma.ModeReadFromServer, r.Content["application/json"])
				check(status, huma.ModeReadFromServer, r.Content["application/problem+json"])
			}
		}
	}
}

// The operations about one server give what the server says, as its pages do.
func TestServerOperations(t *testing.T) {
	d := newHostDesk(t)
	token := d.key("read", "Reader")
	for path, want := range map[string]string{
		"/events?last=24":                `"events":[`,
		"/services":                      `"services":[`,
		"/performance":                   `"memory":`,
		"/disks":                         `"disks":[`,
		"/roles":                         `"roles":[`,
		"/users":                         `"name":"WinRMRemoteWMIUsers__"`,
		"/firewall":                      `Windows Management Instrumentation (WMI)`,
		"/management":                    `"enabled":true`,
		"/namespaces?ns=root":            `"root\\cimv2"`,
		"/classes?find=logicaldisk":      `"Win32_LogicalDisk"`,
		"/classes/Win32_OperatingSystem": `"LastBootUpTime"`,
		"/object?path=Win32_OperatingSystem%3D%40": `"Win32Shutdown"`,
	} {
		if code, body := d.call(token, "GET", "/api/v1/servers/SRV01"+path, ""); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.400s", path, code, body)
		}
	}
	if code, body := d.call(token, "POST", "/api/v1/servers/srv01/query", `{"wql":"SELECT Name FROM Win32_OperatingSystem"}`); code != http.StatusOK || !strings.Contains(body, `"columns":["`) || !strings.Contains(body, `"paths":["root\\cimv2:Win32_OperatingSystem=@"]`) {
		t.Errorf("a query: %d %s", code, body)
	}
	code, body := d.call(token, "POST", "/api/v1/servers/srv01/query", `{"wql":"SELECT Name FROM Win32_OperatingSystem WHERE Name 7"}`)
	var p struct {
		Title, Detail, Instance string
		Status                  int
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil || code != http.StatusUnprocessableEntity || p.Status != code || p.Title == "" || !strings.HasPrefix(p.Instance, "urn:casement:request:") || !strings.Contains(p.Detail, "Line 1 col 51") {
		t.Errorf("a mistake: %d %s", code, body)
	}
	for _, k := range [][3]string{{"GET", "/api/v1/servers/srv00/users", ""}, {"GET", "/api/v1/servers/srv01/doctor", ""}, {"GET", "/api/v1/servers/srv01/classes/Win32_Nothing", ""}, {"DELETE", "/api/v1/views/nothing", ""}} {
		if code, body := d.call(token, k[0], k[1], k[2]); code != http.StatusNotFound {
			t.Errorf("%v: %d %s", k, code, body)
		}
	}
}

// Keys, views and queries of programs are those of the pages.
func TestOwnOperations(t *testing.T) {
	d := newDesk(t, entry("srv01")).ready()
	token := d.key("oper", "Operator")
	if code, body := d.call(token, "POST", "/api/v1/keys", `{"label":"second","role":"Administrator"}`); code != http.StatusForbidden {
		t.Errorf("a key that may more: %d %s", code, body)
	}
	code, body := d.call(token, "POST", "/api/v1/keys", `{"label":"second"}`)
	var made keyAnswer
	if err := json.Unmarshal([]byte(body), &made); err != nil || code != http.StatusOK || !strings.HasPrefix(made.Secret, "casement_") {
		t.Fatalf("%d %s", code, body)
	}
	var keys []Token
	_, body = d.call(made.Secret, "GET", "/api/v1/keys", "")
	if err := json.Unmarshal([]byte(body), &keys); err != nil || len(keys) != 2 || strings.Contains(body, "casement_") {
		t.Fatal(body)
	}
	n := slices.IndexFunc(keys, func(k Token) bool { return k.Label == "second" })
	if code, body := d.call(token, "DELETE", "/api/v1/keys/"+keys[n].ID, ""); code != http.StatusNoContent {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := d.call(made.Secret, "GET", "/api/v1/me", ""); code != http.StatusUnauthorized {
		t.Errorf("the revoked key: %d", code)
	}
	for _, k := range []struct {
		method, path, body string
		want               int
	}{
		{"PUT", "/api/v1/views/Tokyo", `{"query":"q=tag%3Atokyo"}`, 204},
		{"PUT", "/api/v1/queries/mine", `{"wql":"SELECT * FROM Win32_Share"}`, 204},
		{"PUT", "/api/v1/queries/empty", `{"wql":" "}`, 422},
	} {
		if code, body := d.call(token, k.method, k.path, k.body); code != k.want {
			t.Errorf("%s %s: %d %s", k.method, k.path, code, body)
		}
	}
	if _, page := d.get(d.as("oper"), "/servers"); !strings.Contains(page, ">Tokyo<") {
		t.Error("the view is not on the page")
	}
	if _, page := d.get(d.as("oper"), "/query"); !strings.Contains(page, ">mine<") {
		t.Error("the query is not on the page")
	}
	if _, body := d.call(token, "GET", "/api/v1/views", ""); body != `[{"name":"Tokyo","query":"q=tag%3Atokyo"}]`+"\n" {
		t.Errorf("%q", body)
	}
	if code, _ := d.call(token, "DELETE", "/api/v1/views/Tokyo", ""); code != http.StatusNoContent {
		t.Errorf("%d", code)
	}
	if _, body := d.call(token, "GET", "/api/v1/dashboard", ""); !strings.Contains(body, `"total":1`) {
		t.Error(body)
	}
	if code, body := d.call(token, "GET", "/api/v1/alerts/all", ""); code != http.StatusOK || !strings.Contains(body, `"cpu":85`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := d.call(token, "GET", "/api/v1/events?on=srv01&level=Error&level=Warning", ""); code != http.StatusOK || !strings.Contains(body, `"asked":1`) || !strings.Contains(body, "Asking srv01 failed") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := d.call(token, "POST", "/api/v1/find/dns", `{"terms":["127.0.0.1"]}`); code != http.StatusOK && code != http.StatusUnprocessableEntity && code != http.StatusBadGateway {
		t.Errorf("%d %s", code, body)
	}
	// a change of a user is asked of the server: by a role that may
	if code, _ := d.call(d.key("read", "Reader"), "DELETE", "/api/v1/servers/srv01/users/anna", ""); code != http.StatusForbidden {
		t.Errorf("a Reader deletes a user: %d", code)
	}
	d.c.workLimit = 0
	code, body = d.call(token, "DELETE", "/api/v1/servers/srv01/groups/WinRMRemoteWMIUsers__/members/"+url.PathEscape(`CORP\anna`), "")
	if code != http.StatusOK || !strings.Contains(body, workPath+"/w1") || !strings.Contains(string(d.pool.works[0].Action.Parameters), `\"CORP\\anna\" /delete`) {
		t.Errorf("%d %s", code, body)
	}
}

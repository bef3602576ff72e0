package console

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/casementhq/casement/pool"
)

func (d *desk) names() (list []string) {
	all, _ := d.c.fleet.all()
	for _, e := range all {
		list = append(list, e.Name)
	}
	return list
}

// A list with an error in line 14 adds nothing and names the line, as a file and as
// text.
func TestImportIsAllOrNothing(t *testing.T) {
	d := newDesk(t).ready()
	b := d.as("oper")
	text := strings.Repeat("# a comment\n", 10) + "web01.corp.example\nweb02.corp.example\nweb03.corp.example\nsrv 09!\nweb05.corp.example\n"
	a, page := d.post(b, "/servers/add", url.Values{"tab": {"import"}, "text": {text}, "do": {"add"}})
	if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, "line 14") || !strings.Contains(page, "Nothing was added") {
		t.Errorf("as text: %s %s", a.Status, page)
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for k, v := range map[string]string{"tab": "import", "do": "add"} {
		if err := w.WriteField(k, v); err != nil {
			t.Fatal(err)
		}
	}
	f, err := w.CreateFormFile("file", "servers.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	a, page = d.send(b, http.MethodPost, "/servers/add", &form, "Content-Type", w.FormDataContentType(), "Sec-Fetch-Site", "same-origin")
	if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, "line 14") {
		t.Errorf("as a file: %s %s", a.Status, page)
	}
	if n := d.names(); len(n) != 0 {
		t.Errorf("the pool has %v", n)
	}
}

// A server is tested before it is added: one that does not answer is shown with why,
// and is added when somebody wants it all the same.
func TestServersAreTestedBeforeAdding(t *testing.T) {
	d := newDesk(t, entry("there")).ready()
	b := d.as("oper")
	list := `[{"name":"silent","address":"127.0.0.1","endpoint":"http://127.0.0.1:1/wsman"},{"name":"There"}]`
	form := url.Values{"tab": {"name"}, "list": {list}, "pick": {"silent"}, "do": {"add"}, "tags": {"web tokyo"}}
	a, page := d.post(b, "/servers/add", form)
	if a.StatusCode != http.StatusOK || !strings.Contains(page, `badge blocked`) || !strings.Contains(page, "Add 1 server") {
		t.Fatalf("the first time: %s %s", a.Status, page)
	}
	if n := d.names(); len(n) != 1 {
		t.Errorf("the pool has %v", n)
	}
	form.Set("tested", "1")
	if a, page = d.post(b, "/servers/add", form); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("the second time: %s %s", a.Status, page)
	}
	waitFor(t, "the server", func() bool { return len(d.names()) == 2 })
	e, _ := d.c.fleet.get("silent")
	if e.AddedBy != `HOST\oper` || strings.Join(e.Tags, " ") != "tokyo web" && strings.Join(e.Tags, " ") != "web tokyo" || e.Endpoint != "http://127.0.0.1:1/wsman" {
		t.Errorf("it is %+v", e.Server)
	}
	form.Set("pick", "There")
	if a, _ = d.post(b, "/servers/add", form); a.StatusCode == http.StatusSeeOther {
		t.Error("one that is there already is added")
	}
}

// Empty states and unknown names say what is so and what to do: spec/console.md 3.4,
// 3.8.
func TestEmptyAndUnknown(t *testing.T) {
	d := newDesk(t).ready()
	b := d.as("oper")
	for path, want := range map[string]string{
		"/":        "The pool is empty. Add the first server, or import a list.",
		"/servers": "The pool is empty. Add the first server, or import a list.",
		"/work":    "No work yet.",
	} {
		if _, page := d.get(b, path); !strings.Contains(page, want) {
			t.Errorf("%s does not say %q", path, want)
		}
	}
	d = newDesk(t, with(entry("srv07.corp.example"), pool.Online, ""), with(entry("db01"), pool.Online, "")).ready()
	b = d.as("oper")
	_, page := d.get(b, "/servers?q=tag%3Ax")
	if !strings.Contains(page, "No server matches <code>tag:x</code>. 2 without the filter.") {
		t.Error("a filter that keeps nothing")
	}
	if _, page = d.get(b, "/"); !strings.Contains(page, "Nothing needs you. 2 servers, checked now.") {
		t.Errorf("nothing wrong: %s", page)
	}
	a, page := d.get(b, "/servers/srv70")
	if a.StatusCode != http.StatusNotFound || !strings.Contains(page, `href="/servers/srv07.corp.example"`) || strings.Contains(page, `href="/servers/db01"`) {
		t.Errorf("an unknown name: %s %s", a.Status, page)
	}
	if a, _ := d.get(b, "/servers?q=colour%3Ared"); a.StatusCode != http.StatusOK {
		t.Errorf("a filter with an unknown key: %s", a.Status)
	}
}

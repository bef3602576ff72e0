package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/console/internal/machine"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
)

// explorer is what the query explorer shows, on the page of a server and on that of
// many.
type explorer struct {
	Path      string   // of the server whose classes are shown, "" for none
	Server    string   // that server
	Targets   []string // where the query runs: one is answered in place
	Action    string
	Namespace string
	WQL       string
	Find      string
	Names     []string // classes that Find finds
	Below     []string // the namespaces below Namespace, where ?tree asks for them
	Tree      bool
	Class     *machine.Class
	Result    *machine.Table
	Place     *place
	Queries   []SavedQuery
	Object    *objectView
}

const (
	shownRows    = 1000
	shownClasses = 200
	maxQueryText = 4 << 10
)

func (c *Console) registerServerQuery() {
	c.serverTab("query", "serverquery.html", c.loadExplorer)
	c.page("POST /servers/{name}/query", Reader, c.runQuery)
	c.data("GET /servers/{name}/namespaces", Reader, func(rq *request) error { return c.answerAbout(rq, askNamespaces) })
	c.data("GET /servers/{name}/classes", Reader, func(rq *request) error { return c.answerAbout(rq, askClasses) })
	c.data("GET /servers/{name}/classes/{class}", Reader, func(rq *request) error { return c.answerAbout(rq, askClass) })
	c.form("/servers/{name}/object", Operator, c.doInvoke)
	c.registerQuery()
}

func namespaceOf(rq *request) string {
	return cmpOr(strings.TrimSpace(rq.FormValue("ns")), `root\cimv2`)
}

// explorerOf is the explorer of one server, with what the request has for its editor.
func (c *Console) explorerOf(rq *request, e Entry) *explorer {
	return &explorer{Path: serverPath(e.Name, ""), Server: e.Name, Targets: []string{e.Name}, Action: serverPath(e.Name, "query"), Namespace: namespaceOf(rq), Queries: c.prefs(rq).Queries}
}

// loadExplorer shows the editor, and what was looked for. It runs nothing.
func (c *Console) loadExplorer(ctx context.Context, rq *request, e Entry, conn *casement.Connection) (any, bool, error) {
	q := rq.URL.Query()
	d := c.explorerOf(rq, e)
	d.WQL, d.Find, d.Tree = q.Get("wql"), strings.TrimSpace(q.Get("find")), q.Has("tree")
	if q.Get("path") != "" {
		var err error
		d.Object, err = c.loadObject(ctx, rq, e, conn, d.Namespace, q.Get("path"))
		return d, false, err
	}
	if d.Find == "" && q.Get("class") == "" && !d.Tree {
		return d, false, nil
	}
	err := session(ctx, conn, d.Namespace, func(s cim.Session) (err error) {
		switch name := q.Get("class"); {
		case d.Tree:
			d.Below, err = machine.Namespaces(ctx, s)
			return err
		case name != "":
			d.Class, err = machine.ClassOf(ctx, s, name)
			return err
		}
		names, err := machine.Classes(ctx, s)
		for _, n := range names {
			if strings.Contains(strings.ToLower(n), strings.ToLower(d.Find)) && len(d.Names) < shownClasses {
				d.Names = append(d.Names, n)
			}
		}
		return err
	})
	return d, len(d.Names) == shownClasses, err
}

// query is one that is asked of a server, as the page and the API take it.
type query struct {
	Namespace, WQL string
	Limit          int
}

func (q query) check() error {
	if strings.TrimSpace(q.WQL) == "" || len(q.WQL) > maxQueryText {
		return &problem{Status: http.StatusUnprocessableEntity, Title: "No query", Text: "A query has between 1 and " + strconv.Itoa(maxQueryText) + " characters."}
	}
	return nil
}

// ask runs a query, which only reads, and gives the rows to take as they come.
func (c *Console) ask(rq *request, e Entry, q query, take func(columns []string, path string, values []*string) error) (t *machine.Table, err error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	entry := auditlog.Entry{Action: "query", Targets: []string{e.Name}, Parameters: map[string]string{"namespace": q.Namespace, "wql": c.logged(q.WQL)}}
	err = c.act(rq, entry, func(*auditlog.Entry) error {
		_, _, err := c.askServer(rq, e, func(ctx context.Context, _ *request, _ Entry, conn *casement.Connection) (any, bool, error) {
			return nil, false, session(ctx, conn, q.Namespace, func(s cim.Session) (err error) {
				t, err = machine.Query(ctx, s, q.WQL, q.Limit, take)
				return err
			})
		})
		return err
	})
	return t, err
}

// table is ask with all rows in the table.
func (c *Console) table(rq *request, e Entry, q query) (*machine.Table, error) {
	rows, paths := [][]*string{}, []string{}
	t, err := c.ask(rq, e, q, func(_ []string, path string, values []*string) error {
		rows, paths = append(rows, values), append(paths, path)
		return nil
	})
	if t != nil {
		t.Rows, t.Paths = rows, paths
	}
	return t, err
}

// runQuery runs what the editor has: the answer is the page with the rows, a file, or
// to the script the rows one by one.
func (c *Console) runQuery(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	d := c.explorerOf(rq, e)
	d.WQL = strings.TrimRight(rq.PostFormValue("wql"), " \t\r\n")
	q := query{d.Namespace, d.WQL, shownRows}
	if err := q.check(); err != nil {
		return err
	}
	format := rq.PostFormValue("format")
	if format == "csv" || format == "json" {
		q.Limit = machine.MaxRows
	} else if strings.HasPrefix(rq.Request.Header.Get("Accept"), "application/x-ndjson") {
		return c.streamQuery(rq, e, q)
	}
	s := serverPage{Entry: e, Tab: "query", Tabs: serverTabs, Data: d}
	start := time.Now()
	d.Result, err = c.table(rq, e, q)
	s.Took = time.Since(start)
	if err != nil {
		d.Result, d.Place = nil, placeOf(q.WQL, err)
		s.Problem = rq.serverProblem(e, err)
		return c.renderServer(rq, http.StatusOK, "serverquery.html", s)
	}
	switch format {
	case "csv":
		return writeCSV(rq, e.Name, d.Result)
	case "json":
		rq.Header().Set("Content-Disposition", `attachment; filename="rows.json"`)
		return rq.json(http.StatusOK, d.Result)
	}
	s.Cut = d.Result.Cut
	return c.renderServer(rq, http.StatusOK, "serverquery.html", s)
}

// streamQuery answers the script with a line of JSON for the columns, for each row and
// for the end, as they come.
func (c *Console) streamQuery(rq *request, e Entry, q query) error {
	type line struct {
		Columns   []string  `json:"columns,omitempty"`
		Path      string    `json:"path,omitempty"`
		Values    []*string `json:"values,omitempty"`
		Done      bool      `json:"done,omitempty"`
		Rows      int       `json:"rows,omitempty"`
		Cut       bool      `json:"cut,omitempty"`
		TookMS    int64     `json:"took_ms,omitempty"`
		Transport string    `json:"transport,omitempty"`
		Problem   string    `json:"problem,omitempty"`
		Place     *place    `json:"place,omitempty"`
	}
	rq.Header().Set("Content-Type", "application/x-ndjson")
	out, flush := json.NewEncoder(rq), http.NewResponseController(rq)
	n, flushed := 0, time.Now()
	t, err := c.ask(rq, e, q, func(columns []string, path string, values []*string) error {
		if n++; n == 1 {
			if err := out.Encode(line{Columns: columns}); err != nil {
				return err
			}
		}
		if err := out.Encode(line{Path: path, Values: values}); err != nil {
			return err
		}
		if n == 1 || time.Since(flushed) > liveGap {
			flushed = time.Now()
			return flush.Flush()
		}
		return nil
	})
	last := line{Done: true, Rows: n, Transport: transportText(e.snapshot().Transport)}
	if err != nil {
		p := rq.serverProblem(e, err)
		last.Problem, last.Place = p.Error(), placeOf(q.WQL, err)
	} else {
		last.Cut, last.TookMS = t.Cut, t.TookMS
	}
	_ = out.Encode(last) //nolint:errcheck // the browser has gone
	return nil
}

// writeCSV answers with a file for a spreadsheet, in which no text is a formula.
func writeCSV(rq *request, name string, t *machine.Table) error {
	rq.Header().Set("Content-Type", "text/csv; charset=utf-8")
	rq.Header().Set("Content-Disposition", `attachment; filename="rows.csv"`)
	w := csv.NewWriter(rq)
	line := []string{"Server"}
	for _, name := range t.Columns {
		line = append(line, lists.Defused(name))
	}
	_ = w.Write(line)
	for _, row := range t.Rows {
		line = append(line[:0], lists.Defused(name))
		for _, v := range row {
			if v == nil {
				line = append(line, "")
			} else {
				line = append(line, lists.Defused(*v))
			}
		}
		_ = w.Write(line)
	}
	w.Flush()
	return nil // who asked may have gone
}

// What the editor and the trees are filled with.

func askNamespaces(ctx context.Context, _ *request, s cim.Session) (any, error) {
	list, err := machine.Namespaces(ctx, s)
	if list == nil {
		list = []string{}
	}
	return list, err
}

func askClasses(ctx context.Context, _ *request, s cim.Session) (any, error) {
	list, err := machine.Classes(ctx, s)
	if list == nil {
		list = []string{}
	}
	return list, err
}

func askClass(ctx context.Context, rq *request, s cim.Session) (any, error) {
	return machine.ClassOf(ctx, s, rq.PathValue("class"))
}

type asker func(ctx context.Context, rq *request, s cim.Session) (any, error)

// about asks a server something in a namespace.
func (c *Console) about(rq *request, e Entry, namespace string, ask asker) (any, error) {
	v, _, err := c.askServer(rq, e, func(ctx context.Context, rq *request, _ Entry, conn *casement.Connection) (v any, _ bool, err error) {
		err = session(ctx, conn, namespace, func(s cim.Session) (err error) {
			v, err = ask(ctx, rq, s)
			return err
		})
		return v, false, err
	})
	if err != nil {
		return nil, rq.serverProblem(e, err)
	}
	return v, nil
}

func (c *Console) answerAbout(rq *request, ask asker) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	v, err := c.about(rq, e, namespaceOf(rq), ask)
	if err != nil {
		writeProblem(rq, rq.problemOf(err))
		return nil
	}
	return rq.json(http.StatusOK, v)
}

// objectView is one object with what it is associated with, and what was called of it.
type objectView struct {
	*machine.Object

	Namespace   string
	Links       []machine.Link
	More        bool   // there are more of them
	LinkProblem string // why there are none
	Outcome     *outcome
}

// pathOf reads the path of an object, which may name its namespace.
func pathOf(namespace, text string) (cim.ObjectPath, string, error) {
	path, err := cim.ParsePath(text)
	if err != nil || path.IsClass() || len(text) > 8<<10 {
		return path, "", &problem{Status: http.StatusUnprocessableEntity, Title: "Not a path", Text: "This is not the path of an object: " + inOneLine(text) + "."}
	}
	namespace = cmpOr(path.Namespace, namespace)
	path.Server, path.Namespace = "", ""
	return path, namespace, nil
}

func (c *Console) loadObject(ctx context.Context, rq *request, e Entry, conn *casement.Connection, namespace, text string) (*objectView, error) {
	path, namespace, err := pathOf(namespace, text)
	if err != nil {
		return nil, err
	}
	d := &objectView{Namespace: namespace}
	err = session(ctx, conn, namespace, func(s cim.Session) (err error) {
		if d.Object, err = machine.ObjectOf(ctx, s, path); err != nil {
			return err
		}
		few, cancel := context.WithTimeout(ctx, serverPatience/2)
		defer cancel()
		if d.Links, d.More, err = machine.Associated(few, s, path); err != nil {
			d.LinkProblem = rq.problemOf(err).Text
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if id := rq.URL.Query().Get("work"); id != "" {
		if w, results, err := c.pool.Work(ctx, id); err == nil && w.Action.Kind == pool.KindInvoke && slices.Contains(w.Targets, e.Name) && len(results) > 0 {
			o := outcome{Work: w, Result: results[0], Open: results[0].Ended.IsZero()}
			o.Output, _ = c.pool.Output(ctx, id, e.Name) //nolint:errcheck // there may be none
			d.Outcome = &o
		}
	}
	return d, nil
}

// Link is the page of an object.
func (d *explorer) Link(path string) string {
	return d.Action + "?" + url.Values{"ns": {d.Namespace}, "path": {path}}.Encode()
}

// Parents are a namespace's own path, from root on, without itself.
func (d *explorer) Parents() []string {
	var list []string
	for n, r := range d.Namespace {
		if r == '\\' {
			list = append(list, d.Namespace[:n])
		}
	}
	return list
}

// doInvoke calls a method of an object, or a static one of a class, after it was
// confirmed.
func (c *Console) doInvoke(rq *request) (result, error) {
	e, err := c.server(rq)
	if err != nil {
		return result{}, err
	}
	p := pool.InvokeParameters{Namespace: namespaceOf(rq), Path: rq.PostForm.Get("path"), Method: rq.PostForm.Get("method"), Arguments: map[string]string{}}
	for name, v := range rq.PostForm {
		if name, ok := strings.CutPrefix(name, "in:"); ok && v[0] != "" {
			p.Arguments[name] = v[0]
		}
	}
	if err := checkInvoke(&p); err != nil {
		return result{}, err
	}
	effect := p.Method + " is called on " + p.Path + " in " + p.Namespace
	for _, name := range keys(p.Arguments) {
		effect += ", " + name + " = " + p.Arguments[name]
	}
	if err := rq.confirm(confirmation{Level: 2, Title: "Invoke " + p.Method + " on " + e.Name, Effect: effect + ". What a method does is not known here, and nothing takes it back.", List: []string{e.Name}, Do: "Invoke"}); err != nil {
		return result{}, err
	}
	o, err := c.invoke(rq, e, p)
	if err != nil {
		return result{}, err
	}
	to := serverPath(e.Name, "query") + "?" + url.Values{"ns": {p.Namespace}, "path": {p.Path}, "work": {o.Work.ID}}.Encode()
	if o.Open || !strings.Contains(p.Path, "=") {
		to = workPage(o.Work.ID)
	}
	return result{Message: p.Method + " on " + e.Name + ": " + strings.TrimSpace(o.Result.Words+" "+o.Result.Code) + ".", Location: to, Reload: true}, nil
}

func checkInvoke(p *pool.InvokeParameters) error {
	path, err := cim.ParsePath(p.Path)
	if err != nil || p.Method == "" || len(p.Method) > 256 {
		return &problem{Status: http.StatusUnprocessableEntity, Title: "Not understood", Text: "A path and a method are needed."}
	}
	for name := range p.Arguments {
		if low := strings.ToLower(name); strings.Contains(low, "password") || strings.Contains(low, "secret") {
			return &problem{Status: http.StatusUnprocessableEntity, Title: "Not sent", Text: name + " would be kept in the list of work, where no password belongs.", Next: "`casement invoke` calls the method without keeping anything."}
		}
	}
	p.Namespace = cmpOr(path.Namespace, p.Namespace)
	path.Server, path.Namespace = "", ""
	p.Path = path.Relative()
	return nil
}

// invoke is the operation of the page and of the API.
func (c *Console) invoke(rq *request, e Entry, p pool.InvokeParameters) (outcome, error) {
	if err := c.mayShell(rq); err != nil {
		return outcome{}, err
	}
	a, err := actionOf(pool.KindInvoke, p)
	if err != nil {
		return outcome{}, err
	}
	entry := auditlog.Entry{Action: "invoke", Parameters: map[string]string{"namespace": p.Namespace, "path": p.Path, "method": p.Method}}
	for name, v := range p.Arguments {
		entry.Parameters["in "+name] = c.logged(v)
	}
	return c.perform(rq, entry, a, e, p.Method+" of "+p.Path+" on "+e.Name)
}

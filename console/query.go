package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
)

// queryPage is the explorer for many servers: where a query runs is chosen, classes
// are those of one of them.
type queryPage struct {
	*explorer

	All   []string // the servers of the pool
	Whole bool
	// Chosen tells that Targets are a selection, and not to be chosen here.
	Chosen bool
	Run    *queryRun
}

// Explorer is the part that the page of a server has, too.
func (p queryPage) Explorer() *explorer { return p.explorer }

// queryRun is a query that ran on many servers, or still does.
type queryRun struct {
	View    workView
	Columns []string
	Rows    []queryRow
	More    int // rows that are not shown
	Failed  []pool.Result
	Cut     []string // servers that have more rows
}

// queryRow is a row with where it is from.
type queryRow struct {
	Server string
	Values []*string
}

func (c *Console) registerQuery() {
	c.page("GET /query", Reader, c.queryPage)
	c.page("POST /query", Reader, c.startQuery)
	c.page("GET /query/rows.csv", Reader, func(rq *request) error { return c.exportRows(rq, "csv") })
	c.page("GET /query/rows.json", Reader, func(rq *request) error { return c.exportRows(rq, "json") })
	c.form("/query/save", Reader, c.saveQuery)
	c.live.follow("query", source{role: Reader, every: time.Second, may: func(rq *request, id string) bool {
		list, err := c.allWorks(rq.Context())
		return err == nil && slices.ContainsFunc(list, func(w pool.Work) bool { return w.ID == id })
	}, load: func(ctx context.Context, id string) (any, error) {
		w, _, err := c.pool.Work(ctx, id)
		v := viewOf(w, nil)
		return map[string]any{"done": err == nil && !v.Open, "text": v.Text}, err
	}})
}

// targetsOf are the servers that a request names, all for *.
func (c *Console) targetsOf(list []string) ([]string, error) {
	if slices.Contains(list, "*") {
		all, _ := c.fleet.all()
		return namesOf(all), nil
	}
	known, err := c.known(slices.DeleteFunc(slices.Clone(list), func(n string) bool { return n == "" }))
	return namesOf(known), err
}

func (c *Console) queryPage(rq *request) error {
	q := rq.URL.Query()
	list, whole := c.fleet.all()
	p := queryPage{explorer: &explorer{Action: "/query", Namespace: namespaceOf(rq), WQL: q.Get("wql"), Queries: c.prefs(rq).Queries}, All: namesOf(list), Whole: whole}
	if id := q.Get("work"); id != "" {
		run, params, err := c.queryRun(rq.Context(), id, shownRows)
		if err != nil {
			return err
		}
		p.Run, p.Targets, p.Chosen = run, run.View.Targets, true
		p.Namespace, p.WQL = cmpOr(params.Namespace, p.Namespace), params.WQL
	}
	if on := append(q["on"], q["server"]...); len(on) > 0 && !(len(on) == 1 && (on[0] == "*" || on[0] == "")) { // "server" is how the table of servers names its selection
		var err error
		if p.Targets, err = c.targetsOf(on); err != nil {
			return err
		}
		p.Chosen = true
		if len(p.Targets) == 1 {
			v := url.Values{"ns": {p.Namespace}}
			if p.WQL != "" {
				v.Set("wql", p.WQL)
			}
			http.Redirect(rq, rq.Request, serverPath(p.Targets[0], "query")+"?"+v.Encode(), http.StatusSeeOther)
			return nil
		}
	}
	for _, e := range list { // whose classes are shown: the first that answers
		if e.Level() == pool.LevelOK && (len(p.Targets) == 0 || slices.Contains(p.Targets, e.Name)) {
			p.Path, p.Server = serverPath(e.Name, ""), e.Name
			break
		}
	}
	c.render(rq, http.StatusOK, "query.html", page{Title: "Query", Nav: "/query", Data: p, Wide: true, Command: queryCommand(p)})
	return nil
}

func queryCommand(p queryPage) []string {
	if p.WQL == "" || strings.Contains(p.WQL, "\n") {
		return nil
	}
	on := "all"
	if len(p.Targets) > 0 && len(p.Targets) < 20 {
		on = strings.Join(p.Targets, ",")
	}
	return []string{"casement pool query " + on + " " + shellWord(p.WQL)}
}

// shellWord quotes a text for a line that somebody copies to a shell: a link may have
// brought it. Double quotes, which are the easier to read, are for those that mean the
// same in every shell.
func shellWord(s string) string {
	if strings.ContainsAny(s, "\"$`\\!%") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return `"` + s + `"`
}

// startQuery runs what the editor has on several servers, as work of the pool.
func (c *Console) startQuery(rq *request) error {
	if err := rq.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Title: "Not understood", Text: "The form could not be read."}
	}
	targets, err := c.targetsOf(rq.PostForm["on"])
	if err != nil {
		return err
	}
	w, err := c.queryMany(rq, targets, query{namespaceOf(rq), strings.TrimSpace(rq.PostForm.Get("wql")), shownRows})
	if err != nil {
		return err
	}
	http.Redirect(rq, rq.Request, "/query?work="+url.QueryEscape(w.ID), http.StatusSeeOther)
	return nil
}

func (c *Console) queryMany(rq *request, targets []string, q query) (pool.Work, error) {
	if err := q.check(); err != nil {
		return pool.Work{}, err
	}
	a, err := actionOf(pool.KindQuery, pool.QueryParameters{Namespace: q.Namespace, WQL: q.WQL, Limit: q.Limit})
	if err != nil {
		return pool.Work{}, err
	}
	return c.start(rq, auditlog.Entry{Action: "query", Parameters: map[string]string{"namespace": q.Namespace, "wql": c.logged(q.WQL)}}, a, targets)
}

// queryRun reads what the servers answered to a query, at most so many rows.
func (c *Console) queryRun(ctx context.Context, id string, most int) (*queryRun, pool.QueryParameters, error) {
	var params pool.QueryParameters
	w, results, err := c.pool.Work(ctx, id)
	if err != nil {
		return nil, params, err
	}
	if w.Action.Kind != pool.KindQuery || json.Unmarshal(w.Action.Parameters, &params) != nil {
		return nil, params, &problem{Status: http.StatusNotFound, Title: "Not found", Text: "Work " + id + " is no query."}
	}
	r := &queryRun{View: viewOf(w, results)}
	results = slices.Clone(results)
	slices.SortFunc(results, func(a, b pool.Result) int {
		return strings.Compare(strings.ToLower(a.Server), strings.ToLower(b.Server))
	})
	at := map[string]int{}
	for _, one := range results {
		switch {
		case one.Ended.IsZero():
			continue
		case one.State != pool.Done:
			r.Failed = append(r.Failed, one)
			continue
		case one.Cut:
			r.Cut = append(r.Cut, one.Server)
		}
		text, err := c.pool.Output(ctx, id, one.Server)
		if err != nil {
			continue // no row
		}
		for line := range strings.Lines(text) {
			names, values, err := rowOf(line)
			if err != nil {
				continue
			}
			if len(r.Rows) == most {
				r.More++
				continue
			}
			row := queryRow{Server: one.Server, Values: make([]*string, len(r.Columns), max(len(r.Columns), len(names)))}
			for n, name := range names {
				col, known := at[strings.ToLower(name)]
				if !known && len(r.Columns) == mostColumns {
					continue
				}
				if !known {
					col = len(r.Columns)
					at[strings.ToLower(name)] = col
					r.Columns = append(r.Columns, name)
				}
				for len(row.Values) <= col {
					row.Values = append(row.Values, nil)
				}
				row.Values[col] = values[n]
			}
			r.Rows = append(r.Rows, row)
		}
	}
	for n := range r.Rows { // those from before a column was known
		for len(r.Rows[n].Values) < len(r.Columns) {
			r.Rows[n].Values = append(r.Rows[n].Values, nil)
		}
	}
	return r, params, nil
}

// mostColumns bounds the columns of the rows of all servers together: each row has all.
const mostColumns = 256

var errNoRow = errors.New("this is no row")

// rowOf reads a row as the pool writes it, with the properties in their order; nil is
// NULL.
func rowOf(line string) (names []string, values []*string, err error) {
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errNoRow
	}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, nil, errNoRow
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, nil, err
		}
		names = append(names, name)
		var text string
		switch {
		case string(raw) == "null":
			values = append(values, nil)
			continue
		case json.Unmarshal(raw, &text) != nil:
			text = string(raw)
		}
		values = append(values, &text)
	}
	if _, err := d.Token(); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	return names, values, nil
}

// exportRows writes the rows of all servers as a file.
func (c *Console) exportRows(rq *request, format string) error {
	run, _, err := c.queryRun(rq.Context(), rq.URL.Query().Get("work"), 1_000_000)
	if err != nil {
		return err
	}
	return c.act(rq, auditlog.Entry{Action: "export", Work: run.View.ID, Parameters: map[string]string{"what": "rows of a query"}}, func(*auditlog.Entry) error {
		rq.Header().Set("Content-Disposition", `attachment; filename="rows.`+format+`"`)
		if format == "json" {
			rows := make([]map[string]*string, len(run.Rows))
			for n, r := range run.Rows {
				rows[n] = map[string]*string{"Server": &run.Rows[n].Server}
				for k, v := range r.Values {
					rows[n][run.Columns[k]] = v
				}
			}
			return rq.json(http.StatusOK, rows)
		}
		rq.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w := csv.NewWriter(rq)
		line := []string{"Server"}
		for _, name := range run.Columns {
			line = append(line, lists.Defused(name))
		}
		_ = w.Write(line) //nolint:errcheck // who asked has gone
		for _, r := range run.Rows {
			line := append(line[:0], lists.Defused(r.Server))
			for _, v := range r.Values {
				if v == nil {
					line = append(line, "")
				} else {
					line = append(line, lists.Defused(*v))
				}
			}
			_ = w.Write(line) //nolint:errcheck // who asked has gone
		}
		w.Flush()
		return nil
	})
}

// saveQuery keeps what the editor has under a name, or forgets it.
func (c *Console) saveQuery(rq *request) (result, error) {
	name, back := strings.TrimSpace(rq.PostForm.Get("name")), local(rq.PostForm.Get("back"))
	if rq.PostForm.Get("forget") != "" {
		return result{Message: "Forgot the query " + name + ".", Location: back, Reload: true}, c.keepQuery(rq, name, nil)
	}
	q := query{namespaceOf(rq), strings.TrimSpace(rq.PostForm.Get("wql")), 0}
	if u, err := url.Parse(back); err == nil && u.Path != "/" {
		v := u.Query()
		v.Set("ns", q.Namespace)
		v.Set("wql", q.WQL)
		v.Del("work")
		u.RawQuery = v.Encode()
		back = u.String()
	}
	return result{Message: "Saved the query " + name + ".", Location: back, Reload: true}, c.keepQuery(rq, name, &q)
}

// keepQuery saves a query under a name; nil forgets the one that has it.
func (c *Console) keepQuery(rq *request, name string, q *query) error {
	p := c.prefs(rq)
	if name == "" || len(name) > 60 {
		return &problem{Status: http.StatusUnprocessableEntity, Title: "Not saved", Text: "A saved query needs a name, of at most 60 characters."}
	}
	had := len(p.Queries)
	p.Queries = slices.DeleteFunc(p.Queries, func(s SavedQuery) bool { return strings.EqualFold(s.Name, name) })
	switch {
	case q == nil && len(p.Queries) == had:
		return &problem{Status: http.StatusNotFound, Title: "Not found", Text: "There is no saved query " + name + "."}
	case q != nil:
		if err := q.check(); err != nil {
			return err
		}
		p.Queries = append(p.Queries, SavedQuery{name, q.Namespace, q.WQL})
		slices.SortFunc(p.Queries, func(a, b SavedQuery) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	}
	return c.savePrefs(rq.Context(), rq.who.Account, p)
}

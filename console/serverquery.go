package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/console/internal/machine"
	"github.com/casementhq/casement/pool"
)

// queryData is what the query explorer shows.
type queryData struct {
	Namespace string
	WQL       string
	Find      string
	Names     []string // classes that Find finds
	Class     *machine.Class
	Result    *machine.Table
	Ran       bool
	Limit     int
}

const (
	shownRows    = 1000
	shownClasses = 200
	maxQueryText = 4 << 10
)

func (c *Console) registerServerQuery() {
	c.serverTab("query", "serverquery.html", c.loadExplorer)
	c.page("POST /servers/{name}/query", Reader, c.runQuery)
	c.data("GET /servers/{name}/classes", Reader, c.classNames)
	c.data("GET /servers/{name}/classes/{class}", Reader, c.classDefinition)
	c.page("GET /query", Reader, c.queryPage)
	c.page("POST /query", Reader, c.goToQuery)
}

func namespaceOf(rq *request) string {
	return cmpOr(strings.TrimSpace(rq.FormValue("ns")), `root\cimv2`)
}

// loadExplorer shows the editor, and what was looked for. It runs nothing.
func (c *Console) loadExplorer(ctx context.Context, rq *request, _ Entry, conn *casement.Connection) (any, bool, error) {
	q := rq.URL.Query()
	d := &queryData{Namespace: namespaceOf(rq), WQL: q.Get("wql"), Find: strings.TrimSpace(q.Get("find")), Limit: shownRows}
	if d.Find == "" && q.Get("class") == "" {
		return d, false, nil
	}
	err := session(ctx, conn, d.Namespace, func(s cim.Session) error {
		if name := q.Get("class"); name != "" {
			var err error
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

// runQuery runs what the editor has, which only reads: the answer is the page with
// the rows, or a file.
func (c *Console) runQuery(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	d := &queryData{Namespace: namespaceOf(rq), WQL: strings.TrimSpace(rq.PostFormValue("wql")), Ran: true, Limit: shownRows}
	if d.WQL == "" || len(d.WQL) > maxQueryText {
		return &problem{Status: http.StatusBadRequest, Text: "A query has between 1 and " + strconv.Itoa(maxQueryText) + " characters."}
	}
	format := rq.PostFormValue("format")
	if format == "csv" || format == "json" {
		d.Limit = machine.MaxRows
	}
	s := serverPage{Entry: e, Tab: "query", Tabs: serverTabs}
	start := time.Now()
	err = c.act(rq, auditlog.Entry{Action: "query", Targets: []string{e.Name}, Parameters: map[string]string{"namespace": d.Namespace, "wql": d.WQL}}, func(*auditlog.Entry) error {
		_, _, err := c.askServer(rq, e, func(ctx context.Context, _ *request, _ Entry, conn *casement.Connection) (any, bool, error) {
			return nil, false, session(ctx, conn, d.Namespace, func(s cim.Session) (err error) {
				var rows [][]*string
				var paths []string
				d.Result, err = machine.Query(ctx, s, d.WQL, d.Limit, func(path string, values []*string) error {
					rows, paths = append(rows, values), append(paths, path)
					return nil
				})
				d.Result.Rows, d.Result.Paths = rows, paths
				return err
			})
		})
		return err
	})
	s.Took, s.Data = time.Since(start), d
	if err != nil {
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

// writeCSV answers with a file for a spreadsheet, in which no text is a formula.
func writeCSV(rq *request, name string, t *machine.Table) error {
	rq.Header().Set("Content-Type", "text/csv; charset=utf-8")
	rq.Header().Set("Content-Disposition", `attachment; filename="rows.csv"`)
	w := csv.NewWriter(rq)
	_ = w.Write(append([]string{"Server"}, t.Columns...))
	for _, row := range t.Rows {
		line := make([]string, 1, len(row)+1)
		line[0] = defused(name)
		for _, v := range row {
			if v == nil {
				line = append(line, "")
			} else {
				line = append(line, defused(*v))
			}
		}
		_ = w.Write(line)
	}
	w.Flush()
	return nil // who asked may have gone
}

// defused is a text that no spreadsheet takes for a formula. See spec/console.md 4.
func defused(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// classNames and classDefinition are what the editor completes with.
func (c *Console) classNames(rq *request) error {
	return c.askClasses(rq, func(ctx context.Context, s cim.Session) (any, error) { return machine.Classes(ctx, s) })
}

func (c *Console) classDefinition(rq *request) error {
	return c.askClasses(rq, func(ctx context.Context, s cim.Session) (any, error) {
		return machine.ClassOf(ctx, s, rq.PathValue("class"))
	})
}

func (c *Console) askClasses(rq *request, ask func(context.Context, cim.Session) (any, error)) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	v, _, err := c.askServer(rq, e, func(ctx context.Context, _ *request, _ Entry, conn *casement.Connection) (v any, _ bool, err error) {
		err = session(ctx, conn, namespaceOf(rq), func(s cim.Session) (err error) {
			v, err = ask(ctx, s)
			return err
		})
		return v, false, err
	})
	if err != nil {
		return rq.serverProblem(e, err)
	}
	return rq.json(http.StatusOK, v)
}

// queryPage asks on which server a query is to run.
func (c *Console) queryPage(rq *request) error {
	list, whole := c.fleet.all()
	names := make([]string, len(list))
	for n, e := range list {
		names[n] = e.Name
	}
	c.render(rq, http.StatusOK, "query.html", page{Title: "Query", Nav: "/query", Data: map[string]any{
		"Names": names, "Whole": whole, "WQL": rq.URL.Query().Get("wql"), "Namespace": namespaceOf(rq), "On": rq.URL.Query().Get("on"),
	}})
	return nil
}

// goToQuery leads to the explorer of a server, with the query in its editor; several
// servers, or all, are work of the pool.
func (c *Console) goToQuery(rq *request) error {
	wql, namespace := strings.TrimSpace(rq.PostFormValue("wql")), namespaceOf(rq)
	list, _ := c.fleet.all()
	var targets []string
	for _, e := range list {
		if rq.PostFormValue("on") == "*" || strings.EqualFold(e.Name, rq.PostFormValue("on")) {
			targets = append(targets, e.Name)
		}
	}
	switch {
	case wql == "" || len(wql) > maxQueryText:
		return &problem{Status: http.StatusBadRequest, Text: "A query has between 1 and " + strconv.Itoa(maxQueryText) + " characters."}
	case len(targets) == 0:
		return c.noServer(rq.PostFormValue("on"))
	}
	raw, err := json.Marshal(pool.QueryParameters{Namespace: namespace, WQL: wql, Limit: shownRows})
	if err != nil {
		return err
	}
	var work pool.Work
	err = c.act(rq, auditlog.Entry{Action: "query", Targets: targets, Parameters: map[string]string{"namespace": namespace, "wql": wql}}, func(entry *auditlog.Entry) (err error) {
		work, err = c.pool.Start(rq.Context(), pool.Action{Kind: pool.KindQuery, Parameters: raw}, targets, rq.who.User)
		entry.Work = work.ID
		return err
	})
	if err != nil {
		return err
	}
	http.Redirect(rq, rq.Request, workPage(work.ID), http.StatusSeeOther)
	return nil
}

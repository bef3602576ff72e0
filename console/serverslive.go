package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// tableInterval is how often the order of a table is looked at while somebody follows it.
const tableInterval = 2 * time.Second

// tablePart is a part of a table: the names of its servers in their order.
type tablePart struct {
	Title string   `json:"title"`
	Names []string `json:"names"`
}

// liveTable tells which servers a table has, in which order; its arg is the path of the
// page with its query. What a row shows is a topic of its own.
func (c *Console) liveTable(_ context.Context, arg string) (any, error) {
	base, query, _ := strings.Cut(arg, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return nil, &problem{Text: "There is no such table."}
	}
	p := c.servers(base, q)
	parts := make([]tablePart, len(p.Parts))
	for n, part := range p.Parts {
		parts[n].Title, parts[n].Names = part.Title, make([]string, len(part.Rows))
		for k, r := range part.Rows {
			parts[n].Names[k] = r.Name
		}
	}
	return map[string]any{"parts": parts, "caption": p.Caption(), "shown": p.Shown, "total": p.Total, "whole": p.Whole}, nil
}

// saveLast keeps what a user chose for a table, for the next time: filter, order, parts
// and columns.
func (c *Console) saveLast(rq *request) error {
	if err := rq.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Title: "Not understood", Text: "The form could not be read."}
	}
	base := rq.PostForm.Get("base")
	q, err := url.ParseQuery(rq.PostForm.Get("query"))
	if _, ok := c.facet(base); !ok || err != nil || len(rq.PostForm.Get("query")) > 2000 || len(base) > 300 {
		return &problem{Status: http.StatusUnprocessableEntity, Title: "Not kept", Text: "This is no table of servers."}
	}
	p := c.prefs(rq)
	table := serversPage{Base: base, Query: strings.TrimSpace(q.Get("q")), Sort: q.Get("sort"), GroupBy: q.Get("group"), Cols: columnsOf(q)}
	if p.Columns = table.ColIDs(); p.Columns == defaultColumns() {
		p.Columns = ""
	}
	if p.Last == nil || len(p.Last) > 100 { // of groups that are gone
		p.Last = map[string]string{}
	}
	v := table.values()
	v.Del("cols") // they are those of all tables
	if p.Last[base] = v.Encode(); len(v) == 0 {
		delete(p.Last, base)
	}
	if err := c.savePrefs(rq.Context(), rq.who.Account, p); err != nil {
		return err
	}
	rq.WriteHeader(http.StatusNoContent)
	return nil
}

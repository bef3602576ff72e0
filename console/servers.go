package console

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
)

// serversPage is the table of servers, as the query of its URL says.
type serversPage struct {
	Title   string
	Base    string // "/servers", "/groups/tokyo"
	Query   string
	Problem string // of the filter
	Sort    string
	Cols    []column
	All     []column
	GroupBy string
	Parts   []serversPart
	Shown   int
	Total   int
	Stale   int
	Whole   bool
	Views   []View
	Select  bool // all of them are selected
	// Credentials are those that servers may be managed as.
	Credentials []pool.Credential
}

// serversPart is a part of the table: one where nothing is grouped.
type serversPart struct {
	Title string
	Rows  []serverRow
}

type serverRow struct {
	Entry

	Key   string // of its topic
	Stale bool
	Cells []cell
}

type cell struct {
	Col column
	F   field
}

func (c *Console) registerServers() {
	c.page("GET /servers", Reader, func(rq *request) error { return c.showServers(rq, "All servers", "/servers", nil) })
	c.page("GET /servers/export", Reader, c.exportServers)
	c.page("GET /groups/{tag}", Reader, func(rq *request) error {
		tag := rq.PathValue("tag")
		return c.showServers(rq, "Group: "+tag, "/groups/"+pathEscape(tag), func(e Entry) bool { return hasTag(e, tag) })
	})
	c.page("GET /roles/{role}", Reader, func(rq *request) error {
		role := rq.PathValue("role")
		return c.showServers(rq, "Role: "+role, "/roles/"+pathEscape(role), func(e Entry) bool { return hasRole(e, role) })
	})
}

// showServers shows the servers that facet keeps; nil keeps all.
func (c *Console) showServers(rq *request, title, base string, facet func(Entry) bool) error {
	p, err := c.serversPage(rq, title, base, facet)
	if err != nil {
		return err
	}
	if facet != nil && p.Total == 0 {
		return c.noFacet(rq, title)
	}
	c.render(rq, http.StatusOK, "servers.html", page{Title: title, Nav: base, Data: p, Wide: true, Command: []string{"casement pool list" + commandFilter(p.Query)}})
	return nil
}

func commandFilter(q string) string {
	if q == "" {
		return ""
	}
	return " '" + strings.ReplaceAll(q, "'", `'\''`) + "'"
}

// noFacet says that no server has a tag or role, and which are like it.
func (c *Console) noFacet(rq *request, title string) error {
	s := c.side("")
	var names []string
	for _, e := range append(slices.Clone(s.Groups), s.Roles...) {
		names = append(names, e.Name)
	}
	name := cmpOr(rq.PathValue("tag"), rq.PathValue("role"))
	return &problem{Status: http.StatusNotFound, Title: "Not found", Text: title + " has no server.", Next: "A group is there while a server has its tag.", Near: near(name, names)}
}

func (c *Console) serversPage(rq *request, title, base string, facet func(Entry) bool) (serversPage, error) {
	q := rq.URL.Query()
	list, whole := c.fleet.all()
	if facet != nil {
		list = pick(list, facet)
	}
	if on := q["on"]; len(on) > 0 {
		list = pick(list, func(e Entry) bool { return slices.Contains(on, e.Name) })
	}
	p := serversPage{Title: title, Base: base, Query: strings.TrimSpace(q.Get("q")), Sort: q.Get("sort"), GroupBy: q.Get("group"), Whole: whole, Total: len(list), All: serverColumns}
	p.Cols = columnsOf(q)
	now := time.Now()
	keep, err := parseFilter(p.Query)
	if err != nil {
		p.Problem = err.Error()
	} else {
		list = pick(list, func(e Entry) bool { return keep(e, now) })
	}
	sortServers(list, p.Sort)
	p.Shown = len(list)
	parts := map[string]int{}
	for _, e := range list {
		r := serverRow{Entry: e, Key: strings.ToLower(e.Name), Stale: e.Stale(now)}
		if r.Stale {
			p.Stale++
		}
		for _, col := range p.Cols {
			r.Cells = append(r.Cells, cell{col, col.cell(e, now)})
		}
		for _, g := range groupsOf(e, p.GroupBy) {
			at, ok := parts[g]
			if !ok {
				at = len(p.Parts)
				parts[g] = at
				p.Parts = append(p.Parts, serversPart{Title: g})
			}
			p.Parts[at].Rows = append(p.Parts[at].Rows, r)
		}
	}
	slices.SortStableFunc(p.Parts, func(a, b serversPart) int { return strings.Compare(a.Title, b.Title) })
	p.Select = q.Get("select") == "all"
	p.Views = c.prefs(rq).Views
	p.Credentials, err = c.pool.Credentials(rq.Context())
	return p, err
}

// columnsOf are the columns that a query asks for; the name is always there.
func columnsOf(q url.Values) []column {
	asked := q["cols"]
	if len(asked) == 1 {
		asked = strings.Split(asked[0], ",")
	}
	var list []column
	for _, col := range serverColumns {
		if len(asked) == 0 && col.Shown || slices.Contains(asked, col.ID) || col.ID == "name" {
			list = append(list, col)
		}
	}
	return list
}

// sortServers sorts by a column, downwards with - before it; by the name else.
func sortServers(list []Entry, by string) {
	id, down := strings.CutPrefix(by, "-")
	if col, ok := columnOf(id); ok {
		slices.SortStableFunc(list, func(a, b Entry) int { return col.compare(a, b, down) })
	}
}

// groupsOf are the parts of the table that a server belongs to.
func groupsOf(e Entry, by string) []string {
	none := func(list []string) []string {
		if len(list) == 0 {
			return []string{unknown}
		}
		return list
	}
	switch by {
	case "state":
		return []string{string(e.State())}
	case "tag":
		return none(e.Tags)
	case "os":
		return []string{cmpOr(osText(e), unknown)}
	case "domain":
		return []string{cmpOr(e.facts().Domain, unknown)}
	case "transport":
		return []string{cmpOr(transportText(e.snapshot().Transport), unknown)}
	case "role":
		var list []string
		for _, r := range e.snapshot().Roles {
			if r.Type == "Role" {
				list = append(list, cmpOr(r.DisplayName, r.Name))
			}
		}
		return none(list)
	default:
		return []string{""}
	}
}

// SortLink is the query that sorts by a column, or the other way round where it
// is sorted by it.
func (p serversPage) SortLink(id string) string {
	by := id
	if p.Sort == id {
		by = "-" + id
	}
	return p.With("sort", by)
}

// AriaSort is that of a header.
func (p serversPage) AriaSort(id string) string {
	switch p.Sort {
	case id:
		return "ascending"
	case "-" + id:
		return "descending"
	}
	return "none"
}

// With is the URL with one value of its query changed, or taken out by "".
func (p serversPage) With(key, value string) string {
	v := url.Values{}
	set := func(k, s string) {
		if s != "" {
			v.Set(k, s)
		}
	}
	set("q", p.Query)
	set("sort", p.Sort)
	set("group", p.GroupBy)
	if ids := p.ColIDs(); ids != defaultColumns() {
		set("cols", ids)
	}
	v.Del(key)
	set(key, value)
	if len(v) == 0 {
		return p.Base
	}
	return p.Base + "?" + v.Encode()
}

// ExportQuery is the query of the URL, for what is not a link.
func (p serversPage) ExportQuery() string {
	_, q, _ := strings.Cut(p.With("", ""), "?")
	return q
}

// ColIDs are the shown columns.
func (p serversPage) ColIDs() string {
	var ids []string
	for _, c := range p.Cols {
		ids = append(ids, c.ID)
	}
	return strings.Join(ids, ",")
}

func defaultColumns() string { return serversPage{Cols: columnsOf(nil)}.ColIDs() }

// Has tells whether a column is shown.
func (p serversPage) Has(id string) bool {
	return slices.ContainsFunc(p.Cols, func(c column) bool { return c.ID == id })
}

// exportServers writes the table as CSV, defused for spreadsheets.
func (c *Console) exportServers(rq *request) error {
	p, err := c.serversPage(rq, "", "/servers", nil)
	if err != nil {
		return err
	}
	if p.Problem != "" {
		return &problem{Status: http.StatusUnprocessableEntity, Title: "Not exported", Text: p.Problem}
	}
	return c.act(rq, auditlog.Entry{Action: "export", Parameters: map[string]string{"what": "servers", "query": p.Query}}, func(*auditlog.Entry) error {
		rq.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rq.Header().Set("Content-Disposition", `attachment; filename="servers.csv"`)
		w := csv.NewWriter(rq)
		var line []string
		for _, col := range p.Cols {
			line = append(line, col.Title)
		}
		_ = w.Write(line) //nolint:errcheck // who asked has gone
		for _, part := range p.Parts {
			for _, r := range part.Rows {
				line = line[:0]
				for _, k := range r.Cells {
					text := k.F.Text
					if k.F.Time != nil {
						text = k.F.Time.UTC().Format(time.RFC3339)
					}
					if text == unknown {
						text = ""
					}
					line = append(line, lists.Defused(text))
				}
				_ = w.Write(line) //nolint:errcheck // who asked has gone
			}
		}
		w.Flush()
		return nil
	})
}

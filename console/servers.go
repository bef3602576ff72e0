package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/pool"
)

// serversPage is the table of servers, as the query of its URL says.
type serversPage struct {
	Title   string
	Base    string   // "/servers", "/groups/tokyo"
	On      []string // the servers that the URL names, where it does
	Query   string
	Problem string // of the filter
	Sort    string
	Cols    []column
	All     []column // the shown ones first
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
	c.page("GET "+serversBase, Reader, func(rq *request) error { return c.showServers(rq, "All servers", serversBase) })
	c.page("GET /servers/export", Reader, c.exportServers)
	c.page("GET /groups/{tag}", Reader, func(rq *request) error {
		return c.showServers(rq, "Group: "+rq.PathValue("tag"), groupsBase+pathEscape(rq.PathValue("tag")))
	})
	c.page("GET /roles/{role}", Reader, func(rq *request) error {
		return c.showServers(rq, "Role: "+rq.PathValue("role"), rolesBase+pathEscape(rq.PathValue("role")))
	})
	c.live.follow("table", source{role: Reader, every: tableInterval, load: c.liveTable})
	c.page("POST /views/last", Reader, c.saveLast)
}

// Where tables of servers are.
const (
	serversBase = "/servers"
	groupsBase  = "/groups/"
	rolesBase   = "/roles/"
)

// facet tells which servers a table of servers is about; nil is all. ok is false where
// there is no such table.
func (c *Console) facet(base string) (keep func(Entry) bool, ok bool) {
	if keep, ok := c.cardFacet(base); ok {
		return keep, true
	}
	if base == serversBase {
		return nil, true
	}
	for prefix, has := range map[string]func(Entry, string) bool{groupsBase: hasTag, rolesBase: hasRole} {
		if name, found := strings.CutPrefix(base, prefix); found {
			name, err := url.PathUnescape(name)
			return func(e Entry) bool { return has(e, name) }, err == nil
		}
	}
	return nil, false
}

// showServers shows a table of servers. Without a query it is the one that the user last
// chose there.
func (c *Console) showServers(rq *request, title, base string) error {
	prefs := c.prefs(rq)
	if last := prefs.Last[base]; rq.URL.RawQuery == "" && last != "" {
		http.Redirect(rq, rq.Request, base+"?"+last, http.StatusSeeOther)
		return nil
	}
	q := rq.URL.Query()
	if !q.Has("cols") && prefs.Columns != "" {
		q.Set("cols", prefs.Columns)
	}
	p := c.servers(base, q)
	p.Title, p.Select, p.Views = title, q.Get("select") == "all", prefs.Views
	var err error
	if p.Credentials, err = c.pool.Credentials(rq.Context()); err != nil {
		return err
	}
	if base != serversBase && p.Total == 0 {
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

// servers is the table of a base, as a query says.
func (c *Console) servers(base string, q url.Values) serversPage {
	list, whole := c.fleet.all()
	if keep, ok := c.facet(base); keep != nil || !ok {
		list = pick(list, func(e Entry) bool { return ok && keep(e) })
	}
	on := q["on"]
	if len(on) > 0 {
		list = pick(list, func(e Entry) bool {
			return slices.ContainsFunc(on, func(n string) bool { return strings.EqualFold(n, e.Name) })
		})
	}
	p := serversPage{Base: base, On: on, Query: strings.TrimSpace(q.Get("q")), Sort: q.Get("sort"), GroupBy: q.Get("group"), Whole: whole, Total: len(list)}
	p.Cols = columnsOf(q)
	p.All = slices.Clone(p.Cols)
	for _, col := range serverColumns {
		if !p.Has(col.ID) {
			p.All = append(p.All, col)
		}
	}
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
	return p
}

// Caption counts what the table shows.
func (p serversPage) Caption() string {
	text := plural(p.Total, "server")
	if p.Query != "" {
		text = countText(p.Shown) + " of " + countText(p.Total) + ", filtered"
	}
	if p.Stale > 0 {
		text += " · " + countText(p.Stale) + " stale"
	}
	return text
}

// columnsOf are the columns that a query asks for, in its order; the name is always
// there, and the first.
func columnsOf(q url.Values) []column {
	asked := q["cols"]
	if len(asked) == 1 {
		asked = strings.Split(asked[0], ",")
	}
	list := []column{serverColumns[0]}
	for _, id := range asked {
		if col, ok := columnOf(id); ok && !slices.ContainsFunc(list, func(have column) bool { return have.ID == id }) {
			list = append(list, col)
		}
	}
	for _, col := range serverColumns[1:] {
		if len(asked) == 0 && col.Shown {
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

// With is the URL with one value of its query changed, or taken out by "". It has a
// query in any case: without one the page is what was last chosen.
func (p serversPage) With(key, value string) string {
	v := p.values()
	v.Del(key)
	if value != "" {
		v.Set(key, value)
	}
	if len(v) == 0 {
		v.Set("q", "")
	}
	return p.Base + "?" + v.Encode()
}

// values are the query of the URL.
func (p serversPage) values() url.Values {
	v := url.Values{}
	for key, text := range map[string]string{"q": p.Query, "sort": p.Sort, "group": p.GroupBy, "cols": p.ColIDs()} {
		if text != "" && (key != "cols" || text != defaultColumns()) {
			v.Set(key, text)
		}
	}
	if len(p.On) > 0 {
		v["on"] = p.On
	}
	return v
}

// ExportQuery is the query of the URL, for what is not a link.
func (p serversPage) ExportQuery() string { return p.values().Encode() }

// Topic is what the script follows to learn which rows there are, in which order.
func (p serversPage) Topic() string {
	v := p.values()
	v.Del("cols")
	return "table:" + p.Base + "?" + v.Encode()
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

package console

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
)

// exportServers writes the table as the page shows it: as CSV that is defused for
// spreadsheets, as JSON, or as a list that can be imported again.
func (c *Console) exportServers(rq *request) error {
	q := rq.URL.Query()
	base := cmpOr(q.Get("base"), serversBase)
	if _, ok := c.facet(base); !ok {
		return &problem{Status: http.StatusNotFound, Title: "Not exported", Text: "There is no such table."}
	}
	p := c.servers(base, q)
	if p.Problem != "" {
		return &problem{Status: http.StatusUnprocessableEntity, Title: "Not exported", Text: p.Problem}
	}
	format := cmpOr(q.Get("format"), "csv")
	return c.act(rq, auditlog.Entry{Action: "export", Parameters: map[string]string{"what": base, "query": p.Query, "format": format}}, func(*auditlog.Entry) error {
		switch format {
		case "csv":
			rq.attach("servers.csv", "text/csv; charset=utf-8")
			p.writeCSV(rq)
			return nil
		case "json":
			rq.attach("servers.json", "application/json")
			list := make([]APIServer, 0, p.Shown)
			for _, e := range p.entries() {
				list = append(list, apiServer(e))
			}
			return rq.json(http.StatusOK, serversAnswer{Total: p.Total, Servers: list})
		case "list":
			var servers []pool.Server
			for _, e := range p.entries() {
				servers = append(servers, e.Server)
			}
			rq.attach("server-list.csv", "text/csv; charset=utf-8")
			return lists.Write(rq, lists.CSV, servers)
		}
		return &problem{Status: http.StatusUnprocessableEntity, Title: "Not exported", Text: "There are the formats csv, json and list."}
	})
}

// attach names the answer as a file.
func (rq *request) attach(name, kind string) {
	rq.Header().Set("Content-Type", kind)
	rq.Header().Set("Content-Disposition", `attachment; filename="`+url.PathEscape(name)+`"`)
}

// entries are the servers of the table in its order, each once.
func (p serversPage) entries() []Entry {
	var list []Entry
	seen := map[string]bool{}
	for _, part := range p.Parts {
		for _, r := range part.Rows {
			if !seen[r.Key] {
				seen[r.Key] = true
				list = append(list, r.Entry)
			}
		}
	}
	return list
}

func (p serversPage) writeCSV(rq *request) {
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
}

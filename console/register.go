package console

import (
	"net/http"
	"slices"
	"strings"
)

// register makes the table of routes, in the order of spec/console.md 3.8.
func (c *Console) register() {
	c.open("GET /assets/{hash}/{name}", c.showAsset)
	c.open("GET /healthz", func(rq *request) error {
		return rq.json(http.StatusOK, map[string]any{"status": "ok"})
	})
	c.registerSignIn()
	c.registerLive()
	c.registerDashboard()
	c.registerServers()
	c.registerServerPages()
	c.registerAdd()
	c.registerActions()
	c.registerWork()
	c.registerRun()
	c.registerAudit()
	c.registerSettings()
	c.registerAPI()
	if c.o.Metrics != nil {
		c.data("GET /metrics", Reader, func(rq *request) error {
			c.o.Metrics.ServeHTTP(rq, rq.Request)
			return nil
		})
	}
	c.page("/", Reader, c.notFound)
}

// notFound names what is like the path that is asked for.
func (c *Console) notFound(rq *request) error {
	p := &problem{Status: http.StatusNotFound, Title: "Not found", Text: "There is no page " + rq.URL.Path + "."}
	if name, ok := strings.CutPrefix(rq.URL.Path, "/servers/"); ok {
		name, _, _ = strings.Cut(name, "/")
		if _, known := c.fleet.get(name); !known {
			return c.noServer(name)
		}
	}
	return p
}

// noServer says that a server is not in the pool, and which names are like its.
func (c *Console) noServer(name string) error {
	list, _ := c.fleet.all()
	names := make([]string, len(list))
	for n, e := range list {
		names[n] = e.Name
		if slices.ContainsFunc(e.Former, func(f string) bool { return strings.EqualFold(f, name) }) {
			return &problem{Status: http.StatusNotFound, Title: "No such server", Text: name + " is called " + e.Name + " now.", Near: []string{e.Name}, Moved: e.Name}
		}
	}
	return &problem{Status: http.StatusNotFound, Title: "No such server", Text: "The pool has no server " + name + ".",
		Next: "It may have been removed or renamed.", Near: near(name, names)}
}

// server finds the one of the path {name}. A name in other letters leads to the one
// that is shown.
func (c *Console) server(rq *request) (Entry, error) {
	e, ok := c.fleet.get(rq.PathValue("name"))
	if !ok {
		return Entry{}, c.noServer(rq.PathValue("name"))
	}
	return e, nil
}

// near are at most five names that are like one, the most alike first.
func near(name string, names []string) []string {
	name = strings.ToLower(name)
	type candidate struct {
		name string
		far  int
	}
	var list []candidate
	for _, n := range names {
		low := strings.ToLower(n)
		far := distance(name, low)
		short, _, _ := strings.Cut(low, ".")
		far = min(far, distance(name, short))
		if far <= max(2, len(name)/3) || len(name) > 2 && strings.Contains(low, name) {
			list = append(list, candidate{n, far})
		}
	}
	var near []string
	for want := 0; len(near) < 5 && want < 64; want++ {
		for _, c := range list {
			if c.far == want && len(near) < 5 {
				near = append(near, c.name)
			}
		}
	}
	return near
}

// distance is how many letters must be put in, taken out or changed.
func distance(a, b string) int {
	const most = 64
	if len(a) > most || len(b) > most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

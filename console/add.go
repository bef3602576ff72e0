package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/doctor"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/find"
	"github.com/casementhq/casement/pool/lists"
)

// Adding servers: by name, from DNS, from a directory, from a list. What was found
// or read stands in one list of selected ones, each is tested, and all are added or
// none.

// addPage is the page with its four tabs.
type addPage struct {
	Tab         string
	Names       string // as typed
	Terms       string
	Directory   directoryForm
	Text        string
	Problem     string
	Notes       []string
	Selected    []selected
	List        string // the selected ones as JSON, for the form
	Tested      bool
	Credential  string
	Tags        string
	Credentials []pool.Credential
	Bound       int // how many are added
}

// selected is a server that may be added, and what a test of it said.
type selected struct {
	Server pool.Server
	Off    string // why it is not taken: it is there already
	Level  string
	Word   string
}

// mostTested bounds how many servers are tested before they are added, testTime how
// long all of that takes.
const (
	mostTested = 200
	testAtOnce = 16
	testTime   = 25 * time.Second
)

var addTabs = []string{"name", "dns", "directory", "import"}

func (c *Console) registerAdd() {
	c.page("GET /servers/add", Reader, func(rq *request) error {
		tab := rq.URL.Query().Get("tab")
		if !slices.Contains(addTabs, tab) {
			tab = "name"
		}
		return c.renderAdd(rq, http.StatusOK, addPage{Tab: tab, Names: rq.URL.Query().Get("names"), Tags: rq.URL.Query().Get("tags")})
	})
	c.page("POST /servers/add", Operator, c.postAdd)
}

func (c *Console) renderAdd(rq *request, status int, p addPage) error {
	creds, err := c.pool.Credentials(rq.Context())
	if err != nil {
		return err
	}
	p.Credentials = creds
	var servers []pool.Server
	for _, s := range p.Selected {
		if s.Off == "" {
			servers = append(servers, s.Server)
		}
	}
	p.Bound = len(servers)
	b, err := json.Marshal(servers)
	if err != nil {
		return err
	}
	p.List = string(b)
	c.render(rq, status, "add.html", page{Title: "Add servers", Nav: "/servers", Data: p, Wide: true, Command: []string{"casement pool add NAME...", "casement pool import FILE"}})
	return nil
}

// postAdd reads what the tab has, tests it, and adds it when it was tested.
func (c *Console) postAdd(rq *request) error {
	if err := rq.ParseMultipartForm(maxBody); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return &problem{Status: http.StatusBadRequest, Title: "Not understood", Text: "The form could not be read; at most 8 MiB are taken."}
	}
	if rq.MultipartForm != nil {
		defer rq.MultipartForm.RemoveAll() //nolint:errcheck // the system clears it
	}
	p := addPage{Tab: rq.Form.Get("tab"), Names: rq.Form.Get("names"), Terms: rq.Form.Get("terms"), Directory: directoryOf(rq.Form), Text: rq.Form.Get("text"), Credential: rq.Form.Get("credential"), Tags: rq.Form.Get("tags")}
	if !slices.Contains(addTabs, p.Tab) {
		p.Tab = "name"
	}
	servers, err := c.readAdd(rq, &p)
	if err != nil {
		var known *problem
		if !errors.As(err, &known) {
			known = rq.problemOf(err)
		}
		p.Problem = known.Error()
		return c.renderAdd(rq, known.Status, p)
	}
	tags := strings.FieldsFunc(strings.ToLower(p.Tags), func(r rune) bool { return r == ' ' || r == ',' })
	for n := range servers {
		servers[n].Tags = append(servers[n].Tags, tags...)
		if p.Credential != "" {
			servers[n].Credential = p.Credential
		}
	}
	do := rq.Form.Get("do")
	if do == "add" && (rq.Form.Get("tested") != "" || len(servers) > mostTested) {
		if err := c.addServers(rq, servers); err != nil {
			p.Selected, p.Problem = c.selection(servers), rq.problemOf(err).Error()
			return c.renderAdd(rq, rq.problemOf(err).Status, p)
		}
		c.setFlash(rq, result{Message: "Added " + plural(len(servers), "server") + "; they are being asked."})
		http.Redirect(rq, rq.Request, "/servers", http.StatusSeeOther)
		return nil
	}
	done, err := c.asks.begin(rq.who.User)
	if err != nil {
		return err
	}
	defer done()
	p.Selected = c.selection(servers)
	fine := c.testAll(rq.Context(), p.Selected)
	p.Tested = true
	if do == "add" && fine {
		if err := c.addServers(rq, servers); err != nil {
			p.Problem = rq.problemOf(err).Error()
			return c.renderAdd(rq, rq.problemOf(err).Status, p)
		}
		c.setFlash(rq, result{Message: "Added " + plural(len(servers), "server") + "; all of them answer."})
		http.Redirect(rq, rq.Request, "/servers", http.StatusSeeOther)
		return nil
	}
	return c.renderAdd(rq, http.StatusOK, p)
}

// readAdd makes servers of what was typed, found, read or picked.
func (c *Console) readAdd(rq *request, p *addPage) ([]pool.Server, error) {
	if raw := rq.Form.Get("list"); raw != "" && rq.Form.Get("do") != "find" {
		return pickedServers(raw, rq.Form["pick"])
	}
	switch p.Tab {
	case "dns":
		return findDNS(rq.Context(), p)
	case "directory":
		return c.findDirectory(rq, p)
	case "import":
		text, name := p.Text, ""
		if f, h, err := rq.FormFile("file"); err == nil {
			defer f.Close() //nolint:errcheck // it was read only
			l, err := lists.Read(f, "", h.Filename)
			return taken(l, err, p)
		}
		if strings.TrimSpace(text) == "" {
			return nil, &problem{Status: http.StatusUnprocessableEntity, Text: "No file was chosen and no list was pasted."}
		}
		l, err := lists.Read(strings.NewReader(text), "", name)
		return taken(l, err, p)
	default:
		if strings.TrimSpace(p.Names) == "" {
			return nil, &problem{Status: http.StatusUnprocessableEntity, Text: "No name is typed."}
		}
		l, err := lists.Read(strings.NewReader(p.Names), "", "")
		return taken(l, err, p)
	}
}

// taken is what a list has; an error names its line, and nothing is added.
func taken(l *lists.List, err error, p *addPage) ([]pool.Server, error) {
	var wrong *lists.Error
	switch {
	case errors.As(err, &wrong):
		return nil, &problem{Status: http.StatusUnprocessableEntity, Text: strings.TrimSuffix(wrong.Error(), ".") + ".", Next: "Nothing was added."}
	case err != nil:
		return nil, &problem{Status: http.StatusUnprocessableEntity, Text: "The list cannot be read.", Next: "Nothing was added.", Err: err}
	}
	for _, n := range l.Notes {
		p.Notes = append(p.Notes, n.String())
	}
	if len(l.Servers) == 0 {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Text: "The list names no server."}
	}
	return l.Servers, nil
}

// pickedServers are those of the form's list that are ticked.
func pickedServers(raw string, picks []string) ([]pool.Server, error) {
	var all []pool.Server
	if err := json.Unmarshal([]byte(raw), &all); err != nil {
		return nil, &problem{Status: http.StatusBadRequest, Text: "The list of the form cannot be read."}
	}
	picked := slices.DeleteFunc(all, func(s pool.Server) bool { return !slices.Contains(picks, s.Name) })
	if len(picked) == 0 {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Text: "No server is selected."}
	}
	return picked, nil
}

func findDNS(ctx context.Context, p *addPage) ([]pool.Server, error) {
	terms := strings.Fields(p.Terms)
	if len(terms) == 0 {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Text: "Nothing to look for is typed."}
	}
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	hosts, err := find.InDNS(ctx, nil, terms...)
	if err != nil {
		return nil, &problem{Status: http.StatusBadGateway, Text: "DNS could not be asked: " + err.Error() + ".", Err: err}
	}
	var list []pool.Server
	for _, h := range hosts {
		name := strings.TrimSuffix(h.Name, ".")
		if !h.Confirmed {
			p.Notes = append(p.Notes, h.Asked+": the name "+name+" does not lead back to it")
		}
		if lists.CheckName(name) == nil {
			list = append(list, pool.Server{Name: name})
		}
	}
	if len(list) == 0 {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Text: "DNS knows none of these."}
	}
	return list, nil
}

// selection are servers as the page lists them.
func (c *Console) selection(servers []pool.Server) []selected {
	var list []selected
	for _, s := range servers {
		k := selected{Server: s, Level: string(pool.LevelNone), Word: "not tested"}
		if _, there := c.fleet.get(s.Name); there {
			k.Off, k.Level, k.Word = "already in the pool", string(pool.LevelInfo), "already in the pool"
		}
		list = append(list, k)
	}
	return list
}

// testAll tests servers side by side, and tells whether all of them answer and may be
// added.
func (c *Console) testAll(ctx context.Context, list []selected) bool {
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	turn := make(chan struct{}, testAtOnce)
	var all sync.WaitGroup
	for n := range list[:min(len(list), mostTested)] {
		if list[n].Off != "" {
			continue
		}
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			list[n].Level, list[n].Word = testServer(ctx, list[n].Server)
		})
	}
	all.Wait()
	return !slices.ContainsFunc(list, func(s selected) bool { return s.Off != "" || s.Level == string(pool.LevelBlocked) })
}

// testServer tells whether something answers as WinRM does. It signs in as nobody.
func testServer(ctx context.Context, s pool.Server) (level, word string) {
	t := doctor.Target{Name: s.Name, Address: s.Address, Endpoint: s.Endpoint, ResolverPort: s.ResolverPort, Thumbprint: s.Thumbprint, Transports: []string{"winrm"}}
	only := []string{"auth.offer"}
	if s.Transport == pool.DCOM {
		t.Transports, only = []string{"dcom"}, []string{"tcp.135", "epm"}
	}
	r := doctor.Examine(ctx, t, doctor.Options{Only: only, Limit: 3 * time.Second})
	offer := ""
	for _, k := range r.Checks {
		if k.Outcome == doctor.Fail || k.Outcome == doctor.Crash {
			return string(pool.LevelBlocked), cmpOr(k.Detail, k.Title)
		}
		if k.ID == "auth.offer" {
			offer = k.Detail
		}
	}
	return string(pool.LevelOK), strings.TrimSuffix("answers, "+offer, ", ")
}

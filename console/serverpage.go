package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool"
)

// serverPatience is how long a page waits for its server.
const serverPatience = 20 * time.Second

// serverTab is one of the pages about a server. See spec/console.md 2.3.
type serverTab struct{ ID, Title string }

var serverTabs = []serverTab{
	{"", "Overview"}, {"events", "Events"}, {"services", "Services"}, {"performance", "Performance"}, {"disks", "Disks"},
	{"roles", "Roles"}, {"users", "Users"}, {"firewall", "Firewall"}, {"doctor", "Doctor"}, {"shell", "Shell"}, {"query", "Query"},
}

// serverPage is what the template of a tab is given.
type serverPage struct {
	Entry Entry
	Tab   string
	Tabs  []serverTab
	// Problem says why the server did not give what the tab shows; Last is what was
	// known before, where there is something.
	Problem *problem
	Took    time.Duration
	Cut     bool // there was more
	Data    any
}

// Path is that of a tab of the server.
func (s serverPage) Path(tab string) string { return serverPath(s.Entry.Name, tab) }

func serverPath(name, tab string) string {
	p := "/servers/" + url.PathEscape(name)
	if tab != "" {
		p += "/" + tab
	}
	return p
}

// registerServerPages makes the pages about one server.
func (c *Console) registerServerPages() {
	c.page("GET /servers/{name}", Reader, c.serverOverview)
	c.serverTab("events", "events.html", c.loadEvents)
	c.registerEvents()
	c.registerServerServices()
	c.registerPerformance()
	c.serverTab("firewall", "firewall.html", c.loadFirewall)
	c.form("/servers/{name}/firewall", Operator, c.doFirewall)
	c.page("GET /servers/{name}/disks", Reader, func(rq *request) error { return c.knownTab(rq, "disks", "Disks", "disks.html") })
	c.page("GET /servers/{name}/roles", Reader, func(rq *request) error { return c.knownTab(rq, "roles", "Roles", "roles.html") })
	c.registerServerUsers()
	c.registerServerQuery()
	c.registerServerDoctor()
	c.registerServerShell()
	c.registerServerManagement()
}

// loader asks a server for what a tab shows. cut tells that there was more.
type loader func(ctx context.Context, rq *request, e Entry, conn *casement.Connection) (data any, cut bool, err error)

// serverTab registers a page whose data come from the server itself.
func (c *Console) serverTab(tab, template string, load loader) {
	c.page("GET /servers/{name}/"+tab, Reader, func(rq *request) error {
		e, err := c.server(rq)
		if err != nil {
			return err
		}
		s := serverPage{Entry: e, Tab: tab, Tabs: serverTabs}
		start := time.Now()
		s.Data, s.Cut, err = c.askServer(rq, e, load)
		s.Took = time.Since(start)
		if err != nil {
			s.Problem = rq.serverProblem(e, err)
		}
		return c.renderServer(rq, http.StatusOK, template, s)
	})
}

// knownTab shows a tab whose data are in the snapshot.
func (c *Console) knownTab(rq *request, tab, title, template string) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	return c.renderServer(rq, http.StatusOK, template, serverPage{Entry: e, Tab: tab, Tabs: serverTabs})
}

func (c *Console) renderServer(rq *request, status int, template string, s serverPage) error {
	title := s.Entry.Name
	for _, t := range s.Tabs {
		if t.ID == s.Tab && t.ID != "" {
			title += " · " + t.Title
		}
	}
	c.render(rq, status, template, page{Title: title, Nav: "/servers", Data: s, Wide: true, Command: serverCommand(s)})
	return nil
}

// askServer opens a connection, with the credential that is bound to the server, and
// asks.
func (c *Console) askServer(rq *request, e Entry, load loader) (data any, cut bool, err error) {
	done, err := c.asks.begin(rq.who.User)
	if err != nil {
		return nil, false, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(rq.Context(), serverPatience)
	defer cancel()
	conn, err := c.pool.Connect(ctx, e.Name)
	if err != nil {
		return nil, false, err
	}
	defer conn.Close() //nolint:errcheck // the answer is there
	return load(ctx, rq, e, conn)
}

// serverProblem says why a server did not answer. See spec/console.md 3.5.
func (rq *request) serverProblem(e Entry, err error) *problem {
	p := *rq.problemOf(err)
	if errors.Is(err, context.DeadlineExceeded) && !errors.As(err, new(*cim.Error)) {
		p.Text = "The server did not answer within " + tookText(serverPatience) + "."
	}
	if p.Status >= http.StatusInternalServerError {
		p.Status = http.StatusBadGateway
	}
	p.Text = "Asking " + e.Name + " failed: " + p.Text
	return &p
}

// session opens a namespace, "" for root\cimv2, and gives it to f.
func session(ctx context.Context, conn *casement.Connection, namespace string, f func(cim.Session) error) error {
	s, err := conn.Session(ctx, namespace)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // the answer is there
	return f(s)
}

// serverCommand are lines that show the same as a tab.
func serverCommand(s serverPage) []string {
	name := s.Entry.Name
	query := func(wql string) []string {
		return []string{"casement query " + name + " \"" + wql + "\"", "Get-CimInstance -ComputerName " + name + " -Query \"" + wql + "\""}
	}
	switch s.Tab {
	case "":
		return []string{"casement pool show " + name}
	case "events":
		return query("SELECT * FROM Win32_NTLogEvent WHERE Logfile = 'System' AND EventType <= 2")
	case "services":
		return query("SELECT * FROM Win32_Service")
	case "disks":
		return query("SELECT * FROM Win32_LogicalDisk")
	case "roles":
		return query("SELECT * FROM Win32_ServerFeature")
	case "users":
		if d, ok := s.Data.(usersData); ok && d.View == "groups" {
			return append(query("SELECT * FROM Win32_GroupUser"), "winrs -r:"+name+" net.exe localgroup GROUP NAME /add")
		}
		return append(query("SELECT * FROM Win32_UserAccount WHERE LocalAccount = TRUE"), "winrs -r:"+name+" net.exe user NAME /active:no")
	case "query":
		if d, ok := s.Data.(*explorer); ok && d.WQL != "" && !strings.ContainsAny(d.WQL, "\"\n") {
			return []string{"casement query " + name + " -n " + d.Namespace + " \"" + d.WQL + "\"", "Get-CimInstance -ComputerName " + name + " -Namespace " + d.Namespace + " -Query \"" + d.WQL + "\""}
		}
		return nil
	case "firewall":
		return []string{"casement query " + name + " -n root\\standardcimv2 \"SELECT * FROM MSFT_NetFirewallRule\"", "Get-NetFirewallRule -CimSession " + name}
	case "doctor":
		return []string{"casement doctor " + name}
	default:
		return nil
	}
}

// serverOverview is the page of a server.
func (c *Console) serverOverview(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	if e.Name != rq.PathValue("name") { // the one name that is shown
		http.Redirect(rq, rq.Request, serverPath(e.Name, ""), http.StatusSeeOther)
		return nil
	}
	s := serverPage{Entry: e, Tabs: serverTabs}
	s.Data = overview{Snapshot: e.Snapshot, Needs: needs(e), Management: managementKnown(e)}
	return c.renderServer(rq, http.StatusOK, "server.html", s)
}

// overview is what the first page shows.
type overview struct {
	Snapshot *pool.Snapshot
	Needs    []need
	// Management is whether remote management was enabled when the server was last asked.
	Management string
}

// need is something that somebody must look at, and where.
type need struct {
	Level, Text, Path string
}

// StoppedService is the name of the service that is to be started, "" where it is none.
func (n need) StoppedService() string {
	name, found := strings.CutPrefix(n.Text, "Service ")
	name, _, whole := strings.Cut(name, ": ")
	if !found || !whole || !strings.HasSuffix(n.Path, "/services") {
		return ""
	}
	return name
}

// needs are what needs somebody at a server: the state's reason, then what passed a
// threshold, then what could not be read.
func needs(e Entry) []need {
	s := e.Snapshot
	if s == nil {
		return nil
	}
	var list []need
	if s.Reason != "" && s.State.Level() != pool.LevelOK {
		list = append(list, need{string(s.State.Level()), s.Reason, serverPath(e.Name, "doctor")})
	}
	for _, a := range s.Alerts {
		list = append(list, need{"attention", a.Resource + ": " + a.Value + " (threshold " + a.Threshold + ")", serverPath(e.Name, alertTab(a.Resource))})
	}
	for _, f := range s.Failures {
		list = append(list, need{"attention", f.Tile + " could not be read: " + f.Reason, serverPath(e.Name, "doctor")})
	}
	return list
}

func alertTab(resource string) string {
	switch {
	case len(resource) >= 4 && resource[:4] == "Disk":
		return "disks"
	case len(resource) >= 7 && resource[:7] == "Service":
		return "services"
	case resource == "Events":
		return "events"
	default:
		return "performance"
	}
}

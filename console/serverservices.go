package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/console/internal/machine"
	"github.com/casementhq/casement/pool"
)

// servicesData is what the tab Services shows.
type servicesData struct {
	List          []machine.Service
	Total, Failed int
	Text          string
	Status, Start string
}

// servicesEvery is how often an open page asks for the services.
const servicesEvery = 10 * time.Second

func (c *Console) registerServerServices() {
	c.serverTab("services", "services.html", c.loadServices)
	c.page("GET /servers/{name}/services/{service}", Reader, c.serverService)
	c.form("/servers/{name}/services", Operator, c.doService)
	// The topic is that of a server with the filter of the page: services:srv04?status=failed.
	c.live.follow("services", source{role: Reader, every: servicesEvery, may: c.ofServer, load: c.liveServices})
}

// loadServices lists the services that the filter of the request wants.
func (c *Console) loadServices(ctx context.Context, rq *request, _ Entry, conn *casement.Connection) (any, bool, error) {
	return servicesOf(ctx, conn, rq.URL.Query())
}

func servicesOf(ctx context.Context, conn *casement.Connection, q url.Values) (d servicesData, cut bool, err error) {
	d = servicesData{Text: q.Get("q"), Status: q.Get("status"), Start: q.Get("start")}
	err = session(ctx, conn, "", func(s cim.Session) (err error) {
		d.List, cut, err = machine.Services(ctx, s)
		return err
	})
	d.Total = len(d.List)
	for _, s := range d.List {
		if s.NeedsYou() {
			d.Failed++
		}
	}
	words := strings.ToLower(d.Text)
	d.List = slices.DeleteFunc(d.List, func(s machine.Service) bool {
		return d.Status != "" && !strings.EqualFold(s.Status, d.Status) && (d.Status != "failed" || !s.NeedsYou()) ||
			d.Start != "" && !strings.EqualFold(s.StartType, d.Start) ||
			!strings.Contains(strings.ToLower(s.Name+" "+s.DisplayName), words)
	})
	return d, cut, err
}

// Topic is that of the list with its filter.
func (d servicesData) Topic(server string) string {
	return "services:" + server + "?" + url.Values{"q": {d.Text}, "status": {d.Status}, "start": {d.Start}}.Encode()
}

// Caption counts them.
func (d servicesData) Caption() string {
	return countText(d.Failed) + " need you · " + countText(len(d.List)) + " of " + countText(d.Total)
}

// liveServices are the rows of a list. A server that refused the password is not asked
// with it every ten seconds.
func (c *Console) liveServices(ctx context.Context, arg string) (any, error) {
	name, filter, _ := strings.Cut(arg, "?")
	q, err := url.ParseQuery(filter)
	if err != nil {
		return nil, err
	}
	e, ok := c.fleet.get(name)
	if !ok {
		return map[string]any{"gone": true}, nil
	}
	if e.snapshot().State == pool.CredentialsNotValid {
		return nil, errors.New("the server refuses the password")
	}
	done, err := c.asks.begin(following)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, serverPatience)
	defer cancel()
	conn, err := c.pool.Connect(ctx, e.Name)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // the answer is there
	d, _, err := servicesOf(ctx, conn, q)
	if err != nil {
		return nil, err
	}
	rows := []liveItem{}
	for _, s := range d.List {
		rows = append(rows, liveItem{Key: s.Name, F: serviceFields(e.Name, s)})
	}
	return map[string]any{"rows": rows, "f": fields{"caption": text(d.Caption())}}, nil
}

func serviceFields(server string, s machine.Service) fields {
	f := fields{"name": {Text: s.Name, Link: serverPath(server, "services/"+url.PathEscape(s.Name))}, "display": text(s.DisplayName), "state": text(s.Status),
		"start": text(s.StartText()), "account": text(s.Account), "do-start": {Text: "Start", Hide: s.Runs()}, "do-stop": {Text: "Stop…", Hide: !s.Runs()}, "do-restart": {Text: "Restart…", Hide: !s.Runs()}}
	if s.NeedsYou() {
		f["state"] = field{Text: s.Status, Level: string(pool.LevelAttention)}
	}
	return f
}

// serviceData is what the page of one service shows.
type serviceData struct {
	Service    machine.Service
	Dependents []machine.Service
}

// serverService is the page of a service, and the question before it is stopped.
func (c *Console) serverService(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	s := serverPage{Entry: e, Tab: "services", Tabs: serverTabs}
	s.Data, _, err = c.askServer(rq, e, loadService)
	if err != nil {
		s.Problem = rq.serverProblem(e, err)
	}
	return c.renderServer(rq, http.StatusOK, "service.html", s)
}

func loadService(ctx context.Context, rq *request, _ Entry, conn *casement.Connection) (any, bool, error) {
	var d serviceData
	name := rq.PathValue("service")
	err := session(ctx, conn, "", func(s cim.Session) error {
		list, _, err := machine.Services(ctx, s)
		if err != nil {
			return err
		}
		n := slices.IndexFunc(list, func(s machine.Service) bool { return strings.EqualFold(s.Name, name) })
		if n < 0 {
			return &problem{Status: http.StatusNotFound, Title: "No such service", Text: "There is no service " + name + "."}
		}
		d.Service = list[n]
		d.Dependents, err = machine.Dependents(ctx, s, d.Service.Name)
		return err
	})
	return d, false, err
}

// serviceDeeds are what can be done to a service; how a page says it, and whether it
// is asked before: see spec/console.md 3.6.
var serviceDeeds = map[string]struct {
	doing, ask, button string
}{
	"start": {"Starting %s on %s", "", ""}, "resume": {"Resuming %s on %s", "", ""},
	"stop": {"Stopping %s on %s", "Stop %s on %s", "Stop"}, "restart": {"Restarting %s on %s", "Restart %s on %s", "Restart"}, "pause": {"Pausing %s on %s", "Pause %s on %s", "Pause"},
	"automatic": {"Having %s start with %s", "Have %s start with %s", "Start with it"}, "manual": {"Having %s start by hand on %s", "Have %s start by hand only on %s", "By hand only"},
	"disabled": {"Disabling %s on %s", "Disable %s on %s", "Disable"},
}

// doService starts, stops or changes a service.
func (c *Console) doService(rq *request) (result, error) {
	e, err := c.server(rq)
	if err != nil {
		return result{}, err
	}
	do, name := rq.PostForm.Get("do"), rq.PostForm.Get("service")
	deed, known := serviceDeeds[do]
	if !known || name == "" {
		return result{}, &problem{Status: http.StatusBadRequest, Title: "Not understood", Text: "A service can be started, stopped, restarted, paused or resumed, or have its start type changed."}
	}
	if deed.ask != "" {
		if err := rq.confirm(c.serviceQuestion(rq, e, do, name)); err != nil {
			return result{}, err
		}
	}
	a, err := actionOf(pool.KindService, pool.ServiceParameters{Service: name, Do: do})
	if err != nil {
		return result{}, err
	}
	doing := fmt.Sprintf(deed.doing, name, e.Name)
	back := serverPath(e.Name, "services")
	if b := local(rq.PostForm.Get("back")); strings.HasPrefix(b, back) {
		back = b
	}
	o, err := c.perform(rq, auditlog.Entry{Action: "service-" + do, Parameters: map[string]string{"service": name}}, a, e, doing)
	return o.answer(doing, back), err
}

// serviceQuestion asks before a service is stopped or changed. It names those that need
// it, and says where it is what Casement comes by.
func (c *Console) serviceQuestion(rq *request, e Entry, do, name string) confirmation {
	k := confirmation{Level: 1, Title: fmt.Sprintf(serviceDeeds[do].ask, name, e.Name), Do: serviceDeeds[do].button, List: []string{e.Name}}
	if do == "automatic" || do == "manual" {
		k.Effect = "It takes effect when the machine starts."
		return k
	}
	if carrier(name) {
		k.Level, k.Effect, k.Type, k.What = 2, "Casement itself will lose "+e.Name+": it comes in by this service. "+c.otherWay(rq, e), e.Name, "the name"
		return k
	}
	if do == "disabled" || rq.PostForm.Has("confirmed") { // who was told what needs it is not told again
		return k
	}
	data, _, err := c.askServer(rq, e, func(ctx context.Context, _ *request, _ Entry, conn *casement.Connection) (any, bool, error) {
		var list []machine.Service
		err := session(ctx, conn, "", func(s cim.Session) (err error) {
			list, err = machine.Dependents(ctx, s, name)
			return err
		})
		return list, false, err
	})
	if err != nil {
		k.Effect = "Which services need it could not be read: " + spoken(err)
		return k
	}
	list, _ := data.([]machine.Service)
	if len(list) == 0 {
		k.Effect = "No running service needs it."
		return k
	}
	k.Effect = plural(len(list), "running service") + " " + map[bool]string{true: "needs", false: "need"}[len(list) == 1] + " it:"
	for _, d := range list {
		k.Effect += " " + d.Name + ","
	}
	k.Effect = strings.TrimSuffix(k.Effect, ",") + ". "
	if f := e.snapshot().Facts; f != nil && f.Windows {
		k.Effect += "Windows refuses to stop it while that runs."
	} else {
		k.Effect += "What needs it is stopped with it."
	}
	return k
}

// carrier tells whether a service is the one that answers WinRM.
func carrier(name string) bool {
	return strings.EqualFold(name, "WinRM") || strings.EqualFold(name, "casement") || strings.EqualFold(name, "casement.service")
}

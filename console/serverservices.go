package console

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

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

// loadServices lists the services that the filter of the request wants.
func (c *Console) loadServices(ctx context.Context, rq *request, _ Entry, conn *casement.Connection) (any, bool, error) {
	q := rq.URL.Query()
	d := servicesData{Text: q.Get("q"), Status: q.Get("status"), Start: q.Get("start")}
	var cut bool
	err := session(ctx, conn, "", func(s cim.Session) (err error) {
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

// serviceData is what the page of one service shows.
type serviceData struct {
	Service    machine.Service
	Dependents []machine.Service
	Do         string // what is to be confirmed
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
	d := serviceData{Do: rq.URL.Query().Get("do")}
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

// serviceDeeds are what can be done to a service, and whether it is asked before.
var serviceDeeds = map[string]bool{"start": false, "resume": false, "stop": true, "restart": true, "pause": true, "automatic": true, "manual": true, "disabled": true}

// doService begins the work that starts, stops or changes a service.
func (c *Console) doService(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	do, name := rq.PostFormValue("do"), rq.PathValue("service")
	asks, known := serviceDeeds[do]
	if !known {
		return &problem{Status: http.StatusBadRequest, Text: "A service can be started, stopped, restarted, paused or resumed, or have its start type changed."}
	}
	if asks && rq.PostFormValue("sure") != "yes" {
		http.Redirect(rq, rq.Request, serverPath(e.Name, "services/"+url.PathEscape(name))+"?do="+do, http.StatusSeeOther)
		return nil
	}
	parameters, err := json.Marshal(pool.ServiceParameters{Service: name, Do: do})
	if err != nil {
		return err
	}
	return c.begin(rq, e, "service-"+do, pool.Action{Kind: pool.KindService, Parameters: parameters}, map[string]string{"service": name})
}

// begin starts a work on one server, and shows it.
func (c *Console) begin(rq *request, e Entry, action string, a pool.Action, parameters map[string]string) error {
	var work pool.Work
	err := c.act(rq, auditlog.Entry{Action: action, Targets: []string{e.Name}, Parameters: parameters}, func(entry *auditlog.Entry) (err error) {
		work, err = c.pool.Start(rq.Context(), a, []string{e.Name}, rq.who.User)
		entry.Work = work.ID
		return err
	})
	if err != nil {
		return err
	}
	http.Redirect(rq, rq.Request, workPage(work.ID), http.StatusSeeOther)
	return nil
}

package console

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/console/internal/machine"
	"github.com/casementhq/casement/pool"
)

// The operations about one server: what the pages about it show, asked of it in the same
// way, and what they change.

type (
	// ServerName is the server of an operation.
	ServerName struct {
		Name string `path:"name" maxLength:"253" doc:"The name in the pool, in any case" example:"srv04"`
	}
	eventsInput struct {
		ServerName

		Q      string `query:"q" doc:"Words in message or source"`
		Level  string `query:"level" doc:"With commas between: Error, Warning, Information, Audit Success, Audit Failure"`
		Log    string `query:"log" example:"System"`
		Source string `query:"source"`
		ID     string `query:"id" doc:"Numbers and ranges; what has - before it is left out: 1,3,5-99,-76"`
		Last   int    `query:"last" minimum:"1" maximum:"168" default:"24" doc:"Hours"`
	}
	eventsAnswer struct {
		Events []machine.Event `json:"events"`
		More   bool            `json:"more" doc:"There are more than are told"`
	}
	servicesInput struct {
		ServerName

		Q      string `query:"q" doc:"Words in name or display name"`
		Status string `query:"status" doc:"Running, Stopped, Paused, or failed for those that need somebody"`
		Start  string `query:"start" doc:"Auto, Manual, Disabled"`
	}
	servicesAnswer struct {
		Total    int               `json:"total"`
		NeedYou  int               `json:"need_you" doc:"Automatic, and not running"`
		Services []machine.Service `json:"services"`
		More     bool              `json:"more"`
	}
	serviceInput struct {
		ServerName

		Service string `path:"service" maxLength:"256" doc:"Its name, not what is displayed" example:"Spooler"`
	}
	serviceAnswer struct {
		Service    machine.Service   `json:"service"`
		Dependents []machine.Service `json:"dependents"`
	}
	performanceAnswer struct {
		Now     *machine.Performance `json:"now"`
		Refresh []performancePoint   `json:"refreshes" doc:"What the refreshes since the console began told"`
	}
	performancePoint struct {
		Time   time.Time `json:"time"`
		CPU    *float64  `json:"cpu" doc:"Percent"`
		Memory *float64  `json:"memory" doc:"Percent in use"`
	}
	disksAnswer struct {
		Collected time.Time   `json:"collected"`
		Disks     []pool.Disk `json:"disks"`
	}
	rolesAnswer struct {
		Collected time.Time   `json:"collected"`
		Roles     []pool.Role `json:"roles"`
	}
	usersInput struct {
		ServerName

		Q string `query:"q" doc:"Words in name, description, group"`
	}
	usersAnswer struct {
		Users  []machine.User  `json:"users"`
		Groups []machine.Group `json:"groups"`
		More   bool            `json:"more"`
	}
	newUser struct {
		ServerName

		Body struct {
			Name     string `json:"name" maxLength:"20"`
			Password string `json:"password" doc:"Goes to the input of the command there: it is in no command line, no log and no work"`
			FullName string `json:"full_name,omitempty" maxLength:"256"`
			Comment  string `json:"comment,omitempty" maxLength:"256"`
		}
	}
	userInput struct {
		ServerName

		User string `path:"user" maxLength:"104"`
	}
	changeUser struct {
		ServerName

		User string `path:"user" maxLength:"104"`
		Body struct {
			Enabled  *bool  `json:"enabled,omitempty"`
			Password string `json:"password,omitempty"`
		}
	}
	newMember struct {
		ServerName

		Group string `path:"group" maxLength:"104"`
		Body  struct {
			Member string `json:"member" maxLength:"104" doc:"anna, or CORP\\anna"`
		}
	}
	memberInput struct {
		ServerName

		Group  string `path:"group" maxLength:"104"`
		Member string `path:"member" maxLength:"104" doc:"Escaped as a part of a path: CORP%5Canna"`
	}
	doneAnswer struct {
		Message string `json:"message"`
		Work    string `json:"work,omitempty" doc:"The path of the work, where it still runs"`
	}
	firewallInput struct {
		ServerName

		Q         string `query:"q" doc:"Words in name or group"`
		Direction string `query:"dir" doc:"Inbound, Outbound"`
	}
	firewallAnswer struct {
		Groups []machine.RuleGroup    `json:"groups"`
		Rules  []machine.FirewallRule `json:"rules"`
		More   bool                   `json:"more"`
	}
	switchFirewall struct {
		ServerName

		Body struct {
			Rule  string `json:"rule,omitempty" doc:"Its id"`
			Group string `json:"group,omitempty" doc:"All rules of it; either a rule or a group"`
			On    bool   `json:"on"`
		}
	}
	managementAnswer struct {
		Enabled *bool  `json:"enabled" doc:"Over WinRM; null is not known"`
		Why     string `json:"why,omitempty"`
		Typed   string `json:"typed" doc:"What is typed at the server to switch it on"`
	}
	namespaceInput struct {
		ServerName

		Namespace string `query:"ns" default:"root\\cimv2" example:"root\\cimv2"`
	}
	classesInput struct {
		ServerName

		Namespace string `query:"ns" default:"root\\cimv2" example:"root\\cimv2"`
		Find      string `query:"find" doc:"A part of the name"`
	}
	classInput struct {
		ServerName

		Class     string `path:"class" maxLength:"256" example:"Win32_Service"`
		Namespace string `query:"ns" default:"root\\cimv2" example:"root\\cimv2"`
	}
	objectInput struct {
		ServerName

		Namespace string `query:"ns" default:"root\\cimv2" example:"root\\cimv2"`
		Path      string `query:"path" required:"true" doc:"An object path" example:"Win32_Service.Name=\"Spooler\""`
	}
	objectAnswer struct {
		machine.Object

		Namespace   string         `json:"namespace"`
		Associated  []machine.Link `json:"associated"`
		More        bool           `json:"more"`
		LinkProblem string         `json:"associated_problem,omitempty"`
	}
	queryInput struct {
		ServerName

		Body struct {
			Namespace string `json:"namespace,omitempty" doc:"root\\cimv2 where it is empty"`
			WQL       string `json:"wql" maxLength:"4096"`
			Limit     int    `json:"limit,omitempty" minimum:"1" maximum:"10000" doc:"1000 where it is left out"`
		}
	}
	invokeInput struct {
		ServerName

		Body struct {
			Namespace string            `json:"namespace,omitempty"`
			Path      string            `json:"path" doc:"Of an object, or a class for a static method"`
			Method    string            `json:"method"`
			Arguments map[string]string `json:"arguments,omitempty" doc:"Texts, which are read as the class declares them"`
		}
	}
	invokeAnswer struct {
		Work   pool.Work       `json:"work"`
		Open   bool            `json:"open" doc:"It still runs: the work has its result later"`
		Result string          `json:"result,omitempty" doc:"ReturnValue 0"`
		Out    json.RawMessage `json:"out,omitempty" doc:"What else the method gave, an object"`
	}
)

// entryOf finds a server by the name of an operation.
func (c *Console) entryOf(name string) (Entry, error) {
	e, ok := c.fleet.get(name)
	if !ok {
		return e, c.noServer(name)
	}
	return e, nil
}

// asked asks a server as its page does, and shapes what it answered.
func asked[D, O any](c *Console, rq *request, name string, load loader, shape func(D, bool) O) (*body[O], error) {
	e, err := c.entryOf(name)
	if err != nil {
		return nil, err
	}
	data, cut, err := c.askServer(rq, e, load)
	if err != nil {
		return nil, rq.serverProblem(e, err)
	}
	return answer(shape(data.(D), cut), nil)
}

// words are the parts of a list with commas.
func words(s string) (list []string) {
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// some is a list that is never null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (c *Console) apiServer(a *api) {
	operation(a, Reader, "GET", "/servers/{name}/events", "list-events", "Events of a server, the newest first", func(rq *request, in *eventsInput) (*body[eventsAnswer], error) {
		f := machine.EventFilter{Levels: words(in.Level), Logs: words(in.Log), Sources: words(in.Source), IDs: machine.EventIDs(in.ID), Last: time.Duration(in.Last) * time.Hour}
		if err := f.IDs.Check(); err != nil {
			return nil, &problem{Status: http.StatusUnprocessableEntity, Title: "Not understood", Text: err.Error() + "."}
		}
		return asked(c, rq, in.Name, func(ctx context.Context, _ *request, _ Entry, conn *casement.Connection) (any, bool, error) {
			var list []machine.Event
			var cut bool
			err := session(ctx, conn, "", func(s cim.Session) (err error) {
				list, cut, err = machine.Events(ctx, s, f, time.Now())
				return err
			})
			return list, cut, err
		}, func(list []machine.Event, cut bool) eventsAnswer {
			q := strings.ToLower(in.Q)
			return eventsAnswer{slices.DeleteFunc(some(list), func(e machine.Event) bool { return !strings.Contains(strings.ToLower(e.Message+" "+e.Source), q) }), cut}
		})
	})
	operation(a, Reader, "GET", "/servers/{name}/services", "list-services", "Services of a server", func(rq *request, in *servicesInput) (*body[servicesAnswer], error) {
		return asked(c, rq, in.Name, c.loadServices, func(d servicesData, cut bool) servicesAnswer {
			return servicesAnswer{d.Total, d.Failed, some(d.List), cut}
		})
	})
	operation(a, Reader, "GET", "/servers/{name}/services/{service}", "get-service", "One service, and which need it", func(rq *request, in *serviceInput) (*body[serviceAnswer], error) {
		return asked(c, rq, in.Name, loadService, func(d serviceData, _ bool) serviceAnswer { return serviceAnswer{d.Service, some(d.Dependents)} })
	})
	operation(a, Reader, "GET", "/servers/{name}/performance", "get-performance", "Processor, memory and the busiest processes now, and what the refreshes told", func(rq *request, in *ServerName) (*body[performanceAnswer], error) {
		return asked(c, rq, in.Name, func(ctx context.Context, _ *request, _ Entry, conn *casement.Connection) (any, bool, error) {
			var now *machine.Performance
			err := session(ctx, conn, "", func(s cim.Session) (err error) {
				now, err = machine.PerformanceNow(ctx, s)
				return err
			})
			return now, false, err
		}, func(now *machine.Performance, _ bool) performanceAnswer {
			return performanceAnswer{now, c.points(in.Name)}
		})
	})
	operation(a, Reader, "GET", "/servers/{name}/disks", "list-disks", "Volumes, as the last refresh found them", func(_ *request, in *ServerName) (*body[disksAnswer], error) {
		e, err := c.entryOf(in.Name)
		return answer(disksAnswer{e.snapshot().Full, some(e.snapshot().Disks)}, err)
	})
	operation(a, Reader, "GET", "/servers/{name}/roles", "list-roles", "Roles and features, as the last refresh found them", func(_ *request, in *ServerName) (*body[rolesAnswer], error) {
		e, err := c.entryOf(in.Name)
		return answer(rolesAnswer{e.snapshot().Full, some(e.snapshot().Roles)}, err)
	})
	operation(a, Reader, "GET", "/servers/{name}/firewall", "list-firewall", "Rules and groups of the firewall", func(rq *request, in *firewallInput) (*body[firewallAnswer], error) {
		return asked(c, rq, in.Name, c.loadFirewall, func(d firewallData, cut bool) firewallAnswer {
			return firewallAnswer{some(d.Groups), some(d.Rules), cut}
		})
	})
	operation(a, Operator, "POST", "/servers/{name}/firewall", "switch-firewall", "Switch a rule, or all of a group, on or off", func(rq *request, in *switchFirewall) (*body[doneAnswer], error) {
		e, err := c.entryOf(in.Name)
		if err == nil && (in.Body.Rule == "") == (in.Body.Group == "") {
			err = errNoRule
		}
		if err != nil {
			return nil, err
		}
		o, doing, err := c.switchRules(rq, e, in.Body.Rule, in.Body.Group, cmpOr(in.Body.Rule, in.Body.Group), in.Body.On)
		r := o.answer(doing, "")
		return answer(doneAnswer{r.Message, r.Location}, err)
	})
	operation(a, Reader, "GET", "/servers/{name}/management", "get-management", "Whether the server lets itself be managed over WinRM", func(rq *request, in *ServerName) (*body[managementAnswer], error) {
		e, err := c.entryOf(in.Name)
		if err != nil {
			return nil, err
		}
		d := c.management(rq.Context(), e)
		return answer(managementAnswer(d), nil)
	})
	operation(a, Reader, "GET", "/servers/{name}/doctor", "get-report", "The doctor's newest report, as casement.doctor/1", func(rq *request, in *ServerName) (*body[json.RawMessage], error) {
		e, err := c.entryOf(in.Name)
		if err != nil {
			return nil, err
		}
		d, err := c.lastReport(rq.Context(), e.Name)
		if err == nil && d.Report == nil {
			err = &problem{Status: http.StatusNotFound, Title: "No report", Text: "There is no report of " + e.Name + " yet."}
		}
		if err != nil {
			return nil, err
		}
		b, err := json.Marshal(d.Report)
		return answer(json.RawMessage(b), err)
	})
	operation(a, Reader, "POST", "/servers/{name}/doctor", "examine", "Let the doctor look at a server; his report is there when the work has ended", func(rq *request, in *ServerName) (*body[pool.Work], error) {
		e, err := c.entryOf(in.Name)
		if err != nil {
			return nil, err
		}
		return answer(c.start(rq, auditlog.Entry{Action: "doctor"}, pool.Action{Kind: pool.KindDoctor}, []string{e.Name}))
	})
	c.apiAccounts(a)
	c.apiQuery(a)
}

// points are the samples of the history, with both parts in one.
func (c *Console) points(name string) []performancePoint {
	cpu, memory := c.history.of(name)
	list := []performancePoint{}
	at := map[time.Time]int{}
	put := func(t time.Time) *performancePoint {
		n, ok := at[t]
		if !ok {
			n = len(list)
			at[t] = n
			list = append(list, performancePoint{Time: t})
		}
		return &list[n]
	}
	for _, p := range cpu {
		put(p.At).CPU = &p.Value
	}
	for _, p := range memory {
		put(p.At).Memory = &p.Value
	}
	return list
}

func (c *Console) apiAccounts(a *api) {
	change := func(rq *request, server string, ch accountChange) (*body[doneAnswer], error) {
		e, err := c.entryOf(server)
		if err != nil {
			return nil, err
		}
		r, err := c.changeAccount(rq, e, ch)
		return answer(doneAnswer{r.Message, r.Location}, err)
	}
	operation(a, Reader, "GET", "/servers/{name}/users", "list-users", "Users and groups of a server", func(rq *request, in *usersInput) (*body[usersAnswer], error) {
		return asked(c, rq, in.Name, c.loadUsers, func(d usersData, cut bool) usersAnswer { return usersAnswer{some(d.Users), some(d.Groups), cut} })
	})
	operation(a, Operator, "POST", "/servers/{name}/users", "add-user", "Make a user on a server", func(rq *request, in *newUser) (*body[doneAnswer], error) {
		return change(rq, in.Name, accountChange{Do: userAdd, User: in.Body.Name, Password: in.Body.Password, FullName: in.Body.FullName, Comment: in.Body.Comment})
	})
	operation(a, Operator, "PATCH", "/servers/{name}/users/{user}", "change-user", "Enable or disable a user, or set the password: one of them at a time", func(rq *request, in *changeUser) (*body[doneAnswer], error) {
		ch := accountChange{Do: userPassword, User: in.User, Password: in.Body.Password}
		switch {
		case (in.Body.Enabled == nil) == (in.Body.Password == ""):
			return nil, &problem{Status: http.StatusUnprocessableEntity, Title: "Not understood", Text: "Either enabled or password is needed."}
		case in.Body.Enabled != nil && *in.Body.Enabled:
			ch.Do = userEnable
		case in.Body.Enabled != nil:
			ch.Do = userDisable
		}
		return change(rq, in.Name, ch)
	})
	operation(a, Operator, "DELETE", "/servers/{name}/users/{user}", "delete-user", "Delete a user of a server", func(rq *request, in *userInput) (*body[doneAnswer], error) {
		return change(rq, in.Name, accountChange{Do: userDelete, User: in.User})
	})
	operation(a, Operator, "POST", "/servers/{name}/groups/{group}/members", "add-member", "Put an account into a group of a server", func(rq *request, in *newMember) (*body[doneAnswer], error) {
		return change(rq, in.Name, accountChange{Do: memberAdd, Group: in.Group, User: in.Body.Member})
	})
	operation(a, Operator, "DELETE", "/servers/{name}/groups/{group}/members/{member}", "remove-member", "Take an account out of a group of a server", func(rq *request, in *memberInput) (*body[doneAnswer], error) {
		return change(rq, in.Name, accountChange{Do: memberRemove, Group: in.Group, User: in.Member})
	})
}

func (c *Console) apiQuery(a *api) {
	// names asks for names in a namespace, and keeps those that have a part.
	names := func(rq *request, server, namespace, part string, ask asker) (*body[[]string], error) {
		e, err := c.entryOf(server)
		if err != nil {
			return nil, err
		}
		v, err := c.about(rq, e, namespace, ask)
		if err != nil {
			return nil, err
		}
		list := []string{}
		for _, n := range v.([]string) {
			if strings.Contains(strings.ToLower(n), strings.ToLower(part)) {
				list = append(list, n)
			}
		}
		return answer(list, nil)
	}
	operation(a, Reader, "GET", "/servers/{name}/namespaces", "list-namespaces", "The namespaces below one", func(rq *request, in *namespaceInput) (*body[[]string], error) {
		return names(rq, in.Name, in.Namespace, "", askNamespaces)
	})
	operation(a, Reader, "GET", "/servers/{name}/classes", "list-classes", "The classes of a namespace", func(rq *request, in *classesInput) (*body[[]string], error) {
		return names(rq, in.Name, in.Namespace, in.Find, askClasses)
	})
	operation(a, Reader, "GET", "/servers/{name}/classes/{class}", "get-class", "A class with its qualifiers, properties and methods", func(rq *request, in *classInput) (*body[*machine.Class], error) {
		e, err := c.entryOf(in.Name)
		if err != nil {
			return nil, err
		}
		v, err := c.about(rq, e, in.Namespace, func(ctx context.Context, _ *request, s cim.Session) (any, error) {
			return machine.ClassOf(ctx, s, in.Class)
		})
		if err != nil {
			return nil, err
		}
		return answer(v.(*machine.Class), nil)
	})
	operation(a, Reader, "GET", "/servers/{name}/object", "get-object", "An object: its values, methods, and what is associated with it", func(rq *request, in *objectInput) (*body[objectAnswer], error) {
		return asked(c, rq, in.Name, func(ctx context.Context, rq *request, e Entry, conn *casement.Connection) (any, bool, error) {
			d, err := c.loadObject(ctx, rq, e, conn, in.Namespace, in.Path)
			return d, false, err
		}, func(d *objectView, _ bool) objectAnswer {
			return objectAnswer{Object: *d.Object, Namespace: d.Namespace, Associated: some(d.Links), More: d.More, LinkProblem: d.LinkProblem}
		})
	})
	operation(a, Reader, "POST", "/servers/{name}/query", "query", "Ask a server in WQL. Values are texts, null is NULL", func(rq *request, in *queryInput) (*body[*machine.Table], error) {
		e, err := c.entryOf(in.Name)
		if err != nil {
			return nil, err
		}
		q := query{in.Body.Namespace, in.Body.WQL, in.Body.Limit}
		if q.Limit == 0 {
			q.Limit = shownRows
		}
		t, err := c.table(rq, e, q)
		if err != nil {
			p := rq.serverProblem(e, err)
			if at := placeOf(q.WQL, err); at != nil {
				p.Next = at.String()
			}
			return nil, p
		}
		t.Columns = some(t.Columns)
		return answer(t, nil)
	})
	operation(a, Operator, "POST", "/servers/{name}/invoke", "invoke", "Call a method of an object, or a static one of a class", func(rq *request, in *invokeInput) (*body[invokeAnswer], error) {
		e, err := c.entryOf(in.Name)
		if err != nil {
			return nil, err
		}
		p := pool.InvokeParameters{Namespace: cmpOr(in.Body.Namespace, `root\cimv2`), Path: in.Body.Path, Method: in.Body.Method, Arguments: in.Body.Arguments}
		if err := checkInvoke(&p); err != nil {
			return nil, err
		}
		o, err := c.invoke(rq, e, p)
		if err != nil {
			return nil, err
		}
		out := invokeAnswer{Work: o.Work, Open: o.Open, Result: strings.TrimSpace(o.Result.Words + " " + o.Result.Code)}
		if json.Valid([]byte(o.Output)) && o.Output != "" {
			out.Out = json.RawMessage(o.Output)
		}
		return answer(out, nil)
	})
}

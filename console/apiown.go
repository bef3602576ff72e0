package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/console/internal/machine"
	"github.com/casementhq/casement/pool"
)

// The operations about what belongs to who asks, and to the console: the dashboard,
// keys, saved views and queries, and where servers may be found.

type (
	dashboardAnswer struct {
		Total   int             `json:"total"`
		NeedYou int             `json:"need_you"`
		Checked time.Time       `json:"checked" doc:"When the one that was asked the longest ago was asked"`
		Cards   []dashboardCard `json:"cards"`
	}
	dashboardCard struct {
		Title   string         `json:"title"`
		Path    string         `json:"path" doc:"Its page"`
		Servers int            `json:"servers"`
		Rows    []dashboardRow `json:"rows"`
	}
	dashboardRow struct {
		Title string `json:"title"`
		Level string `json:"level" enum:"ok,info,attention,blocked,none"`
		Count int    `json:"count" doc:"Servers"`
		Path  string `json:"path,omitempty" doc:"What is filtered to just those"`
	}
	alertsAnswer struct {
		Title    string        `json:"title"`
		Own      bool          `json:"own" doc:"The card has criteria of its own"`
		Criteria Criteria      `json:"criteria"`
		Findings []alertAnswer `json:"findings"`
	}
	alertAnswer struct {
		Server    string    `json:"server"`
		Row       string    `json:"row" doc:"manageability, events, services, performance, checks"`
		Level     string    `json:"level"`
		Resource  string    `json:"resource"`
		Value     string    `json:"value"`
		Threshold string    `json:"threshold,omitempty"`
		First     time.Time `json:"first,omitzero"`
		Seen      time.Time `json:"seen,omitzero"`
		Count     int       `json:"count,omitempty"`
	}
	cardInput struct {
		Card string `path:"card" maxLength:"300" doc:"all, here, role:Web, group:tokyo" example:"all"`
	}
	manyEventsInput struct {
		In     string   `query:"in" doc:"A card, or alerts: and a card for those of it that have alerts: alerts:all" default:"alerts:all"`
		On     []string `query:"on,explode" doc:"Servers by name, in the place of a card"`
		Q      string   `query:"q" doc:"Words, and - before those that must not be there"`
		Level  []string `query:"level,explode" doc:"Error, Warning, Information, Audit Success, Audit Failure"`
		Log    []string `query:"log,explode"`
		Source []string `query:"source,explode"`
		ID     string   `query:"id" doc:"Numbers and ranges; what has - before it is left out: 1,3,5-99,-76"`
		Last   int      `query:"last" minimum:"1" maximum:"168" default:"24" doc:"Hours"`
	}
	manyEventsAnswer struct {
		Title  string       `json:"title"`
		Asked  int          `json:"asked" doc:"Servers"`
		Left   int          `json:"left" doc:"Servers that were not asked: there are too many"`
		Events []eventOfOne `json:"events"`
		More   bool         `json:"more"`
		Failed []string     `json:"failed" doc:"Why servers gave nothing"`
	}
	eventOfOne struct {
		Server string        `json:"server"`
		Event  machine.Event `json:"event"`
	}
	newKey struct {
		Body struct {
			Label string `json:"label" maxLength:"100" doc:"What it is for"`
			Role  string `json:"role,omitempty" enum:"Reader,Operator,Administrator" default:"Reader" doc:"At most; no more than the own one"`
			Days  int    `json:"days,omitempty" minimum:"1" maximum:"366" default:"90"`
			Kind  string `json:"kind,omitempty" enum:"key,display" default:"key" doc:"A display link shows the dashboard on a wall"`
		}
	}
	keyAnswer struct {
		Secret string `json:"secret" doc:"Shown this once, and kept nowhere"`
	}
	putView struct {
		View string `path:"view" maxLength:"60"`
		Body struct {
			Query string `json:"query" maxLength:"2000" doc:"Of the URL of All servers, without its question mark"`
		}
	}
	viewInput struct {
		View string `path:"view" maxLength:"60"`
	}
	putQuery struct {
		Query string `path:"query" maxLength:"60"`
		Body  struct {
			Namespace string `json:"namespace,omitempty"`
			WQL       string `json:"wql" maxLength:"4096"`
		}
	}
	savedInput struct {
		Query string `path:"query" maxLength:"60"`
	}
	findDNSInput struct {
		Body struct {
			Terms []string `json:"terms" minItems:"1" doc:"Names, names with ranges as web[01:20].corp.example, addresses, networks"`
		}
	}
	findDirectoryInput struct {
		Body struct {
			Domain     string `json:"domain,omitempty"`
			Controller string `json:"controller,omitempty" doc:"Where it is not one that DNS names for the domain"`
			Base       string `json:"base,omitempty" doc:"Where to search from; the domain where it is empty"`
			Credential string `json:"credential,omitempty" doc:"The name of one, in place of user and password"`
			User       string `json:"user,omitempty" doc:"Who asks the directory"`
			Password   string `json:"password,omitempty" doc:"Used for this one question, and kept nowhere"`
			Like       string `json:"like,omitempty" doc:"What names look like, with * for anything"`
			System     string `json:"system,omitempty" doc:"What operating systems look like"`
			Clients    bool   `json:"clients,omitempty" doc:"Clients too"`
			Security   string `json:"security,omitempty" enum:"sealed,starttls,ldaps"`
			Thumbprint string `json:"thumbprint,omitempty" doc:"SHA-256 of the controller's certificate, where its issuer is not known"`
		}
	}
	findAnswer struct {
		Servers []foundServer `json:"servers"`
		Notes   []string      `json:"notes" doc:"What is odd about some"`
	}
	foundServer struct {
		Name string `json:"name"`
		Note string `json:"note,omitempty" doc:"Its operating system, as the directory has it"`
	}
)

func foundServers(list []pool.Server, notes []string) findAnswer {
	a := findAnswer{[]foundServer{}, some(notes)}
	for _, s := range list {
		a.Servers = append(a.Servers, foundServer{s.Name, s.Note})
	}
	return a
}

func (c *Console) apiMine(a *api) {
	operation(a, Reader, "GET", "/dashboard", "get-dashboard", "What is wrong, by card", func(rq *request, _ *struct{}) (*body[dashboardAnswer], error) {
		d := c.dashboard(rq.Context())
		out := dashboardAnswer{Total: d.Total, NeedYou: d.NeedAll, Checked: d.Checked, Cards: []dashboardCard{}}
		for _, k := range d.Cards {
			card := dashboardCard{k.Title, k.Path, k.Count, []dashboardRow{}}
			for _, r := range k.Rows {
				card.Rows = append(card.Rows, dashboardRow{r.Title, r.Level, r.Count, r.Path})
			}
			out.Cards = append(out.Cards, card)
		}
		return answer(out, nil)
	})
	operation(a, Reader, "GET", "/alerts/{card}", "get-alerts", "What counts on a card of the dashboard, and what is wrong there", func(_ *request, in *cardInput) (*body[alertsAnswer], error) {
		k, list, ok := c.cardOf(in.Card)
		if !ok {
			return nil, &problem{Status: http.StatusNotFound, Title: "Not found", Text: "There is no card " + in.Card + " on the dashboard."}
		}
		out := alertsAnswer{Title: k.Title, Findings: []alertAnswer{}}
		out.Criteria, out.Own = c.criteria.of(k.Key)
		for n, r := range cardRows {
			found, _ := c.findingsOf(k, list, n)
			for _, f := range found {
				out.Findings = append(out.Findings, alertAnswer{f.Server, r.id, string(f.Level), f.Resource, f.Value, f.Threshold, f.First, f.Seen, f.Count})
			}
		}
		return answer(out, nil)
	})
	operation(a, Reader, "GET", "/events", "list-events-of-many", "Events of many servers, the newest first", func(rq *request, _ *manyEventsInput) (*body[manyEventsAnswer], error) {
		m, title, err := c.gatherEvents(rq)
		out := manyEventsAnswer{title, m.Asked, m.Left, []eventOfOne{}, m.Cut, []string{}}
		for _, e := range m.List {
			out.Events = append(out.Events, eventOfOne{e.Server, e.Event})
		}
		for _, f := range m.Failed {
			out.Failed = append(out.Failed, f.Text)
		}
		return answer(out, err)
	})
	operation(a, Reader, "GET", "/preferences", "get-preferences", "What who asks chose for the own eyes", func(rq *request, _ *struct{}) (*body[Prefs], error) { return answer(c.prefs(rq), nil) })
	operation(a, Reader, "GET", "/keys", "list-keys", "Keys and display links: the own ones, to an Administrator all", func(rq *request, _ *struct{}) (*body[[]Token], error) {
		list, err := c.tokensOf(rq)
		return answer(some(list), err)
	})
	operation(a, Reader, "POST", "/keys", "add-key", "Make a key for a program, or a display link", func(rq *request, in *newKey) (*body[keyAnswer], error) {
		r, err := c.makeKey(rq, strings.TrimSpace(in.Body.Label), in.Body.Role, in.Body.Days, in.Body.Kind == "display")
		return answer(keyAnswer{r.Secret}, err)
	})
	operation(a, Reader, "DELETE", "/keys/{id}", "revoke-key", "Revoke a key or a display link", func(rq *request, in *byID) (*struct{}, error) { return nil, c.revoke(rq, in.ID) })
	operation(a, Reader, "GET", "/views", "list-views", "Saved views of All servers", func(rq *request, _ *struct{}) (*body[[]View], error) {
		return answer(some(c.prefs(rq).Views), nil)
	})
	operation(a, Reader, "PUT", "/views/{view}", "save-view", "Save a view, or change it", func(rq *request, in *putView) (*struct{}, error) {
		_, err := c.keepView(rq, in.View, in.Body.Query)
		return nil, err
	})
	operation(a, Reader, "DELETE", "/views/{view}", "remove-view", "Forget a view", func(rq *request, in *viewInput) (*struct{}, error) {
		p := c.prefs(rq)
		if !slices.ContainsFunc(p.Views, func(v View) bool { return v.Name == in.View }) {
			return nil, &problem{Status: http.StatusNotFound, Title: "Not found", Text: "There is no view " + in.View + "."}
		}
		p.Views = slices.DeleteFunc(p.Views, func(v View) bool { return v.Name == in.View })
		return nil, c.savePrefs(rq.Context(), rq.who.Account, p)
	})
	operation(a, Reader, "GET", "/queries", "list-queries", "Saved queries of the query explorer", func(rq *request, _ *struct{}) (*body[[]SavedQuery], error) {
		return answer(some(c.prefs(rq).Queries), nil)
	})
	operation(a, Reader, "PUT", "/queries/{query}", "save-query", "Save a query, or change it. It runs by nothing of this", func(rq *request, in *putQuery) (*struct{}, error) {
		q := query{cmpOr(in.Body.Namespace, `root\cimv2`), in.Body.WQL, 0}
		if err := q.check(); err != nil {
			return nil, err
		}
		return nil, c.keepQuery(rq, in.Query, &q)
	})
	operation(a, Reader, "DELETE", "/queries/{query}", "remove-query", "Forget a query", func(rq *request, in *savedInput) (*struct{}, error) { return nil, c.keepQuery(rq, in.Query, nil) })
	operation(a, Operator, "POST", "/find/dns", "find-dns", "Servers that DNS knows. Nothing is added", func(rq *request, in *findDNSInput) (*body[findAnswer], error) {
		p := addPage{Terms: strings.Join(in.Body.Terms, " ")}
		list, err := findDNS(rq.Context(), &p)
		return answer(foundServers(list, p.Notes), err)
	})
	operation(a, Operator, "POST", "/find/directory", "find-directory", "Computers of a directory. Nothing is added", func(rq *request, in *findDirectoryInput) (*body[findAnswer], error) {
		b := in.Body
		p := addPage{Directory: directoryForm{Domain: b.Domain, Controller: b.Controller, Base: b.Base, Security: strings.TrimPrefix(b.Security, "sealed"), Thumbprint: b.Thumbprint, SignIn: b.Credential,
			User: b.User, Like: b.Like, System: b.System, Clients: b.Clients}}
		rq.Form = url.Values{"password": {b.Password}} // as the page's form has it
		list, err := c.findDirectory(rq, &p)
		return answer(foundServers(list, p.Notes), err)
	})
}

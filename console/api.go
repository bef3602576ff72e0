package console

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// The API serves programs what the pages show and do. The types of an operation are its
// description; its route goes through the same gate as a page's.

// api is what operations are registered with.
type api struct {
	c    *Console
	huma huma.API
	role Role // of the operation that is being registered
}

// requestKey is where the context of an operation has its request.
type requestKey struct{}

// HandleFunc registers the route of an operation; it implements humago.Mux.
func (a *api) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	a.c.data(pattern, a.role, func(rq *request) error {
		h(rq, rq.WithContext(context.WithValue(rq.Context(), requestKey{}, rq)))
		return nil
	})
}

// ServeHTTP implements humago.Mux; requests come by the console's own mux.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.c.mux.ServeHTTP(w, r) }

func (c *Console) openAPI() *api {
	a := &api{c: c}
	conf := huma.DefaultConfig("Casement console", "1")
	conf.DocsPath, conf.OpenAPIPath, conf.SchemasPath = "", "", ""
	conf.CreateHooks = nil // no links to schemas in answers
	conf.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer", Description: "A key of Settings, Keys."}}
	conf.Security = []map[string][]string{{"token": {}}}
	a.huma = humago.New(a, conf)
	return a
}

// operation registers one. verb is GET, POST, PATCH, PUT or DELETE.
func operation[I, O any](a *api, role Role, verb, path, id, summary string, do func(*request, *I) (*O, error)) {
	a.role = role
	status := http.StatusOK
	var none O
	if _, empty := any(none).(struct{}); empty {
		status = http.StatusNoContent
	}
	path = "/api/v1" + path
	huma.Register(a.huma, huma.Operation{OperationID: id, Method: verb, Path: path, Summary: summary, Description: "Needs the role " + role.String() + ".",
		DefaultStatus: status, MaxBodyBytes: maxBody, Errors: errorsOf(verb, path), Extensions: map[string]any{"x-casement-role": role.String()}},
		func(ctx context.Context, in *I) (*O, error) {
			rq := ctx.Value(requestKey{}).(*request) // HandleFunc puts it there
			out, err := do(rq, in)
			if err == nil {
				return out, nil
			}
			p := rq.problemOf(err)
			if p.Status >= http.StatusInternalServerError {
				a.c.log.Error("a request of the console failed", "request", rq.id, "path", rq.path(), "user", rq.who.User, "error", err)
			}
			return nil, &huma.ErrorModel{Status: p.Status, Title: cmpOr(p.Title, http.StatusText(p.Status)), Detail: p.Error(), Instance: "urn:casement:request:" + rq.id}
		})
	a.examples(a.huma.OpenAPI().Paths[path], verb, id)
}

// errorsOf are the statuses with which an operation may fail, each told as RFC 9457 says.
func errorsOf(verb, path string) []int {
	list := []int{http.StatusUnauthorized, http.StatusForbidden}
	if strings.Contains(path, "{") {
		list = append(list, http.StatusNotFound)
	}
	if verb != http.MethodGet {
		list = append(list, http.StatusConflict, http.StatusServiceUnavailable)
	}
	if strings.HasPrefix(path, "/api/v1/servers/{name}/") || strings.HasPrefix(path, "/api/v1/find/") {
		list = append(list, http.StatusBadGateway)
	}
	return list
}

// body is the answer of an operation that has a document.
type body[T any] struct{ Body T }

func answer[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{v}, nil
}

// APIServer is a server of the pool with its state, as programs read it.
type APIServer struct {
	pool.Server

	State    string         `json:"state" doc:"As Server Manager words it"`
	Level    string         `json:"level" enum:"ok,info,attention,blocked,none"`
	Reason   string         `json:"reason"`
	Stale    bool           `json:"stale"`
	Snapshot *pool.Snapshot `json:"snapshot,omitempty" doc:"All that was found; absent where it was never asked"`
}

func apiServer(e Entry) APIServer {
	return APIServer{Server: e.Server, State: string(e.State()), Level: string(e.Level()), Reason: e.Reason(), Stale: e.Stale(time.Now()), Snapshot: e.Snapshot}
}

type (
	byName struct {
		Name string `path:"name" maxLength:"253"`
	}
	byID struct {
		ID string `path:"id" maxLength:"100"`
	}
	listInput struct {
		Q    string `query:"q" doc:"A filter, as the page takes it: state:blocked tag:web"`
		Sort string `query:"sort" doc:"A column, with - before it downwards"`
	}
	serversAnswer struct {
		Total   int         `json:"total"`
		Servers []APIServer `json:"servers"`
	}
	// newServer is what a program writes about a server.
	newServer struct {
		Name         string   `json:"name" maxLength:"253"`
		Address      string   `json:"address,omitempty"`
		Endpoint     string   `json:"endpoint,omitempty" doc:"URL of WinRM where it is not http://NAME:5985/wsman"`
		Transport    string   `json:"transport,omitempty" enum:"winrm,dcom,both"`
		ResolverPort uint16   `json:"resolver_port,omitempty"`
		Thumbprint   string   `json:"thumbprint,omitempty" doc:"SHA-256 of the certificate"`
		Tags         []string `json:"tags,omitempty"`
		Credential   string   `json:"credential,omitempty"`
		Note         string   `json:"note,omitempty"`
	}
	changeServers struct {
		Body struct {
			Servers    []string `json:"servers" minItems:"1" doc:"Names; a filter is never taken"`
			Tag        []string `json:"tag,omitempty" doc:"Tags to put on"`
			Untag      []string `json:"untag,omitempty" doc:"Tags to take off"`
			Paused     *bool    `json:"paused,omitempty"`
			Credential *string  `json:"credential,omitempty" doc:"The name of one; empty is the default"`
		}
	}
	newWork struct {
		Body struct {
			Kind       pool.Kind      `json:"kind" enum:"refresh,doctor,query,run,invoke,service,remote-management,copy"`
			Servers    []string       `json:"servers" minItems:"1" doc:"Names; a filter is never taken"`
			Parameters map[string]any `json:"parameters,omitempty" doc:"Those of the kind"`
		}
	}
	workAnswer struct {
		pool.Work

		State   pool.WorkState `json:"state"`
		Results []pool.Result  `json:"results,omitempty"`
	}
	newCredential struct {
		Name string `path:"name" maxLength:"64"`
		Body struct {
			User     string             `json:"user"`
			Password string             `json:"password,omitempty" doc:"Written, never read back; empty keeps the one that is"`
			Scheme   wsmanclient.Scheme `json:"scheme,omitempty"`
			For      []string           `json:"for,omitempty" doc:"Tags, or * for the whole pool"`
		}
	}
)

func (c *Console) registerAPI() {
	a := c.openAPI()
	c.apiAll(a)
	c.data("GET /api/v1/openapi.json", Reader, func(rq *request) error { return rq.json(http.StatusOK, a.huma.OpenAPI()) })
}

func (c *Console) apiAll(a *api) {
	c.apiServers(a)
	c.apiServer(a)
	c.apiWork(a)
	c.apiMine(a)
	c.apiOwn(a)
}

func (c *Console) apiServers(a *api) {
	operation(a, Reader, "GET", "/servers", "list-servers", "Servers, filtered and sorted", func(_ *request, in *listInput) (*body[serversAnswer], error) {
		keep, err := parseFilter(in.Q)
		if err != nil {
			return nil, &problem{Status: http.StatusUnprocessableEntity, Text: err.Error()}
		}
		all, _ := c.fleet.all()
		now := time.Now()
		list := pick(all, func(e Entry) bool { return keep(e, now) })
		sortServers(list, in.Sort)
		out := serversAnswer{Total: len(all), Servers: make([]APIServer, 0, len(list))}
		for _, e := range list {
			out.Servers = append(out.Servers, apiServer(e))
		}
		return answer(out, nil)
	})
	operation(a, Reader, "GET", "/servers/{name}", "get-server", "One server", func(_ *request, in *byName) (*body[APIServer], error) {
		e, ok := c.fleet.get(in.Name)
		if !ok {
			return nil, c.noServer(in.Name)
		}
		return answer(apiServer(e), nil)
	})
	operation(a, Operator, "POST", "/servers", "add-servers", "Add servers, all or none", func(rq *request, in *struct{ Body []newServer }) (*struct{}, error) {
		var list []pool.Server
		for _, s := range in.Body {
			list = append(list, pool.Server{Name: s.Name, Address: s.Address, Endpoint: s.Endpoint, Transport: pool.Transport(s.Transport), ResolverPort: s.ResolverPort,
				Thumbprint: s.Thumbprint, Tags: s.Tags, Credential: s.Credential, Note: s.Note})
		}
		return nil, c.addServers(rq, list)
	})
	operation(a, Operator, "POST", "/import", "import-servers", "Add the servers of a list, all or none", func(rq *request, in *struct {
		Format string `query:"format" doc:"Found out where it is empty"`
		Body   struct {
			Text string `json:"text"`
		}
	}) (*struct{}, error) {
		l, err := lists.Read(strings.NewReader(in.Body.Text), lists.Format(in.Format), "")
		servers, err := taken(l, err, &addPage{})
		if err != nil {
			return nil, err
		}
		return nil, c.addServers(rq, servers)
	})
	operation(a, Operator, "PATCH", "/servers", "change-servers", "Tag, pause and bind servers to a credential", func(rq *request, in *changeServers) (*struct{}, error) {
		list, err := c.known(in.Body.Servers)
		if err != nil {
			return nil, err
		}
		names := namesOf(list)
		if len(in.Body.Tag)+len(in.Body.Untag) > 0 {
			err = c.tagServers(rq, names, in.Body.Tag, in.Body.Untag)
		}
		if err == nil && in.Body.Paused != nil {
			err = c.pauseServers(rq, names, *in.Body.Paused)
		}
		if err == nil && in.Body.Credential != nil {
			err = c.manageAs(rq, names, *in.Body.Credential)
		}
		return nil, err
	})
	operation(a, Operator, "DELETE", "/servers/{name}", "remove-server", "Forget a server", func(rq *request, in *byName) (*struct{}, error) {
		list, err := c.known([]string{in.Name})
		if err != nil {
			return nil, err
		}
		return nil, c.removeServers(rq, namesOf(list))
	})
}

func (c *Console) apiWork(a *api) {
	operation(a, Reader, "GET", "/work", "list-work", "Works of the last 30 days, the newest first", func(rq *request, _ *struct{}) (*body[[]workAnswer], error) {
		list, err := c.allWorks(rq.Context())
		out := make([]workAnswer, 0, len(list))
		for _, w := range list {
			out = append(out, workAnswer{Work: w, State: w.Tally.State()})
		}
		return answer(out, err)
	})
	operation(a, Reader, "GET", "/work"+"/{id}", "get-work", "A work with its results", func(rq *request, in *byID) (*body[workAnswer], error) {
		w, results, err := c.pool.Work(rq.Context(), in.ID)
		return answer(workAnswer{w, w.Tally.State(), results}, err)
	})
	operation(a, Reader, "GET", "/work"+"/{id}/output/{name}", "get-output", "What a work printed on a server", func(rq *request, in *struct {
		ID   string `path:"id" maxLength:"100"`
		Name string `path:"name" maxLength:"253"`
	}) (*body[string], error) {
		return answer(c.pool.Output(rq.Context(), in.ID, in.Name))
	})
	operation(a, Reader, "POST", "/work", "start-work", "Begin an action on servers. The doctor and queries need the role Reader, all others Operator", c.apiStart)
	operation(a, Operator, "POST", "/work"+"/{id}/cancel", "cancel-work", "Drop what waits, tell the rest to stop", func(rq *request, in *byID) (*struct{}, error) {
		err := c.act(rq, auditlog.Entry{Action: "work-cancel", Work: in.ID}, func(*auditlog.Entry) error { return c.pool.Cancel(rq.Context(), in.ID) })
		c.works.forget()
		return nil, err
	})
}

// apiStart begins a work. What needs more than the role of a Reader is asked here.
func (c *Console) apiStart(rq *request, in *newWork) (*body[pool.Work], error) {
	list, err := c.known(in.Body.Servers)
	if err != nil {
		return nil, err
	}
	names := namesOf(list)
	raw, err := json.Marshal(in.Body.Parameters)
	if err != nil {
		return nil, err
	}
	action := pool.Action{Kind: in.Body.Kind}
	if in.Body.Parameters != nil {
		action.Parameters = raw
	}
	e := auditlog.Entry{Action: string(action.Kind), Parameters: map[string]string{"parameters": c.logged(string(raw))}}
	switch action.Kind {
	case pool.KindDoctor, pool.KindQuery:
	default:
		if rq.who.Role < Operator {
			return nil, c.refuse(rq, Operator)
		}
	}
	switch action.Kind {
	case pool.KindRun:
		e.Action = "command"
		fallthrough
	case pool.KindInvoke, pool.KindCopy: // Win32_Process has a method that runs a command, and a file may be a program
		if err := c.mayShell(rq); err != nil {
			return nil, err
		}
	}
	return answer(c.start(rq, e, action, names))
}

// apiOwn are the operations about the console itself.
func (c *Console) apiOwn(a *api) {
	operation(a, Reader, "GET", "/me", "who-am-i", "Who asks, with which role", func(rq *request, _ *struct{}) (*body[map[string]string], error) {
		return answer(map[string]string{"user": rq.who.User, "sid": rq.who.SID, "role": rq.who.Role.String()}, nil)
	})
	operation(a, Reader, "GET", "/credentials", "list-credentials", "Named credentials, without their secrets", func(rq *request, _ *struct{}) (*body[[]pool.Credential], error) {
		return answer(c.pool.Credentials(rq.Context()))
	})
	operation(a, Administrator, "PUT", "/credentials/{name}", "set-credential", "Make or replace a credential", func(rq *request, in *newCredential) (*struct{}, error) {
		return nil, c.setCredential(rq, pool.Credential{Name: in.Name, User: in.Body.User, Scheme: in.Body.Scheme, For: in.Body.For}, []byte(in.Body.Password))
	})
	operation(a, Administrator, "DELETE", "/credentials/{name}", "remove-credential", "Forget a credential", func(rq *request, in *byName) (*struct{}, error) {
		return nil, c.forgetCredential(rq, in.Name)
	})
	operation(a, Reader, "GET", "/settings", "get-settings", "What administrators chose", func(_ *request, _ *struct{}) (*body[Settings], error) { return answer(c.settings.get(), nil) })
	operation(a, Administrator, "PUT", "/settings", "set-settings", "Choose for all", func(rq *request, in *body[Settings]) (*struct{}, error) {
		for _, role := range in.Body.Roles {
			if _, err := ParseRole(role); err != nil {
				return nil, &problem{Status: http.StatusUnprocessableEntity, Text: err.Error()}
			}
		}
		b, err := json.Marshal(in.Body)
		if err != nil {
			return nil, err
		}
		return nil, c.act(rq, auditlog.Entry{Action: "settings-console", Parameters: map[string]string{"settings": c.logged(string(b))}}, func(*auditlog.Entry) error {
			return c.settings.save(rq.Context(), c.store, in.Body)
		})
	})
	operation(a, Administrator, "GET", "/audit", "list-audit", "The newest entries of the audit log", func(_ *request, in *struct {
		Q string `query:"q"`
		N int    `query:"n" minimum:"1" maximum:"10000" default:"300"`
	}) (*body[[]auditlog.Entry], error) {
		return answer(c.newestAudit(in.Q, in.N))
	})
}

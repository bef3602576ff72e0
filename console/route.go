package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/casementhq/casement/console/auditlog"
)

// route is one pattern of the mux. Every one is made by the methods below, so that
// none is without a gate.
type route struct {
	Pattern string // "GET /servers"
	Role    Role   // NoRole: anybody
	// Kind says how a request without a session is answered.
	kind routeKind
}

type routeKind int

const (
	kindPage routeKind = iota // by the sign-in page
	kindData                  // by 401
	kindOpen                  // as any other
)

// page registers a page or the handler of a form, for who has a role.
func (c *Console) page(pattern string, role Role, h func(*request) error) {
	c.route(route{pattern, role, kindPage}, h)
}

// data registers what scripts and programs ask for: without a session it is 401.
func (c *Console) data(pattern string, role Role, h func(*request) error) {
	c.route(route{pattern, role, kindData}, h)
}

// open registers what anybody may see.
func (c *Console) open(pattern string, h func(*request) error) {
	c.route(route{pattern, NoRole, kindOpen}, h)
}

func (c *Console) route(rt route, h func(*request) error) {
	c.routes = append(c.routes, rt)
	c.mux.HandleFunc(rt.Pattern, func(w http.ResponseWriter, r *http.Request) {
		rq := w.(*request) // ServeHTTP gives nothing else
		rq.Request = r
		if err := c.gate(rq, rt); err != nil {
			rq.fail(err)
			return
		}
		if rq.begun {
			return
		}
		if !safe(rq.Method) {
			r.Body = http.MaxBytesReader(rq, r.Body, maxBody)
		}
		if err := h(rq); err != nil {
			rq.fail(err)
		}
	})
}

// maxBody bounds what is posted: a list of servers to import is the largest.
const maxBody = 8 << 20

// gate is the one place where sign-in and role are asked.
func (c *Console) gate(rq *request, rt route) error {
	if rt.kind == kindOpen {
		return nil
	}
	if !rq.who.known() {
		if rt.kind == kindPage && safe(rq.Method) {
			c.askSignIn(rq)
			return nil
		}
		rq.Header().Set("WWW-Authenticate", "Bearer")
		return &problem{Status: http.StatusUnauthorized, Title: "Not signed in", Text: "Nobody is signed in, or the session has ended.", Next: "Sign in, and try it again."}
	}
	if rq.who.Role >= rt.Role {
		return nil
	}
	return c.refuse(rq, rt.Role)
}

// refuse writes down that a role did not suffice, and says so.
func (c *Console) refuse(rq *request, need Role) error {
	e := auditlog.Entry{Action: "denied", Result: auditlog.Denied, Parameters: map[string]string{"request": bounded(rq.Method+" "+rq.URL.Path, 200)}, Words: "the role " + need.String() + " is needed"}
	if err := c.note(rq, e); err != nil {
		c.log.Error("the audit log cannot be written", "error", err)
	}
	return needRole(need)
}

// bounded is the beginning of what somebody sent.
func bounded(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// needRole says that a role does not suffice.
func needRole(r Role) *problem {
	return &problem{Status: http.StatusForbidden, Title: "Not permitted", Text: "Your role may not do this.", Next: "It needs the role " + r.String() + "."}
}

// askSignIn answers who is not signed in. A link from outside comes without the
// cookie, which is strict: a page that asks for itself once brings it along.
func (c *Console) askSignIn(rq *request) {
	site := rq.Request.Header.Get("Sec-Fetch-Site")
	if (site == "cross-site" || site == "same-site") && rq.Method == http.MethodGet {
		c.render(rq, http.StatusOK, "reload.html", page{Title: "Opening", Data: rq.URL.RequestURI()})
		return
	}
	to := "/signin"
	if back := rq.URL.RequestURI(); back != "/" {
		to += "?next=" + url.QueryEscape(back)
	}
	http.Redirect(rq, rq.Request, to, http.StatusSeeOther)
}

// local is a path of this console to go on to, "/" where next is none.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") ||
		strings.ContainsAny(next, "\\\r\n") || strings.HasPrefix(u.Path, "/signin") || strings.HasPrefix(u.Path, "/signout") {
		return "/"
	}
	return u.RequestURI()
}

// Routes are the patterns of all routes, for tests that walk them.
func (c *Console) Routes() []string {
	var list []string
	for _, r := range c.routes {
		list = append(list, r.Pattern)
	}
	return slices.Sorted(slices.Values(list))
}

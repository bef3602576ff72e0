package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
)

// Actions on servers of the pool: the forms of the pages and the API both end here.
// Each is written to the audit log before it is done.

// manyServers is from how many servers on a change is confirmed by their number.
const manyServers = 10

// known are the entries of names, or which is not in the pool.
func (c *Console) known(names []string) ([]Entry, error) {
	if len(names) == 0 {
		return nil, &problem{Status: http.StatusBadRequest, Title: "Nothing is selected", Text: "No server is selected.", Next: "Select some and try it again."}
	}
	var list []Entry
	seen := make(map[string]bool, len(names))
	for _, n := range names {
		e, ok := c.fleet.get(n)
		if !ok {
			return nil, c.noServer(n)
		}
		if !seen[e.Name] {
			seen[e.Name] = true
			list = append(list, e)
		}
	}
	return list, nil
}

func namesOf(list []Entry) []string {
	names := make([]string, len(list))
	for n, e := range list {
		names[n] = e.Name
	}
	return names
}

// addServers adds all or none.
func (c *Console) addServers(rq *request, servers []pool.Server) error {
	if c.settings.get().AdministratorsAdd && rq.who.Role < Administrator {
		return c.refuse(rq, Administrator)
	}
	if len(servers) == 0 {
		return &problem{Status: http.StatusBadRequest, Title: "Nothing to add", Text: "No server is named."}
	}
	var names []string
	for n := range servers {
		s := &servers[n]
		if err := lists.CheckName(s.Name); err != nil {
			return &problem{Status: http.StatusUnprocessableEntity, Title: "Nothing was added", Text: fmt.Sprintf("%q is not a name or an address.", s.Name)}
		}
		if strings.EqualFold(s.Name, "add") {
			return &problem{Status: http.StatusUnprocessableEntity, Title: "Nothing was added", Text: `A server cannot be named "add" here: its page would be this one.`}
		}
		for _, t := range s.Tags {
			if err := lists.CheckTag(t); err != nil {
				return &problem{Status: http.StatusUnprocessableEntity, Title: "Nothing was added", Text: err.Error()}
			}
		}
		s.Added, s.AddedBy = time.Now().UTC(), rq.who.User
		names = append(names, s.Name)
	}
	if err := c.mayHand(rq, nil, servers); err != nil {
		return err
	}
	return c.act(rq, auditlog.Entry{Action: "server-add", Targets: names}, func(*auditlog.Entry) error {
		return c.pool.Add(rq.Context(), servers)
	})
}

func (c *Console) removeServers(rq *request, names []string) error {
	return c.act(rq, auditlog.Entry{Action: "server-remove", Targets: names}, func(*auditlog.Entry) error {
		return c.each(rq.Context(), names, c.pool.Remove)
	})
}

// each does something with every server, and says how far it came where it fails.
func (c *Console) each(ctx context.Context, names []string, do func(context.Context, string) error) error {
	for n, name := range names {
		if err := do(ctx, name); err != nil {
			if n == 0 {
				return err
			}
			return fmt.Errorf("done with %d of %d; %s: %w", n, len(names), name, err)
		}
	}
	return nil
}

// tagServers puts tags on servers and takes others off.
func (c *Console) tagServers(rq *request, names, on, off []string) error {
	for _, t := range on {
		if err := lists.CheckTag(t); err != nil {
			return &problem{Status: http.StatusUnprocessableEntity, Title: "Not a tag", Text: err.Error()}
		}
	}
	e := auditlog.Entry{Action: "server-tag", Targets: names, Parameters: map[string]string{"on": strings.Join(on, ","), "off": strings.Join(off, ",")}}
	return c.update(rq, e, func(s *pool.Server) error {
		s.Tags = slices.DeleteFunc(s.Tags, func(t string) bool {
			return slices.ContainsFunc(off, func(o string) bool { return strings.EqualFold(o, t) })
		})
		for _, t := range on {
			if !slices.ContainsFunc(s.Tags, func(o string) bool { return strings.EqualFold(o, t) }) {
				s.Tags = append(s.Tags, t)
			}
		}
		slices.Sort(s.Tags)
		return nil
	})
}

func (c *Console) pauseServers(rq *request, names []string, paused bool) error {
	action := map[bool]string{true: "server-pause", false: "server-resume"}[paused]
	return c.update(rq, auditlog.Entry{Action: action, Targets: names}, func(s *pool.Server) error {
		s.Paused = paused
		return nil
	})
}

// manageAs binds servers to a named credential; "" is that of a tag, or the pool's.
func (c *Console) manageAs(rq *request, names []string, credential string) error {
	if c.settings.get().AdministratorsAdd && rq.who.Role < Administrator {
		return c.refuse(rq, Administrator)
	}
	if credential != "" {
		list, err := c.pool.Credentials(rq.Context())
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(list, func(k pool.Credential) bool { return strings.EqualFold(k.Name, credential) }) {
			return &problem{Status: http.StatusUnprocessableEntity, Title: "Not changed", Text: "There is no credential " + credential + "."}
		}
	}
	err := c.update(rq, auditlog.Entry{Action: "credential-bind", Targets: names, Parameters: map[string]string{"credential": credential}}, func(s *pool.Server) error {
		s.Credential = credential
		return nil
	})
	if err == nil {
		_, err = c.start(rq, auditlog.Entry{Action: "refresh"}, pool.Action{Kind: pool.KindRefresh}, names)
	}
	return err
}

func (c *Console) update(rq *request, e auditlog.Entry, change func(*pool.Server) error) error {
	var before, after []pool.Server
	for _, name := range e.Targets {
		if s, ok := c.fleet.get(name); ok {
			next := s.Server
			next.Tags = slices.Clone(s.Tags)
			if err := change(&next); err != nil {
				return err
			}
			before, after = append(before, s.Server), append(after, next)
		}
	}
	if err := c.mayHand(rq, before, after); err != nil {
		return err
	}
	return c.act(rq, e, func(*auditlog.Entry) error {
		return c.each(rq.Context(), e.Targets, func(ctx context.Context, name string) error { return c.pool.Update(ctx, name, change) })
	})
}

// start begins a work on servers by name.
func (c *Console) start(rq *request, e auditlog.Entry, a pool.Action, names []string) (w pool.Work, err error) {
	e.Targets = names
	err = c.act(rq, e, func(e *auditlog.Entry) error {
		w, err = c.pool.Start(rq.Context(), a, names, rq.who.User)
		e.Work = w.ID
		return err
	})
	if err == nil {
		c.works.forget()
		c.live.changed("flag")
	}
	return w, err
}

// actionOf makes an action of its kind and parameters.
func actionOf(kind pool.Kind, parameters any) (pool.Action, error) {
	b, err := json.Marshal(parameters)
	return pool.Action{Kind: kind, Parameters: b}, err
}

func (c *Console) registerActions() {
	c.form("/servers/do", Operator, c.doServers)
	c.form(workPath+"/{id}/cancel", Operator, func(rq *request) (result, error) {
		id := rq.PathValue("id")
		err := c.act(rq, auditlog.Entry{Action: "work-cancel", Work: id}, func(*auditlog.Entry) error { return c.pool.Cancel(rq.Context(), id) })
		c.works.forget()
		if err == nil {
			c.live.changed("work:" + id)
		}
		return result{Message: "Cancelled: what waits is dropped, what runs is told to stop.", Location: workPage(id)}, err
	})
}

// doServers is the form around the table of servers: what to do is the button.
func (c *Console) doServers(rq *request) (result, error) {
	list, err := c.known(rq.PostForm["server"])
	if err != nil {
		return result{}, err
	}
	names := namesOf(list)
	some := plural(len(names), "server")
	switch do := rq.PostForm.Get("do"); do {
	case "refresh":
		w, err := c.start(rq, auditlog.Entry{Action: "refresh"}, pool.Action{Kind: pool.KindRefresh}, names)
		return result{Message: "Refreshing " + some + ".", Location: local(cmpOr(rq.PostForm.Get("back"), workPage(w.ID)))}, err
	case "doctor":
		w, err := c.start(rq, auditlog.Entry{Action: "doctor"}, pool.Action{Kind: pool.KindDoctor}, names)
		return result{Message: "The doctor examines " + some + ".", Location: workPage(w.ID)}, err
	case "tag", "untag":
		tags := strings.FieldsFunc(rq.PostForm.Get("tag"), func(r rune) bool { return r == ' ' || r == ',' })
		if len(tags) == 0 {
			return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "No tag", Text: "No tag is named."}
		}
		on, off, back := tags, []string(nil), "untag"
		if do == "untag" {
			on, off, back = nil, tags, "tag"
		}
		err := c.tagServers(rq, names, on, off)
		u := &undo{Path: "/servers/do", Values: url.Values{"server": names, "do": {back}, "tag": {strings.Join(tags, ",")}}}
		return result{Message: fmt.Sprintf("%s %s: %s.", map[string]string{"tag": "Tagged", "untag": "Took the tag off"}[do], some, strings.Join(tags, ", ")), Undo: u}, err
	case "resume":
		return result{Message: "Resumed " + some + "."}, c.pauseServers(rq, names, false)
	case "pause":
		if err := rq.confirm(confirmation{Level: levelFor(names), Title: "Pause " + some, Effect: "They are asked nothing until somebody resumes them; what is known of them stays as it is.", List: names, Do: "Pause"}); err != nil {
			return result{}, err
		}
		return result{Message: "Paused " + some + "."}, c.pauseServers(rq, names, true)
	case "remove":
		if err := rq.confirm(confirmation{Level: levelFor(names), Title: "Remove " + some + " from the pool", Effect: "Nothing changes on the servers. What the pool knows of them is forgotten.", List: names, Do: "Remove"}); err != nil {
			return result{}, err
		}
		return result{Message: "Removed " + some + " from the pool.", Location: "/servers"}, c.removeServers(rq, names)
	case "manage-as":
		if len(names) > manyServers {
			if err := rq.confirm(confirmation{Level: 2, Title: "Manage " + some + " as " + cmpOr(rq.PostForm.Get("credential"), "the default"), List: names, Do: "Change"}); err != nil {
				return result{}, err
			}
		}
		return result{Message: "Changed the credential of " + some + "; they are being asked."}, c.manageAs(rq, names, rq.PostForm.Get("credential"))
	case "run", "service":
		q := url.Values{"on": names}
		return result{Message: "", Location: "/" + do + "?" + q.Encode()}, nil
	default:
		return result{}, &problem{Status: http.StatusBadRequest, Title: "Not understood", Text: "There is no such action."}
	}
}

// levelFor is the level of confirmation of a change: by their number from eleven on.
func levelFor(names []string) int {
	if len(names) > manyServers {
		return 2
	}
	return 1
}

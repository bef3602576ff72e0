package console

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/internal/machine"
)

// usersData is what the tab Users shows.
type usersData struct {
	Users  []machine.User
	Groups []machine.Group
	// All are the names of the groups that somebody can be added to, whatever the filter.
	All                   []string
	View                  string // users or groups
	Text                  string
	TotalUsers, AllGroups int
	New                   bool
}

func (c *Console) registerServerUsers() {
	c.serverTab("users", "users.html", c.loadUsers)
	c.form("/servers/{name}/users", Operator, c.doUser)
}

// loadUsers reads users and groups, and keeps what the filter of the request wants.
func (c *Console) loadUsers(ctx context.Context, rq *request, _ Entry, conn *casement.Connection) (any, bool, error) {
	q := rq.URL.Query()
	d := usersData{View: "users", Text: strings.TrimSpace(q.Get("q")), New: q.Has("new")}
	if q.Get("view") == "groups" {
		d.View = "groups"
	}
	var cut bool
	err := session(ctx, conn, "", func(s cim.Session) (err error) {
		d.Users, d.Groups, cut, err = machine.Accounts(ctx, s)
		return err
	})
	d.TotalUsers, d.AllGroups = len(d.Users), len(d.Groups)
	slices.SortStableFunc(d.Users, func(a, b machine.User) int { return last(d.Foreign(a.SID), d.Foreign(b.SID)) })
	slices.SortStableFunc(d.Groups, func(a, b machine.Group) int { return last(d.Foreign(a.SID), d.Foreign(b.SID)) })
	for _, g := range d.Groups {
		if !d.Foreign(g.SID) {
			d.All = append(d.All, g.Name)
		}
	}
	words := strings.Fields(strings.ToLower(d.Text))
	missing := func(parts ...string) bool {
		hay := strings.ToLower(strings.Join(parts, "\n"))
		return slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(hay, w) })
	}
	d.Users = slices.DeleteFunc(d.Users, func(u machine.User) bool {
		return missing(u.Name, u.FullName, u.Description, strings.Join(u.Groups, "\n"))
	})
	d.Groups = slices.DeleteFunc(d.Groups, func(g machine.Group) bool { return missing(g.Name, g.Description, strings.Join(g.Members, "\n")) })
	return d, cut, err
}

// last puts what cannot be changed behind what can.
func last(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// Foreign tells whether an account is one of Unix, which the commands of Windows do
// not change.
func (usersData) Foreign(sid string) bool { return strings.HasPrefix(sid, "S-1-22-") }

// BuiltIn tells whether an account is one that Windows has of itself.
func (usersData) BuiltIn(sid string) bool {
	return strings.HasPrefix(sid, "S-1-5-21-") && (strings.HasSuffix(sid, "-500") || strings.HasSuffix(sid, "-501"))
}

// doUser changes a user, or who is in a group.
func (c *Console) doUser(rq *request) (result, error) {
	e, err := c.server(rq)
	if err != nil {
		return result{}, err
	}
	f := rq.PostForm
	ch := accountChange{Do: f.Get("do"), User: strings.TrimSpace(f.Get("user")), Group: strings.TrimSpace(f.Get("group")),
		FullName: strings.TrimSpace(f.Get("full_name")), Comment: strings.TrimSpace(f.Get("comment")), Password: f.Get("password")}
	if ch.Do == userAdd && f.Get("again") != ch.Password {
		return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Not done", Text: "The two passwords differ."}
	}
	if err := ch.check(); err != nil {
		return result{}, err
	}
	if k := ch.question(e); k != nil {
		if err := rq.confirm(*k); err != nil {
			return result{}, err
		}
	}
	r, err := c.changeAccount(rq, e, ch)
	if r.Location == "" {
		r.Location = serverPath(e.Name, "users")
		if ch.Group != "" {
			r.Location += "?view=groups"
		}
		if back := local(f.Get("back")); strings.HasPrefix(back, serverPath(e.Name, "users")) && !strings.Contains(back, "new=") {
			r.Location = back
		}
	}
	return r, err
}

package console

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/internal/store"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// settingsPage is all of the settings: the user's own, and those of all.
type settingsPage struct {
	Tab         string
	Prefs       Prefs
	Settings    Settings
	Roles       []roleRow
	Credentials []pool.Credential
	Tokens      []Token
	Fingerprint string
	Names       []string
}

type roleRow struct{ Group, Role string }

var settingsTabs = []string{"own", "keys", "credentials", "roles", "console"}

func (c *Console) registerSettings() {
	c.page("GET /settings", Reader, c.showSettings)
	c.page("GET /settings/{tab}", Reader, c.showSettings)
	c.form("/settings/own", Reader, c.saveOwn)
	c.form("/settings/keys", Reader, c.addKey)
	c.form("/settings/keys/{id}/revoke", Reader, c.revokeKey)
	c.form("/settings/credentials", Administrator, c.saveCredential)
	c.form("/settings/credentials/{name}/remove", Administrator, c.removeCredential)
	c.form("/settings/roles", Administrator, c.saveRole)
	c.form("/settings/console", Administrator, c.saveConsole)
	c.form("/views", Reader, c.saveView)
	c.form("/views/remove", Reader, c.removeView)
	c.open("GET /display/{secret}", c.showDisplay)
	c.open("GET /display/{secret}/live", c.liveDisplay)
}

func (c *Console) showSettings(rq *request) error {
	p := settingsPage{Tab: cmpOr(rq.PathValue("tab"), "own"), Prefs: c.prefs(rq), Settings: c.settings.get(), Fingerprint: colons(c.o.Fingerprint), Names: keys(c.names)}
	if !slices.Contains(settingsTabs, p.Tab) {
		return &problem{Status: http.StatusNotFound, Title: "Not found", Text: "There are no settings " + p.Tab + ".", Next: "Look under Settings."}
	}
	for _, g := range keys(p.Settings.Roles) {
		p.Roles = append(p.Roles, roleRow{g, p.Settings.Roles[g]})
	}
	var err error
	if p.Credentials, err = c.pool.Credentials(rq.Context()); err != nil {
		return err
	}
	if p.Tokens, err = c.tokensOf(rq); err != nil {
		return err
	}
	c.render(rq, http.StatusOK, "settings.html", page{Title: "Settings", Nav: "/settings", Data: p})
	return nil
}

// tokensOf are the tokens that somebody may see: the own ones, an administrator all.
func (c *Console) tokensOf(rq *request) ([]Token, error) {
	list, err := listJSON[Token](rq.Context(), c.store, tokenPrefix)
	list = slices.DeleteFunc(list, func(t Token) bool { return rq.who.Role < Administrator && !strings.EqualFold(t.User, rq.who.User) })
	slices.SortFunc(list, func(a, b Token) int { return b.Made.Compare(a.Made) })
	return list, err
}

func (c *Console) saveOwn(rq *request) (result, error) {
	p := c.prefs(rq)
	p.Theme, p.Time, p.Density, p.NoKeys = rq.PostForm.Get("theme"), rq.PostForm.Get("time"), rq.PostForm.Get("density"), rq.PostForm.Get("keys") == ""
	return result{Message: "Saved.", Location: "/settings"}, c.savePrefs(rq.Context(), rq.who.Account, p)
}

// addKey makes a token for a program, or a display link.
func (c *Console) addKey(rq *request) (result, error) {
	days, err := strconv.Atoi(cmpOr(rq.PostForm.Get("days"), "90"))
	if err != nil {
		days = 0 // no number of days
	}
	return c.makeKey(rq, strings.TrimSpace(rq.PostForm.Get("label")), rq.PostForm.Get("role"), days, rq.PostForm.Get("kind") == "display")
}

func (c *Console) makeKey(rq *request, label, roleName string, days int, display bool) (result, error) {
	role, err := ParseRole(cmpOr(roleName, "Reader"))
	switch {
	case err != nil:
		return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Not made", Text: err.Error()}
	case days < 1 || time.Duration(days)*24*time.Hour > maxTokenLife:
		return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Not made", Text: "A key is good for 1 to 366 days."}
	case label == "" || len(label) > 100:
		return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Not made", Text: "A key needs a label, of at most 100 characters: what is it for?"}
	case role > rq.who.Role:
		return result{}, needRole(role)
	}
	if display {
		role = Reader
	}
	t := Token{Label: label, User: rq.who.User, Role: role.String(), Display: display, Expires: time.Now().UTC().Add(time.Duration(days) * 24 * time.Hour)}
	if rq.who.Token != "" && t.Expires.After(rq.who.Ends) {
		t.Expires = rq.who.Ends // what a key makes ends with it
	}
	var secret string
	action := map[bool]string{true: "display-add", false: "key-add"}[display]
	err = c.act(rq, auditlog.Entry{Action: action, Parameters: map[string]string{"label": label, "role": t.Role}}, func(*auditlog.Entry) error {
		var err error
		t, secret, err = c.makeToken(rq.Context(), t)
		return err
	})
	if display {
		secret = "/display/" + secret
	}
	return result{Message: "Made. It is shown this once:", Secret: secret, Location: "/settings/keys"}, err
}

func (c *Console) revokeKey(rq *request) (result, error) {
	return result{Message: "Revoked.", Location: "/settings/keys"}, c.revoke(rq, rq.PathValue("id"))
}

func (c *Console) revoke(rq *request, id string) error {
	mine, err := c.tokensOf(rq)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(mine, func(t Token) bool { return t.ID == id }) {
		return &problem{Status: http.StatusNotFound, Title: "Not found", Text: "There is no such key."}
	}
	err = c.act(rq, auditlog.Entry{Action: "key-revoke", Parameters: map[string]string{"key": id}}, func(*auditlog.Entry) error { return c.dropToken(rq, id) })
	c.streams.end(id)
	return err
}

func (c *Console) saveCredential(rq *request) (result, error) {
	k := pool.Credential{Name: rq.PostForm.Get("name"), User: rq.PostForm.Get("user"), Scheme: wsmanclient.Scheme(rq.PostForm.Get("scheme")), For: strings.Fields(strings.ReplaceAll(rq.PostForm.Get("for"), ",", " "))}
	err := c.setCredential(rq, k, []byte(rq.PostForm.Get("password")))
	return result{Message: "Saved the credential " + k.Name + ".", Location: "/settings/credentials"}, err
}

func (c *Console) removeCredential(rq *request) (result, error) {
	name := rq.PathValue("name")
	if err := rq.confirm(confirmation{Level: 1, Title: "Remove the credential " + name, Effect: "Its password is forgotten.", List: []string{name}, Do: "Remove"}); err != nil {
		return result{}, err
	}
	return result{Message: "Removed the credential " + name + ".", Location: "/settings/credentials"}, c.forgetCredential(rq, name)
}

// setCredential makes or replaces one. An empty password keeps the one that is.
func (c *Console) setCredential(rq *request, k pool.Credential, password []byte) error {
	e := auditlog.Entry{Action: "credential-set", Parameters: map[string]string{"credential": k.Name, "user": k.User, "for": strings.Join(k.For, ",")}}
	return c.act(rq, e, func(*auditlog.Entry) error { return c.pool.SetCredential(rq.Context(), k, password) })
}

func (c *Console) forgetCredential(rq *request, name string) error {
	e := auditlog.Entry{Action: "credential-remove", Parameters: map[string]string{"credential": name}}
	return c.act(rq, e, func(*auditlog.Entry) error { return c.pool.RemoveCredential(rq.Context(), name) })
}

// saveRole gives a group a role, or takes it away.
func (c *Console) saveRole(rq *request) (result, error) {
	group, role := strings.TrimSpace(rq.PostForm.Get("group")), rq.PostForm.Get("role")
	if group == "" || len(group) > 256 {
		return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Not changed", Text: "No group is named."}
	}
	s := c.settings.get()
	action := "role-remove"
	delete(s.Roles, group)
	if role != "" {
		r, err := ParseRole(role)
		if err != nil {
			return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Not changed", Text: err.Error()}
		}
		if s.Roles == nil {
			s.Roles = map[string]string{}
		}
		s.Roles[group], action = r.String(), "role-set"
	}
	err := c.act(rq, auditlog.Entry{Action: action, Parameters: map[string]string{"group": group, "role": role}}, func(*auditlog.Entry) error { return c.settings.save(rq.Context(), c.store, s) })
	return result{Message: "Changed the role of " + group + ". It counts at once.", Location: "/settings/roles"}, err
}

func (c *Console) saveConsole(rq *request) (result, error) {
	s := c.settings.get()
	s.Shell, s.HashCommands, s.AdministratorsAdd = rq.PostForm.Get("shell"), rq.PostForm.Get("hash") != "", rq.PostForm.Get("addadmin") != ""
	if !slices.Contains([]string{"operators", "administrators", "nobody"}, s.Shell) {
		return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Not changed", Text: "A shell is for operators, administrators or nobody."}
	}
	p := map[string]string{"shell": s.Shell, "hash_commands": strconv.FormatBool(s.HashCommands), "administrators_add": strconv.FormatBool(s.AdministratorsAdd)}
	err := c.act(rq, auditlog.Entry{Action: "settings-console", Parameters: p}, func(*auditlog.Entry) error { return c.settings.save(rq.Context(), c.store, s) })
	return result{Message: "Saved.", Location: "/settings/console"}, err
}

func (c *Console) saveView(rq *request) (result, error) {
	return c.keepView(rq, strings.TrimSpace(rq.PostForm.Get("name")), rq.PostForm.Get("query"))
}

func (c *Console) keepView(rq *request, name, q string) (result, error) {
	if name == "" || len(name) > 60 || len(q) > 2000 {
		return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Not saved", Text: "A view needs a name, of at most 60 characters."}
	}
	p := c.prefs(rq)
	p.Views = slices.DeleteFunc(p.Views, func(v View) bool { return strings.EqualFold(v.Name, name) })
	p.Views = append(p.Views, View{name, q})
	slices.SortFunc(p.Views, func(a, b View) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return result{Message: "Saved the view " + name + "."}, c.savePrefs(rq.Context(), rq.who.Account, p)
}

func (c *Console) removeView(rq *request) (result, error) {
	p := c.prefs(rq)
	p.Views = slices.DeleteFunc(p.Views, func(v View) bool { return v.Name == rq.PostForm.Get("name") })
	return result{Message: "Removed the view."}, c.savePrefs(rq.Context(), rq.who.Account, p)
}

// dropToken takes a token out by its id.
func (c *Console) dropToken(rq *request, id string) error {
	return c.store.Update(rq.Context(), func(tx *store.Tx) error {
		cur := tx.Cursor([]byte(tokenPrefix))
		for ok := cur.Seek([]byte(tokenPrefix)); ok; ok = cur.Next() {
			if strings.Contains(string(cur.Value()), `"id":"`+id+`"`) {
				return tx.Delete(slices.Clone(cur.Key()))
			}
		}
		return cur.Err()
	})
}

// display finds the link that a path names.
func (c *Console) display(rq *request) error {
	t, found, err := c.token(rq.Context(), rq.PathValue("secret"))
	if err != nil {
		return err
	}
	if found {
		a, err := c.o.Current(rq.Context(), t.User)
		found = err == nil && t.Display && roleOf(a, c.settings.get().Roles) >= Reader
	}
	if !found {
		return &problem{Status: http.StatusNotFound, Title: "Not found", Text: "This display link was revoked, has expired, or never was one."}
	}
	rq.who = who{Display: t.ID}
	return nil
}

// showDisplay is the dashboard on a wall: it needs no sign-in, and leads nowhere.
func (c *Console) showDisplay(rq *request) error {
	if err := c.display(rq); err != nil {
		return err
	}
	d := c.dashboard(rq.Context())
	d.Display, d.Work = true, nil
	c.render(rq, http.StatusOK, "display.html", page{Title: "Dashboard", Data: d, Wide: true, LivePath: "/display/" + rq.PathValue("secret") + "/live"})
	return nil
}

func (c *Console) liveDisplay(rq *request) error {
	if err := c.display(rq); err != nil {
		return err
	}
	if c.streams.count(rq.who.Display) >= mostStreams {
		return &problem{Status: http.StatusTooManyRequests, Text: "This link has too many screens."}
	}
	ctx, done := c.streams.add(rq.Context(), rq.who.Display)
	defer done()
	return c.streamTopics(ctx, rq, []string{"counts"}, func() bool { return c.display(rq) == nil })
}

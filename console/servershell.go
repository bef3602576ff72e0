package console

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/casementhq/casement/console/auditlog"
)

// shellData is what the tab Shell shows.
type shellData struct {
	Shell   *shellState
	Others  []string // shells of the same person here
	Who     string   // the account on the server
	Allowed string   // why there is none
}

func (c *Console) registerServerShell() {
	c.page("GET /servers/{name}/shell", Reader, c.shellPage)
	c.page("POST /servers/{name}/shell", Operator, c.openShellPage)
	c.page("POST /servers/{name}/shell/{id}", Operator, c.writeShell)
	c.data("GET /servers/{name}/shell/{id}/output", Operator, c.saveShell)
	c.live.follow("shell", source{role: Operator, load: c.liveShell, may: func(rq *request, id string) bool {
		return c.shells.of(id, rq.who.User) != nil && c.shellBarred(rq) == ""
	}})
}

// shellBarred says why somebody may not have a shell, "" where they may. See
// spec/console.md 4.
func (c *Console) shellBarred(rq *request) string {
	switch who := c.settings.get().Shell; {
	case who == "nobody":
		return "Shells are switched off in the settings."
	case rq.who.Session == "":
		return "A shell belongs to somebody who signed in."
	case who == "administrators" && rq.who.Role < Administrator:
		return "Shells are for administrators, by the settings."
	case rq.who.Role < Operator:
		return "Needs the role Operator; yours is " + rq.who.Role.String() + "."
	}
	return ""
}

func (c *Console) shellPage(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	d := shellData{Allowed: c.shellBarred(rq), Who: e.snapshot().Account}
	open := c.shells.on(e.Name, rq.who.User)
	shown := c.shells.of(rq.URL.Query().Get("id"), rq.who.User)
	if !rq.URL.Query().Has("id") && len(open) > 0 {
		shown = open[0] // who comes back finds the own shell
	}
	if shown != nil && shown.server == e.Name && d.Allowed == "" {
		state := shown.state()
		d.Shell = &state
	}
	for _, s := range open {
		if d.Shell == nil || s.id != d.Shell.ID {
			d.Others = append(d.Others, s.id)
		}
	}
	return c.renderServer(rq, http.StatusOK, "shell.html", serverPage{Entry: e, Tab: "shell", Tabs: serverTabs, Data: d})
}

func (c *Console) openShellPage(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	if why := c.shellBarred(rq); why != "" {
		return &problem{Status: http.StatusForbidden, Title: "No shell", Text: why}
	}
	var s *openShell
	err = c.act(rq, auditlog.Entry{Action: "shell-open", Targets: []string{e.Name}}, func(*auditlog.Entry) (err error) {
		s, err = c.openShellOn(rq, e, rq.PostFormValue("program"))
		return err
	})
	if err != nil {
		return rq.serverProblem(e, err)
	}
	http.Redirect(rq, rq.Request, serverPath(e.Name, "shell")+"?id="+s.id, http.StatusSeeOther)
	return nil
}

// writeShell gives a shell its input, interrupts it, or ends it.
func (c *Console) writeShell(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	s := c.shells.of(rq.PathValue("id"), rq.who.User)
	if s == nil || s.server != e.Name || c.shellBarred(rq) != "" {
		return &problem{Status: http.StatusNotFound, Title: "No such shell", Text: "You have no such shell on " + e.Name + ".", Next: "Open another one."}
	}
	switch rq.PostFormValue("do") {
	case "interrupt":
		err = s.interrupt(rq.Context())
	case "clear":
		s.clear()
	case "end":
		s.end("You ended it.")
	default:
		text := strings.TrimRight(strings.ReplaceAll(rq.PostFormValue("line"), "\r\n", "\n"), "\n")
		if len(text) > shellLine {
			return &problem{Status: http.StatusRequestEntityTooLarge, Text: "At most 8 kB go to a shell at once."}
		}
		entry := auditlog.Entry{Action: "command", Targets: []string{e.Name}, Parameters: map[string]string{"command": c.commandText(text)}}
		err = c.act(rq, entry, func(*auditlog.Entry) error { return s.input(text) })
	}
	if err != nil {
		return rq.serverProblem(e, err)
	}
	if rq.Request.Header.Get("Accept") == "application/json" {
		return rq.json(http.StatusOK, map[string]bool{"ok": true})
	}
	http.Redirect(rq, rq.Request, serverPath(e.Name, "shell")+"?id="+url.QueryEscape(s.id), http.StatusSeeOther)
	return nil
}

// liveShell is the output of a shell.
func (c *Console) liveShell(_ context.Context, id string) (any, error) {
	c.shells.mu.Lock()
	s := c.shells.list[id]
	c.shells.mu.Unlock()
	if s == nil {
		return fieldsOf(fields{"shellstate": text("Ended.")}), nil
	}
	state := s.state()
	f := fields{"output": text(state.Output), "shellstate": text(state.Words), "kept": text(state.Kept)}
	if state.Ended != "" {
		f["input"] = field{Hide: true}
	}
	return fieldsOf(f), nil
}

// saveShell gives what is kept of the output as a file.
func (c *Console) saveShell(rq *request) error {
	s := c.shells.of(rq.PathValue("id"), rq.who.User)
	if s == nil || !strings.EqualFold(s.server, rq.PathValue("name")) || c.shellBarred(rq) != "" {
		return &problem{Status: http.StatusNotFound, Title: "No such shell", Text: "You have no such shell on " + rq.PathValue("name") + "."}
	}
	rq.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rq.Header().Set("Content-Disposition", `attachment; filename="shell.txt"`)
	_, _ = io.WriteString(rq, s.state().Output) //nolint:errcheck // the browser has gone
	return nil
}

func fieldsOf(f fields) map[string]any { return map[string]any{"f": f} }

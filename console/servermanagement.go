package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/wsman"
)

// managementData is what the page about remote management shows: the dialog of
// Server Manager's Local Server page. See spec/winrm.md 9.
type managementData struct {
	// Enabled is whether the server lets itself be managed over WinRM; nil is not
	// known, and then Why says why.
	Enabled *bool
	Why     string
	// Cut tells that we come by WinRM, so that switching it off cuts us off; DCOM
	// whether that way was seen to work.
	Cut, DCOM bool
	Confirm   bool
}

func (c *Console) registerServerManagement() {
	c.serverTab("management", "management.html", c.loadManagement)
	c.page("POST /servers/{name}/management", Operator, c.doManagement)
}

// loadManagement finds out: who answers to Identify over WinRM with our account can be
// managed over it.
func (c *Console) loadManagement(ctx context.Context, rq *request, e Entry, conn *casement.Connection) (any, bool, error) {
	d := managementData{Confirm: rq.URL.Query().Get("confirm") == "off", DCOM: e.snapshot().Transport == pool.DCOM || e.Transport == pool.Both}
	if conn.Client() == nil {
		d.Why = "The server is reached over DCOM: " + cmpOr(e.snapshot().WhyDCOM, "its entry says so") + "."
		return d, false, nil
	}
	d.Cut = true
	on := false
	var fault *wsman.Fault
	switch _, err := conn.Identify(ctx, false); {
	case err == nil:
		on = true
	case errors.As(err, &fault):
		d.Why = fault.Error()
	default:
		return d, false, err
	}
	d.Enabled = &on
	return d, false, nil
}

// doManagement begins the work that switches remote management on or off. Off is
// confirmed where it cuts us off.
func (c *Console) doManagement(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	on := rq.PostFormValue("on") == "1"
	if !on && rq.PostFormValue("sure") != e.Name {
		http.Redirect(rq, rq.Request, serverPath(e.Name, "management")+"?confirm=off", http.StatusSeeOther)
		return nil
	}
	raw, err := json.Marshal(pool.RemoteManagementParameters{On: on})
	if err != nil {
		return err
	}
	word := map[bool]string{true: "on", false: "off"}[on]
	var work pool.Work
	err = c.act(rq, auditlog.Entry{Action: "remote-management", Targets: []string{e.Name}, Parameters: map[string]string{"to": word}}, func(entry *auditlog.Entry) (err error) {
		work, err = c.pool.Start(rq.Context(), pool.Action{Kind: pool.KindRemoteManagement, Parameters: raw}, []string{e.Name}, rq.who.User)
		entry.Work = work.ID
		return err
	})
	if err != nil {
		return err
	}
	http.Redirect(rq, rq.Request, workPage(work.ID), http.StatusSeeOther)
	return nil
}

package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/wsman"
)

// managementData is what the page about remote management shows: the dialog of
// Server Manager's Local Server page. See spec/winrm.md 9.
type managementData struct {
	// Enabled is whether the server lets itself be managed over WinRM; nil is not
	// known. Why is a sentence about it.
	Enabled *bool
	Why     string
	// Typed is what is typed at the server to switch it on.
	Typed string
}

// managementEvery is how often an open page asks, managementPatience how long.
const (
	managementEvery    = 2 * time.Second
	managementPatience = 8 * time.Second
)

func (c *Console) registerServerManagement() {
	c.page("GET /servers/{name}/management", Reader, func(rq *request) error {
		e, err := c.server(rq)
		if err != nil {
			return err
		}
		return c.renderServer(rq, http.StatusOK, "management.html", serverPage{Entry: e, Tab: "management", Tabs: serverTabs, Data: c.management(rq.Context(), e)})
	})
	c.form("/servers/{name}/management", Operator, c.doManagement)
	c.live.follow("management", source{role: Reader, every: managementEvery, may: c.ofServer, load: func(ctx context.Context, name string) (any, error) {
		done, err := c.asks.begin(following)
		if err != nil {
			return nil, err
		}
		defer done()
		e, ok := c.fleet.get(name)
		if !ok {
			return map[string]any{"gone": true}, nil
		}
		d := c.management(ctx, e)
		f := d.fields()
		f["rmlink"] = field{Text: d.Word(), Link: serverPath(e.Name, "management")}
		return map[string]any{"f": f}, nil
	}})
}

// managementKnown is what was found when the server was last asked.
func managementKnown(e Entry) string {
	var d managementData
	s := e.snapshot()
	known := s.State == pool.ManagementDisabled || s.State == pool.ManagementByPolicy
	on := s.Transport == pool.WinRM && s.State.Level() != pool.LevelBlocked
	if known || on {
		d.Enabled = &on
	}
	return d.Word()
}

// Word is the value of the property, Level how it is shown.
func (d managementData) Word() string {
	if d.Enabled == nil {
		return "Not known"
	}
	return map[bool]string{true: "Enabled", false: "Disabled"}[*d.Enabled]
}

// Level is that of Word.
func (d managementData) Level() string {
	if d.Enabled == nil {
		return "none"
	}
	return map[bool]string{true: "ok", false: "blocked"}[*d.Enabled]
}

// Off tells whether it is known to be off.
func (d managementData) Off() bool { return d.Enabled != nil && !*d.Enabled }

func (d managementData) fields() fields {
	f := fields{"rm": {Text: d.Word(), Level: d.Level()}, "why": text(d.Why), "off": {Hide: !d.Off()}}
	if d.Enabled != nil {
		ticked := 0.0
		if *d.Enabled {
			ticked = 1
		}
		f["tick"] = field{Value: &ticked}
	}
	return f
}

// management finds out. It asks as nobody: what refuses other computers refuses that,
// too, and a password that is wrong is not tried again and again.
func (c *Console) management(ctx context.Context, e Entry) managementData {
	s := e.snapshot()
	d := managementData{Typed: `%windir%\system32\Configure-SMRemoting.exe -enable`}
	casements := s.Facts != nil && !s.Facts.Windows
	if casements {
		d.Typed = "casement Configure-SMRemoting.exe -enable"
	}
	ctx, cancel := context.WithTimeout(ctx, managementPatience)
	defer cancel()
	conn, err := c.pool.Connect(ctx, e.Name)
	if err != nil {
		d.Why = spoken(err)
		return d
	}
	defer conn.Close() //nolint:errcheck // the answer is there
	if conn.Client() == nil {
		d.Why = "The server is reached over DCOM: " + cmpOr(s.WhyDCOM, "its entry says so") + ". This switch leaves DCOM alone."
		return d
	}
	on, off := true, false
	_, err = conn.Identify(ctx, true)
	var fault *wsman.Fault
	refused := errors.As(err, &fault) && (fault.Code == wsman.CodeRemoteAccessDisabled || fault.Code == wsman.CodeAccessDenied)
	switch {
	case err == nil:
		d.Enabled, d.Why = &on, "WinRM answers."
	case s.State == pool.ManagementByPolicy:
		d.Enabled, d.Why = &off, "A policy of that machine decides: WinRM refuses all that comes from other computers."
	case s.State == pool.ManagementDisabled || refused && casements:
		d.Enabled, d.Why = &off, "WinRM refuses all that comes from other computers."
	case refused && s.State.Level() != pool.LevelBlocked:
		d.Enabled, d.Why = &on, "WinRM answered when the server was last asked."
	default:
		d.Why = "WinRM does not answer: " + spoken(err)
	}
	return d
}

// doManagement switches remote management on or off. Off is confirmed: Casement loses
// the server by it.
func (c *Console) doManagement(rq *request) (result, error) {
	e, err := c.server(rq)
	if err != nil {
		return result{}, err
	}
	on := rq.PostForm.Get("on") == "1"
	title := "Disable remote management of " + e.Name
	if !on {
		if err := rq.confirm(confirmation{Level: 2, Title: title, Effect: c.managementEffect(rq, e), List: []string{e.Name}, Do: "Disable remote management"}); err != nil {
			return result{}, err
		}
	}
	doing, word := "Disabling remote management of "+e.Name, "off"
	if on {
		doing, word = "Enabling remote management of "+e.Name, "on"
	}
	a, err := actionOf(pool.KindRemoteManagement, pool.RemoteManagementParameters{On: on})
	if err != nil {
		return result{}, err
	}
	o, err := c.perform(rq, auditlog.Entry{Action: "remote-management", Parameters: map[string]string{"to": word}}, a, e, doing)
	return o.answer(doing, serverPath(e.Name, "management")), err
}

// managementEffect says what is lost, and what remains.
func (c *Console) managementEffect(rq *request, e Entry) string {
	d := c.management(rq.Context(), e)
	switch err := c.overDCOM(rq.Context(), e); {
	case e.Transport == pool.WinRM:
		return "Casement itself will lose " + e.Name + ": it is reached by WinRM alone, as its entry says. To be switched on again somebody types at the server: " + d.Typed
	case err == nil && (e.Transport == pool.DCOM || e.snapshot().Transport == pool.DCOM):
		return "Server Manager and Windows PowerShell lose " + e.Name + ". Casement reaches it by DCOM, which is not changed."
	case err == nil:
		return "Casement itself will lose " + e.Name + ": it is reached by WinRM. DCOM answers there and remains: it can be switched on again from here."
	default:
		return "Casement itself will lose " + e.Name + ": it is reached by WinRM, and DCOM does not answer there (" + spoken(err) + "). To be switched on again somebody types at the server: " + d.Typed
	}
}

// overDCOM signs in to a server over DCOM.
func (c *Console) overDCOM(ctx context.Context, e Entry) error {
	ctx, cancel := context.WithTimeout(ctx, managementPatience)
	defer cancel()
	conn, err := c.pool.ConnectOver(ctx, e.Name, pool.DCOM)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the answer is there
	s, err := conn.Session(ctx, "")
	if err != nil {
		return err
	}
	return s.Close()
}

// spoken is an error of a server as a sentence shows it, of at most 300 characters.
func spoken(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within " + tookText(managementPatience)
	}
	text := []rune(strings.TrimRight(inOneLine(err.Error()), "."))
	if len(text) > 300 {
		text = append(text[:300], '…')
	}
	return string(text) + "."
}

package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/casementhq/casement/console/auditlog"
)

// signInPage is what the sign-in page shows.
type signInPage struct {
	User, Next, Problem string
	Machine             string
	Fingerprint         string
}

func (c *Console) registerSignIn() {
	c.open("GET /signin", c.showSignIn)
	c.open("POST /signin", c.signIn)
	c.page("POST /signout", Reader, c.signOut)
	c.data("POST /session/continue", Reader, func(rq *request) error {
		return rq.json(http.StatusOK, map[string]any{"idle": rq.who.Idle, "ends": rq.who.Ends})
	})
}

func (c *Console) showSignIn(rq *request) error {
	next := local(rq.URL.Query().Get("next"))
	if rq.who.known() {
		http.Redirect(rq, rq.Request, next, http.StatusSeeOther)
		return nil
	}
	c.renderSignIn(rq, http.StatusOK, signInPage{Next: next})
	return nil
}

func (c *Console) renderSignIn(rq *request, status int, p signInPage) {
	p.Machine, p.Fingerprint = c.o.Machine, colons(c.o.Fingerprint)
	c.render(rq, status, "signin.html", page{Title: "Sign in", Data: p})
}

// signIn asks the service with the password that was typed, and forgets it.
func (c *Console) signIn(rq *request) error {
	rq.Body = http.MaxBytesReader(rq, rq.Body, 64<<10)
	if err := rq.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Title: "Not understood", Text: "The form could not be read."}
	}
	user, password, next := rq.PostForm.Get("user"), rq.PostForm.Get("password"), local(rq.PostForm.Get("next"))
	account, err := c.prove(rq, user, password)
	if err != nil {
		var p *problem
		if !errors.As(err, &p) {
			return err
		}
		c.renderSignIn(rq, p.Status, signInPage{User: user, Next: next, Problem: p.Error()})
		return nil
	}
	if err := c.beginSession(rq, account); err != nil {
		return err
	}
	http.Redirect(rq, rq.Request, next, http.StatusSeeOther)
	return nil
}

// prove finds out who somebody with a password is. Every refusal has the same
// text, and takes the same time.
func (c *Console) prove(rq *request, user, password string) (Account, error) {
	if len(user) > 512 || len(password) > 1024 {
		user, password = "", ""
	}
	var account Account
	busy, err := c.throttle.attempt(rq.Context(), user, rq.from(), func(ctx context.Context) (bool, error) {
		if user == "" || password == "" {
			return false, ErrWrongPassword
		}
		var err error
		account, err = c.o.SignIn(ctx, user, password)
		return err == nil, err
	})
	if busy {
		return Account{}, &problem{Status: http.StatusTooManyRequests, Text: "Too many sign-ins are under way.", Next: "Try again in a few seconds."}
	}
	role := roleOf(account, c.settings.get().Roles)
	var p *problem
	switch {
	case errors.Is(err, ErrWrongPassword):
		p = &problem{Status: http.StatusUnauthorized, Text: "Name or password is wrong."}
	case err != nil:
		c.log.Error("the service could not be asked who signs in", "error", err)
		p = &problem{Status: http.StatusServiceUnavailable, Text: "The service of this machine does not answer, so nobody can sign in.", Next: "Is it running ('casement status')?", Err: err}
	case role == NoRole:
		p = &problem{Status: http.StatusForbidden, Text: "This account has no role here.",
			Next: "An administrator of this machine makes it a member of " + OperatorsGroup + " or " + ReadersGroup + "."}
	}
	e := auditlog.Entry{User: user, Action: "signin", Result: auditlog.Done, Role: role.String(), SID: account.SID}
	if err == nil {
		e.User = account.User
	}
	if p != nil {
		e.Action, e.Result, e.Words = "signin-failed", auditlog.Denied, p.Text
	}
	e.User = bounded(e.User, 128)
	if err := c.note(rq, e); err != nil {
		return Account{}, &problem{Status: http.StatusServiceUnavailable, Text: "The audit log cannot be written, so nobody can sign in.", Err: err}
	}
	if p != nil {
		return Account{}, p
	}
	return account, nil
}

func (c *Console) signOut(rq *request) error {
	if rq.who.Session != "" {
		if err := c.note(rq, auditlog.Entry{Action: "signout", Result: auditlog.Done}); err != nil {
			c.log.Error("the audit log cannot be written", "error", err)
		}
		if err := c.endSession(rq.Context(), rq.who.Session); err != nil {
			return err
		}
		setCookie(rq, "", -1)
	}
	http.Redirect(rq, rq.Request, "/signin", http.StatusSeeOther)
	return nil
}

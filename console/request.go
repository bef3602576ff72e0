package console

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/auditlog"
)

// who is who asks.
type who struct {
	Account

	Role    Role
	Session string // the id of a session, "" without one
	Token   string // the id of an API token, "" without one
	Display string // the id of a display link, "" without one
	// Idle and Ends are when the session ends, without another request and in any case.
	Idle, Ends time.Time
}

func (w who) known() bool { return w.Role != NoRole }

// request is one request, and the answer to it.
type request struct {
	http.ResponseWriter
	*http.Request

	c     *Console
	id    string
	who   who
	token string    // of the session, to end it
	begun bool      // the answer has begun
	until time.Time // by when the next part of a long answer is read; zero for others
}

// WriteHeader and Write note that the answer has begun.
func (rq *request) WriteHeader(status int) {
	rq.begun = true
	rq.ResponseWriter.WriteHeader(status)
}

func (rq *request) Write(b []byte) (int, error) {
	rq.begun = true
	if !rq.until.IsZero() && time.Until(rq.until) < answerTime-time.Second {
		rq.goOn(0)
	}
	return rq.ResponseWriter.Write(b)
}

// goOn gives an answer that may take longer than others, such as a file, more time:
// for its next part to be made, and as much for that to be read as whole answers have.
func (rq *request) goOn(making time.Duration) {
	rq.until = time.Now().Add(making + answerTime)
	_ = http.NewResponseController(rq.ResponseWriter).SetWriteDeadline(rq.until) //nolint:errcheck // not every writer has one
}

// Unwrap lets http.ResponseController find the writer.
func (rq *request) Unwrap() http.ResponseWriter { return rq.ResponseWriter }

// from is the address of who asks.
func (rq *request) from() string {
	if host, _, err := net.SplitHostPort(rq.RemoteAddr); err == nil {
		return host
	}
	return rq.RemoteAddr
}

// path is that of the request for the log, without what opens a display link.
func (rq *request) path() string {
	if strings.HasPrefix(rq.URL.Path, "/display/") {
		return "/display/…"
	}
	return bounded(rq.URL.Path, 200)
}

// api tells whether a program asks.
func (rq *request) api() bool { return strings.HasPrefix(rq.URL.Path, "/api/") }

// newID is a random name of 80 bits.
func newID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) //nolint:errcheck // it never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// newSecret is a random text of 256 bits.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) //nolint:errcheck // it never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// problem is an error that a person reads: what failed, why, and what to do next.
// See spec/console.md 3.5.
type problem struct {
	Status int
	Title  string
	Text   string
	Next   string
	Near   []string // names that are like the one that was not found
	Moved  string   // the name that a server has now
	Err    error    // for the log; never shown
}

func (p *problem) Error() string {
	if p.Next == "" {
		return p.Text
	}
	return p.Text + " " + p.Next
}

func (p *problem) Unwrap() error { return p.Err }

// problemOf makes a problem of any error. What it does not know stays in the log:
// nothing of the inside goes to a browser.
func (rq *request) problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	var known *cim.Error
	if errors.As(err, &known) {
		return &problem{Status: statusOf(known.Status), Title: "It failed", Text: known.Error(), Err: err}
	}
	return &problem{Status: http.StatusInternalServerError, Title: "This page failed",
		Text: "The console could not answer request " + rq.id + ".", Next: "Its log says why, under that number.", Err: err}
}

// fail answers with an error.
func (rq *request) fail(err error) {
	p := rq.problemOf(err)
	if p.Status >= 500 {
		rq.c.log.Error("a request of the console failed", "request", rq.id, "path", rq.path(), "user", rq.who.User, "error", err)
	}
	if rq.begun {
		return
	}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		rq.Header().Set("Retry-After", "5")
	}
	if rq.api() || strings.HasPrefix(rq.URL.Path, "/live") {
		writeProblem(rq, p)
		return
	}
	if parts := strings.SplitN(rq.URL.EscapedPath(), "/", 4); p.Moved != "" && safe(rq.Method) && len(parts) > 2 && parts[1] == "servers" {
		parts[2] = pathEscape(p.Moved)
		to := strings.Join(parts, "/")
		if rq.URL.RawQuery != "" {
			to += "?" + rq.URL.RawQuery
		}
		http.Redirect(rq, rq.Request, to, http.StatusSeeOther)
		return
	}
	rq.c.errorPage(rq, p)
}

// Header is that of the answer; the one of the request is rq.Request.Header.
func (rq *request) Header() http.Header { return rq.ResponseWriter.Header() }

// recovered answers for a handler that panicked. It harms its own request only.
func (rq *request) recovered() {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint,err113 // the value itself is the sign
		panic(p)
	}
	rq.c.log.Error("a request made the console panic", "request", rq.id, "path", rq.path(), "panic", p, "stack", string(debug.Stack()))
	rq.fail(errors.New("it panicked"))
}

// act does something that the audit log must know of: its entry is written first,
// and where it cannot be written nothing is done. What came of it is written after.
func (c *Console) act(rq *request, e auditlog.Entry, do func(e *auditlog.Entry) error) error {
	e = rq.entry(e)
	e.Result = auditlog.Begun
	if err := c.audit.Append(e); err != nil {
		return &problem{Status: http.StatusServiceUnavailable, Title: "Not done",
			Text: "The audit log cannot be written, so nothing was done.", Next: "An administrator of this machine finds the reason in the console's log.", Err: err}
	}
	start := time.Now()
	e.Result = auditlog.Done
	err := do(&e)
	e.TookMS = time.Since(start).Milliseconds()
	if err != nil {
		e.Result, e.Words = auditlog.Failed, rq.problemOf(err).Error()
	}
	e.Time = time.Time{}
	if logged := c.audit.Append(e); logged != nil {
		c.log.Error("the audit log does not tell how an action ended", "request", e.ID, "action", e.Action, "error", logged)
	}
	return err
}

// note writes an entry about what happened to a request by itself: signed in,
// refused. It fails where it cannot be written.
func (c *Console) note(rq *request, e auditlog.Entry) error {
	return c.audit.Append(rq.entry(e))
}

// entry fills in who asks.
func (rq *request) entry(e auditlog.Entry) auditlog.Entry {
	e.ID, e.From = rq.id, rq.from()
	if e.User == "" {
		e.User, e.SID, e.Role = rq.who.User, rq.who.SID, rq.who.Role.String()
	}
	return e
}

// statusOf is the HTTP status of an error about what was asked for; of others it is
// that of a server which another one failed.
func statusOf(s cim.Status) int {
	switch s {
	case cim.ErrNotFound:
		return http.StatusNotFound
	case cim.ErrAlreadyExists, cim.ErrInvalidOperation:
		return http.StatusConflict
	case cim.ErrInvalidParameter, cim.ErrInvalidQuery:
		return http.StatusUnprocessableEntity
	default:
		return http.StatusBadGateway
	}
}

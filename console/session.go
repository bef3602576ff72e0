package console

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/casementhq/casement/console/auditlog"
)

// cookieName is that of the session's cookie. Its prefix makes browsers refuse it
// unless it is Secure, of Path=/ and of this host alone.
const cookieName = "__Host-casement"

// What a session's row holds.
const (
	keyUser = "user"
	keyID   = "id"
)

func (c *Console) openSessions() {
	c.rows = &sessionRows{db: c.store, gone: map[string]time.Time{}}
	// Not scs.New, which begins to sweep a store in memory that nobody uses.
	c.sessions = &scs.SessionManager{Store: c.rows, Codec: scs.GobCodec{}, IdleTimeout: sessionIdle, Lifetime: sessionLife, HashTokenInStore: true}
}

// identify finds out who asks: by an API token, or by the cookie of a session.
func (c *Console) identify(rq *request) error {
	if bearer, ok := strings.CutPrefix(rq.Request.Header.Get("Authorization"), "Bearer "); ok {
		return c.identifyToken(rq, strings.TrimSpace(bearer))
	}
	cookie, err := rq.Cookie(cookieName)
	if err != nil {
		return nil //nolint:nilerr // nobody signed in
	}
	if !safe(rq.Method) && rq.Request.Header.Get("Origin") == "" && rq.Request.Header.Get("Sec-Fetch-Site") == "" {
		return &problem{Status: http.StatusForbidden, Title: "Refused",
			Text: "A program needs a token; a cookie alone does not suffice.", Next: "Settings, Keys makes one, for the header Authorization: Bearer."}
	}
	ctx, err := c.sessions.Load(rq.Context(), cookie.Value)
	if err != nil {
		return err
	}
	user := c.sessions.GetString(ctx, keyUser)
	if user == "" {
		return nil // it ended
	}
	account, err := c.o.Current(ctx, user)
	role := roleOf(account, c.settings.get().Roles)
	if err != nil || role == NoRole {
		c.log.Info("a session ends because its account may no longer sign in", "user", user, "error", err)
		return c.endSession(ctx, c.sessions.GetString(ctx, keyID))
	}
	rq.token = cookie.Value
	now := time.Now()
	rq.who = who{Account: account, Role: role, Session: c.sessions.GetString(ctx, keyID), Ends: c.sessions.Deadline(ctx)}
	rq.who.Idle = now.Add(sessionIdle)
	if rq.who.Idle.After(rq.who.Ends) {
		rq.who.Idle = rq.who.Ends
	}
	rq.Request = rq.WithContext(ctx)
	if strings.HasPrefix(rq.URL.Path, "/live") {
		return nil // a stream keeps no session alive
	}
	_, _, err = c.sessions.Commit(ctx)
	return err
}

// safe tells whether a method changes nothing.
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// beginSession makes a session with a new id for an account, in place of the one
// that the request came with, and gives it to the browser.
func (c *Console) beginSession(rq *request, a Account) error {
	if rq.who.Session != "" {
		if err := c.endSession(rq.Context(), rq.who.Session); err != nil {
			return err
		}
	}
	ctx, err := c.sessions.Load(context.WithoutCancel(rq.Context()), "")
	if err != nil {
		return err
	}
	c.sessions.Put(ctx, keyUser, a.User)
	c.sessions.Put(ctx, keyID, newID())
	token, _, err := c.sessions.Commit(ctx)
	if err != nil {
		return err
	}
	setCookie(rq, token, 0)
	return nil
}

// setCookie sets the session's cookie, which lasts as long as the browser runs; a
// negative age takes it away.
func setCookie(rq *request, value string, age int) {
	http.SetCookie(rq, &http.Cookie{Name: cookieName, Value: value, MaxAge: age, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// endSession ends the session of a context, with its streams and what else hangs
// on it.
func (c *Console) endSession(ctx context.Context, id string) error {
	c.streams.end(id)
	return c.sessions.Destroy(ctx)
}

// sweepSessions takes sessions out that ended by themselves, and ends their streams.
func (c *Console) sweepSessions(ctx context.Context) {
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ended, err := c.rows.sweep(ctx, c.sessions.Codec)
		if err != nil && ctx.Err() == nil {
			c.log.Error("sessions that ended cannot be removed", "error", err)
		}
		for _, s := range ended {
			c.streams.end(s.id)
			if err := c.audit.Append(auditlog.Entry{ID: newID(), User: s.user, Action: "session-expired", Result: auditlog.Done}); err != nil {
				c.log.Error("the audit log cannot be written", "error", err)
			}
		}
	}
}

// streams are the answers that are still being written, by session: event streams
// and shells. The zero value is ready.
type streams struct {
	mu     sync.Mutex
	cancel map[string]map[*int]context.CancelFunc
	gone   map[string]time.Time // sessions that ended, for a request that was under way
}

// add makes a context that ends with the session, or when done is called. Where the
// session has just ended, it has ended, too.
func (s *streams) add(ctx context.Context, session string) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	key := new(int)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, gone := s.gone[session]; gone {
		cancel()
		return ctx, cancel
	}
	if s.cancel == nil {
		s.cancel = map[string]map[*int]context.CancelFunc{}
	}
	if s.cancel[session] == nil {
		s.cancel[session] = map[*int]context.CancelFunc{}
	}
	s.cancel[session][key] = cancel
	return ctx, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.cancel[session], key)
		if len(s.cancel[session]) == 0 {
			delete(s.cancel, session)
		}
	}
}

func (s *streams) end(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, at := range s.gone {
		if now.Sub(at) > tombstone {
			delete(s.gone, id)
		}
	}
	if s.gone == nil {
		s.gone = map[string]time.Time{}
	}
	s.gone[session] = now
	for _, cancel := range s.cancel[session] {
		cancel()
	}
}

func (s *streams) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.cancel {
		for _, cancel := range list {
			cancel()
		}
	}
}

// count is how many streams a session has.
func (s *streams) count(session string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.cancel[session])
}

package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ask calls the handler itself, so that time can be the test's.
func ask(c *Console, method, path, cookie string, form url.Values) *http.Response {
	r := httptest.NewRequest(method, "https://localhost"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if cookie != "" {
		r.Header.Set("Cookie", cookieName+"="+cookie)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result()
}

func signIn(t *testing.T, c *Console, user string) string {
	t.Helper()
	a := ask(c, http.MethodPost, "/signin", "", url.Values{"user": {user}, "password": {user + "!"}})
	if len(a.Cookies()) != 1 {
		t.Fatalf("sign-in: %s", a.Status)
	}
	return a.Cookies()[0].Value
}

// inBubble runs a test with a console in a bubble of time, and ends it there.
func inBubble(t *testing.T, f func(t *testing.T, c *Console)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newConsole(t, newMemoryPool(entry("srv01")), dir)
		f(t, c)
	})
}

// A session ends after 15 minutes without a request, which streams and polls are not,
// and after 12 hours in any case; its end is in the log.
func TestSessionEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Console) {
		k := signIn(t, c, "read")
		is := func(when string, want int) {
			t.Helper()
			if a := ask(c, http.MethodGet, "/servers", k, nil); a.StatusCode != want {
				t.Errorf("%s: %s, want %d", when, a.Status, want)
			}
		}
		time.Sleep(14*time.Minute + 50*time.Second)
		is("before 15 minutes", http.StatusOK)
		for range 14 {
			time.Sleep(time.Minute)
			if a := ask(c, http.MethodGet, "/live/poll?t=counts", k, nil); a.StatusCode != http.StatusOK {
				t.Fatalf("a poll: %s", a.Status)
			}
		}
		time.Sleep(time.Minute + 30*time.Second)
		is("after 15 minutes of polls", http.StatusSeeOther)
		list, err := c.audit.Newest(10, nil)
		if err != nil || len(list) == 0 || list[0].Action != "session-expired" || list[0].User != `HOST\read` {
			t.Errorf("the log: %+v, %v", list, err)
		}

		k = signIn(t, c, "read")
		for range 12*6 - 1 {
			time.Sleep(10 * time.Minute)
			is("within 12 hours", http.StatusOK)
		}
		time.Sleep(10*time.Minute + time.Second)
		is("after 12 hours", http.StatusSeeOther)
	})
}

// A request that was under way when its session ended does not bring it back.
func TestEndedSessionStaysEnded(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Console) {
		k := signIn(t, c, "read")
		ctx, err := c.sessions.Load(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		if a := ask(c, http.MethodPost, "/signout", k, nil); a.StatusCode != http.StatusSeeOther {
			t.Fatal(a.Status)
		}
		if _, _, err := c.sessions.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		if a := ask(c, http.MethodGet, "/servers", k, nil); a.StatusCode != http.StatusSeeOther {
			t.Errorf("it is back: %s", a.Status)
		}
	})
}

// Wrong sign-ins have one text and one duration, whoever is named: 1 s, then twice as
// long each time up to 30 s, and the right password takes no time.
func TestWrongSignIn(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Console) {
		var first string
		for n, user := range []string{"read", "nobody-of-this-name", "", "admin"} {
			start := time.Now()
			a := ask(c, http.MethodPost, "/signin", "", url.Values{"user": {user}, "password": {"wrong"}})
			b, err := io.ReadAll(a.Body)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(b), `value="`+user+`"`, `value=""`)
			text = strings.ReplaceAll(strings.ReplaceAll(text, " autofocus", ""), "autofocus", "")
			if took := time.Since(start); took != time.Second || a.StatusCode != http.StatusUnauthorized {
				t.Errorf("%q: %s after %v", user, a.Status, took)
			}
			if n == 0 {
				first = text
			} else if text != first {
				t.Errorf("%q has another page:\n%s\n%s", user, text, first)
			}
		}
		for _, want := range []time.Duration{2, 4, 8, 16, 30, 30} {
			start := time.Now()
			ask(c, http.MethodPost, "/signin", "", url.Values{"user": {"READ"}, "password": {"wrong"}})
			if took := time.Since(start); took != want*time.Second {
				t.Errorf("it took %v, want %d s", took, want)
			}
		}
		start := time.Now()
		signIn(t, c, "read")
		if took := time.Since(start); took != 0 {
			t.Errorf("the right password took %v", took)
		}
		a := ask(c, http.MethodPost, "/signin", "", url.Values{"user": {"nobody"}, "password": {"nobody!"}})
		if a.StatusCode != http.StatusForbidden || len(a.Cookies()) != 0 {
			t.Errorf("an account without a role: %s", a.Status)
		}
	})
}

// Ten sign-ins may be unproven at once; the eleventh is told to come again.
func TestUnprovenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		held := make(chan struct{})
		var all sync.WaitGroup
		for n := range mostUnproven {
			all.Go(func() {
				busy, _ := th.attempt(t.Context(), "user", string(rune('a'+n)), func(context.Context) (bool, error) { <-held; return false, ErrWrongPassword })
				if busy {
					t.Error("one of ten is refused")
				}
			})
		}
		synctest.Wait()
		busy, _ := th.attempt(t.Context(), "other", "z", func(context.Context) (bool, error) { t.Error("it was tried"); return true, nil })
		if !busy {
			t.Error("the eleventh is let in")
		}
		close(held)
		all.Wait()
		if busy, err := th.attempt(t.Context(), "other", "z", func(context.Context) (bool, error) { return true, nil }); busy || err != nil {
			t.Error("after them: ", busy, err)
		}
	})
}

// Guesses of one account from one address come one after the other, however many are
// sent at once.
func TestGuessesQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		start := time.Now()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				_, err := th.attempt(t.Context(), "user", "a", func(context.Context) (bool, error) { return false, ErrWrongPassword })
				if !errors.Is(err, ErrWrongPassword) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(start); took != 15*time.Second {
			t.Errorf("four guesses took %v, want 1+2+4+8 s", took)
		}
	})
}

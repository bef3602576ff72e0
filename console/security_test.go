package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// The headers of spec/console.md 4, on every route and for everybody: signed in, not
// signed in, wrong method. No page has an inline script, handler or style.
func TestHeadersOnEveryRoute(t *testing.T) {
	d := newDesk(t, entry("srv01"))
	admin := d.as("admin")
	inline := regexp.MustCompile(`(?i)<script(?:\s+[^>]*)?>[^<]|<style|\son[a-z]+\s*=|\sstyle\s*=|javascript:`)
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; " +
			"frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	}
	paths := []string{"/nowhere", "/assets/0/none.css"}
	for _, u := range d.c.pages.urls {
		paths = append(paths, u)
	}
	for _, p := range d.c.Routes() {
		_, path, ok := strings.Cut(p, " ")
		if !ok {
			path = p
		}
		if path == "/live" {
			continue // a stream: TestStreamHasHeaders
		}
		path = strings.NewReplacer("{$}", "", "{name}", "srv01", "{tag}", "web", "{role}", "x", "{id}", "x", "{hash}", "x", "...", "").Replace(path)
		paths = append(paths, regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "x"))
	}
	for _, path := range paths {
		for who, b := range map[string]*http.Client{"nobody": d.browser(), "admin": admin} {
			for _, method := range []string{http.MethodGet, http.MethodPut} {
				a, body := d.send(b, method, path, nil, "Sec-Fetch-Site", "same-origin")
				for name, value := range want {
					if got := a.Header.Get(name); got != value {
						t.Errorf("%s %s as %s: %s is %q", method, path, who, name, got)
					}
				}
				cache := a.Header.Get("Cache-Control")
				if hashed := strings.HasPrefix(path, "/assets/") && a.StatusCode == http.StatusOK; hashed != (cache != "no-store") {
					t.Errorf("%s %s as %s: Cache-Control is %q", method, path, who, cache)
				}
				for name := range a.Header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s %s as %s: %s", method, path, who, name)
					}
				}
				if strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
					if found := inline.FindString(body); found != "" {
						t.Errorf("%s %s as %s: the page has %q", method, path, who, found)
					}
				}
				if a.StatusCode == http.StatusInternalServerError {
					t.Errorf("%s %s as %s: %s %s", method, path, who, a.Status, body)
				}
			}
		}
	}
}

// A name that is not ours is refused, whatever it asks for: a page of another site
// may have its own name lead here.
func TestUnknownHostIsRefused(t *testing.T) {
	d := newDesk(t)
	for host, want := range map[string]int{
		"evil.example": http.StatusMisdirectedRequest, "evil.example:443": http.StatusMisdirectedRequest, "": http.StatusSeeOther,
		"LOCALHOST.:9443": http.StatusSeeOther, "[::1]:9443": http.StatusSeeOther, "127.0.0.1.evil.example": http.StatusMisdirectedRequest,
	} {
		var h []string
		if host != "" {
			h = []string{"Host", host}
		}
		if a, _ := d.get(d.browser(), "/", h...); a.StatusCode != want {
			t.Errorf("Host %q: %s, want %d", host, a.Status, want)
		}
	}
}

// Requests of other sites change nothing, programs need a token, and the sign-in
// form of another site signs nobody in.
func TestCrossOriginIsRefused(t *testing.T) {
	d := newDesk(t)
	b := d.as("oper")
	form := url.Values{}
	for name, headers := range map[string][]string{
		"another site":          {"Sec-Fetch-Site", "cross-site"},
		"a sibling":             {"Sec-Fetch-Site", "same-site"},
		"another origin":        {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		"a cookie alone":        {"Sec-Fetch-Site", ""},
		"an opaque origin":      {"Sec-Fetch-Site", "", "Origin", "null"},
		"another origin's port": {"Sec-Fetch-Site", "", "Origin", "https://127.0.0.1:1"},
	} {
		if a, _ := d.post(b, "/signout", form, headers...); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", name, a.Status)
		}
	}
	if a, _ := d.get(b, "/"); a.StatusCode != http.StatusOK {
		t.Errorf("the session is gone: %s", a.Status)
	}
	a, _ := d.post(d.browser(), "/signin", url.Values{"user": {"oper"}, "password": {"oper!"}}, "Sec-Fetch-Site", "cross-site")
	if a.StatusCode != http.StatusForbidden || a.Header.Get("Set-Cookie") != "" {
		t.Errorf("signed in by another site: %s", a.Status)
	}
}

// The cookie is as spec/console.md 4 writes it, its value changes at each sign-in,
// and after sign-out neither it nor a copy of it is good for anything.
func TestCookie(t *testing.T) {
	d := newDesk(t)
	b := d.browser()
	first, _ := d.post(b, "/signin", url.Values{"user": {"read"}, "password": {"read!"}})
	c := first.Cookies()
	if len(c) != 1 || c[0].Name != "__Host-casement" || !c[0].Secure || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Path != "/" || c[0].Domain != "" {
		t.Fatalf("the cookie is %v", c)
	}
	second, _ := d.post(b, "/signin", url.Values{"user": {"read"}, "password": {"read!"}})
	if c2 := second.Cookies(); len(c2) != 1 || c2[0].Value == c[0].Value || len(c2[0].Value) < 32 {
		t.Fatalf("the second cookie is %v", c2)
	}
	stolen := []string{"Cookie", "__Host-casement=" + c[0].Value}
	if a, _ := d.get(d.browser(), "/servers", stolen...); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the cookie before the second sign-in is still good: %s", a.Status)
	}
	stolen[1] = "__Host-casement=" + second.Cookies()[0].Value
	if a, _ := d.get(d.browser(), "/servers", stolen...); a.StatusCode != http.StatusOK {
		t.Errorf("the cookie is not good: %s", a.Status)
	}
	out, _ := d.post(b, "/signout", nil)
	if c := out.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" {
		t.Errorf("sign-out leaves the cookie: %v", c)
	}
	if a, _ := d.get(d.browser(), "/servers", stolen...); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the cookie is good after sign-out: %s", a.Status)
	}
}

// A link from outside arrives without the strict cookie: it gets a page that asks for
// itself once, and the second time, without a session, the sign-in page.
func TestOutsideLink(t *testing.T) {
	d := newDesk(t)
	a, body := d.get(d.browser(), "/servers?q=state%3Ablocked&sort=-last", "Sec-Fetch-Site", "cross-site")
	if a.StatusCode != http.StatusOK || !strings.Contains(body, `http-equiv="refresh" content="0;url=/servers?q=state%3Ablocked&amp;sort=-last"`) {
		t.Errorf("the first time: %s %s", a.Status, body)
	}
	a, _ = d.get(d.browser(), "/servers?q=state%3Ablocked&sort=-last", "Sec-Fetch-Site", "same-origin")
	if to := a.Header.Get("Location"); to != "/signin?next="+url.QueryEscape("/servers?q=state%3Ablocked&sort=-last") {
		t.Errorf("the second time: %s %s", a.Status, to)
	}
	// and sign-in goes nowhere else than to this console
	for _, next := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "/signout", "javascript:alert(1)", "\r\nX: y"} {
		a, _ := d.post(d.browser(), "/signin", url.Values{"user": {"read"}, "password": {"read!"}, "next": {next}})
		if to := a.Header.Get("Location"); to != "/" {
			t.Errorf("next %q leads to %q", next, to)
		}
	}
}

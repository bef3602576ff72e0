package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// What the harness is for must fail it: a message in the console, a page that axe-core does not like.
func TestHarnessNotices(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><html lang="en"><title>x</title><main><h1>Hello</h1><img src="data:,"><button></button></main><script>console.error("spilled")</script></html>`)
	}))
	defer server.Close()
	p := newPerson(t, browser(t))
	p.sits(phone)
	p.opens(server.URL)
	p.sees("h1", "Hello")
	if found := p.findings(); len(found) < 2 {
		t.Errorf("axe-core found %q in a page with a picture and a button that say nothing", found)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		p.mu.Lock()
		heard := len(p.messages)
		p.mu.Unlock()
		if heard > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the console's error was not heard")
		}
	}
	p.messages = nil // it was asked for
}

package console

import (
	"net/http"
	"sync"
)

// How many answers of servers are waited for at once: each holds a connection and its
// rows.
const (
	mostAsks     = 64
	mostAsksEach = 16 // of one person
)

// asks counts the requests that wait for servers. The zero value is ready.
type asks struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

// begin counts one of somebody, until done is called.
func (a *asks) begin(user string) (done func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all >= mostAsks || a.of[user] >= mostAsksEach {
		return nil, &problem{Status: http.StatusTooManyRequests, Title: "Too much at once", Text: "Too many answers of servers are waited for.", Next: "Try again in a few seconds."}
	}
	if a.of == nil {
		a.of = map[string]int{}
	}
	a.all++
	a.of[user]++
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.all--
		if a.of[user]--; a.of[user] == 0 {
			delete(a.of, user)
		}
	}, nil
}

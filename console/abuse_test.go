package console

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/console/internal/machine"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Who goes away as soon as a guess did not work guesses no faster by it.
func TestGuessesWhoGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		start := time.Now()
		for range 4 {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := th.attempt(ctx, "user", "a", func(context.Context) (bool, error) { cancel(); return false, ErrWrongPassword })
			if !errors.Is(err, ErrWrongPassword) {
				t.Error(err)
			}
		}
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("the fourth guess was made after %v, want 1+2+4 s", took)
		}
	})
}

// One address has half of the sign-ins that may be under way, however many addresses
// its network of IPv6 has.
func TestOneAddressKeepsNobodyOut(t *testing.T) {
	for name, from := range map[string]func(int) string{
		"IPv4": func(int) string { return "192.0.2.1" },
		"IPv6": func(n int) string { return fmt.Sprintf("2001:db8::%x", n+1) },
	} {
		synctest.Test(t, func(t *testing.T) {
			var th throttle
			held := make(chan struct{})
			var all sync.WaitGroup
			let := 0
			var mu sync.Mutex
			for n := range mostUnproven {
				all.Go(func() {
					busy, _ := th.attempt(t.Context(), fmt.Sprint("user", n), from(n), func(context.Context) (bool, error) { <-held; return false, ErrWrongPassword })
					mu.Lock()
					defer mu.Unlock()
					if !busy {
						let++
					}
				})
			}
			synctest.Wait()
			if busy, err := th.attempt(t.Context(), "anna", "192.0.2.9", func(context.Context) (bool, error) { return true, nil }); busy || err != nil {
				t.Errorf("%s: another address: %v, %v", name, busy, err)
			}
			close(held)
			all.Wait()
			if let != mostFrom {
				t.Errorf("%s: %d of one address were let in, want %d", name, let, mostFrom)
			}
		})
	}
}

// streamed is a request for a stream that is read until it ends.
func streamed(c *Console, path, cookie string) (ended <-chan string) {
	done := make(chan string, 1)
	r := httptest.NewRequest(http.MethodGet, "https://localhost"+path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookieName+"="+cookie)
	}
	go func() {
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		done <- w.Body.String()
	}()
	return done
}

// A stream ends soon after the role of who follows it, or the link by which it was
// opened, has ended, though nothing else is asked.
func TestStreamEndsWithTheRight(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Console) {
		stream := streamed(c, "/live?t=counts", signIn(t, c, "read"))
		link := Token{User: `HOST\oper`, Role: "Reader", Display: true, Expires: time.Now().Add(time.Minute)}
		_, secret, err := c.makeToken(t.Context(), link)
		if err != nil {
			t.Fatal(err)
		}
		wall := streamed(c, "/display/"+secret+"/live", "")
		time.Sleep(50 * time.Second)
		for name, s := range map[string]<-chan string{"the session": stream, "the link": wall} {
			select {
			case text := <-s:
				t.Fatalf("the stream of %s has ended: %s", name, text)
			default:
			}
		}
		s := c.settings.get()
		delete(s.Roles, ReadersGroup)
		if err := c.settings.save(t.Context(), c.store, s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(liveComment + 15*time.Second)
		for name, s := range map[string]<-chan string{"who has no role": stream, "a link that has expired": wall} {
			select {
			case text := <-s:
				if !strings.HasSuffix(text, "event: end\ndata: {}\n\n") {
					t.Errorf("the stream of %s ends with %q", name, text[max(0, len(text)-100):])
				}
			default:
				t.Errorf("the stream of %s goes on", name)
			}
		}
	})
}

// A request that was admitted before its session ended gets no stream, and no shell,
// that outlives the session.
func TestEndedSessionGetsNoStream(t *testing.T) {
	var s streams
	before, done := s.add(t.Context(), "s1")
	defer done()
	s.end("s1")
	after, done := s.add(t.Context(), "s1")
	defer done()
	other, done := s.add(t.Context(), "s2")
	defer done()
	if before.Err() == nil || after.Err() == nil || other.Err() != nil {
		t.Errorf("before %v, after %v, of another session %v", before.Err(), after.Err(), other.Err())
	}
}

// pipeListener hands over connections of a test.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { l.once.Do(func() { close(l.done) }); return nil }

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// Who asks for a page and does not read it is cut off.
func TestSlowReaderIsCutOff(t *testing.T) {
	made := httptest.NewUnstartedServer(nil)
	made.StartTLS()
	certificate := made.TLS.Certificates[0]
	made.Close()
	inBubble(t, func(t *testing.T, c *Console) {
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() {
			served <- c.Serve(ctx, l, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil })
		}()
		ours, theirs := net.Pipe()
		l.conns <- theirs
		b := tls.Client(ours, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) //nolint:gosec // a test's own server
		if _, err := io.WriteString(b, "GET /assets/x/"+strings.Repeat("y", 60)+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(answerTime + time.Minute)
		if _, err := ours.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after %v the connection is there: %v", answerTime+time.Minute, err)
		}
		ours.Close()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// A file that is long in the making is not cut off while it is read.
func TestLongAnswerGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
		rq := &request{ResponseWriter: w}
		begun := time.Now()
		if _, err := rq.Write([]byte("x")); err != nil || !w.until.IsZero() {
			t.Fatalf("an answer like others has the deadline %v, %v", w.until, err)
		}
		rq.goOn(10 * time.Minute)
		if got := w.until.Sub(begun); got != 10*time.Minute+answerTime {
			t.Errorf("%v for the first part", got)
		}
		for range 3 {
			time.Sleep(14 * time.Minute)
			if _, err := rq.Write([]byte("x")); err != nil || time.Until(w.until) < answerTime-time.Second {
				t.Errorf("after a part there are %v, %v", time.Until(w.until), err)
			}
		}
	})
}

// deadlineWriter remembers the deadline.
type deadlineWriter struct {
	*httptest.ResponseRecorder

	until time.Time
}

func (w *deadlineWriter) SetWriteDeadline(t time.Time) error { w.until = t; return nil }

// fromAddr is a connection from an address.
type fromAddr struct {
	net.Conn

	from string
}

func (c fromAddr) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(c.from), Port: 40000}
}

// One address has a share of the connections, and all addresses together have a bound.
func TestConnectionsAreBounded(t *testing.T) {
	inner := &pipeListener{conns: make(chan net.Conn, 16), done: make(chan struct{})}
	l := &boundedListener{Listener: inner, all: 3, each: 2}
	connect := func(from string) (taken bool, server net.Conn) {
		t.Helper()
		ours, theirs := net.Pipe()
		t.Cleanup(func() { ours.Close() })
		inner.conns <- fromAddr{theirs, from}
		probe, other := net.Pipe() // what the listener takes after one that it closes
		t.Cleanup(func() { other.Close() })
		inner.conns <- fromAddr{probe, "198.51.100.99"}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if c.RemoteAddr().String() == "198.51.100.99:40000" {
			c.Close()
			return false, nil
		}
		<-inner.conns
		return true, c
	}
	l.all = 4
	_, first := connect("192.0.2.1")
	if ok, _ := connect("192.0.2.1"); !ok {
		t.Error("the second of one address is refused")
	}
	if ok, _ := connect("192.0.2.1"); ok {
		t.Error("the third of one address is taken")
	}
	if ok, _ := connect("192.0.2.2"); !ok {
		t.Error("another address is refused")
	}
	first.Close()
	first.Close()
	if ok, _ := connect("192.0.2.1"); !ok {
		t.Error("after one was closed there is no room")
	}
}

// What may be followed is there; what is remembered of what changed is bounded.
func TestTopicsAreBounded(t *testing.T) {
	d := newDesk(t, entry("srv01")).ready()
	b := d.as("read")
	for topic, want := range map[string]int{"doctor:srv01": http.StatusOK, "doctor:nowhere": http.StatusNotFound, "perf:nowhere": http.StatusNotFound, "events:nowhere": http.StatusNotFound, "nothing": http.StatusNotFound} {
		if a, body := d.get(b, "/live/poll?t="+topic); a.StatusCode != want {
			t.Errorf("%s: %s %s", topic, a.Status, body)
		}
	}
	many := "/live/poll?t=counts"
	for n := range mostAsking + 1 {
		many += "&t=services:srv01%3Fq=" + fmt.Sprint(n)
	}
	if a, body := d.get(b, many); a.StatusCode != http.StatusBadRequest || !strings.Contains(body, fmt.Sprint(mostAsking)) {
		t.Errorf("%d topics that ask: %s %s", mostAsking+1, a.Status, body)
	}
	h := newHub()
	h.follow("x", source{every: time.Hour, load: func(context.Context, string) (any, error) { return "", nil }})
	var names []string
	for n := range mostLoops + 10 {
		names = append(names, fmt.Sprint("x:", n))
	}
	_, leave := h.subscribe(names)
	_, also := h.subscribe(names[:1])
	if h.loops != mostLoops {
		t.Errorf("%d loops", h.loops)
	}
	also()
	if leave(); h.loops != 0 {
		t.Errorf("%d loops are left", h.loops)
	}
	h.close()
	h = newHub()
	id := h.id(7)
	for n := range mostKnown + 100 {
		h.changed(fmt.Sprint("work:", n))
	}
	if len(h.revs) > mostKnown || h.id(7) == id {
		t.Errorf("%d topics are remembered, and the id is %s", len(h.revs), h.id(7))
	}
	inside := errors.New("open /var/lib/casement/console/x: no space")
	if m, err := encodeTopic("row:x", nil, inside); err != nil || strings.Contains(string(m), "/var") {
		t.Errorf("the inside in a message: %s, %v", m, err)
	}
}

// What is refused leaves a short line; what opens a display link is in no log.
func TestLogsAreBounded(t *testing.T) {
	d := newDesk(t, entry("srv01")).ready()
	if a, _ := d.post(d.as("read"), "/servers/"+strings.Repeat("x", 5000)+"/services", nil); a.StatusCode != http.StatusForbidden {
		t.Fatal(a.Status)
	}
	for _, e := range d.log() {
		if p := e.Parameters["request"]; len(p) > 210 {
			t.Errorf("%d octets of a request are kept", len(p))
		}
	}
	rq := &request{Request: httptest.NewRequest(http.MethodGet, "/display/casement_secret/live", nil)}
	if p := rq.path(); strings.Contains(p, "secret") {
		t.Errorf("the log has %s", p)
	}
}

// Where shells are for nobody, or for administrators, an Operator runs no command by
// another way: a method that runs one, or a file that is put in the place of a program.
func TestNoShellIsNoCommand(t *testing.T) {
	d := newDesk(t, entry("srv01")).ready()
	token, oper := d.key("oper", "Operator"), d.as("oper")
	tries := map[string]string{
		"run":    `{"kind":"run","servers":["srv01"],"parameters":{"command":"id"}}`,
		"invoke": `{"kind":"invoke","servers":["srv01"],"parameters":{"path":"Win32_Process","method":"Create","arguments":{"CommandLine":"id"}}}`,
		"copy":   `{"kind":"copy","servers":["srv01"],"parameters":{"to":"/usr/bin","name":"id","data":""}}`,
	}
	for _, who := range []string{"operators", "administrators", "nobody"} {
		s := d.c.settings.get()
		s.Shell = who
		if err := d.c.settings.save(t.Context(), d.c.store, s); err != nil {
			t.Fatal(err)
		}
		want := http.StatusForbidden
		if who == "operators" {
			want = http.StatusOK
		}
		form := url.Values{"path": {"Win32_Process"}, "method": {"Create"}, "in:CommandLine": {"id"}, "confirmed": {"srv01"}, "typed": {"srv01"}}
		if want == http.StatusForbidden { // the page would wait for the end of it
			if a, body := d.post(oper, "/servers/srv01/object", form); a.StatusCode != want {
				t.Errorf("a method by the page with shells for %s: %s %s", who, a.Status, body)
			}
		}
		for kind, body := range tries {
			if got, text := d.call(token, "POST", "/api/v1/work", body); got != want {
				t.Errorf("%s with shells for %s: %d %s", kind, who, got, text)
			}
		}
		if got, text := d.call(token, "POST", "/api/v1/work", `{"kind":"service","servers":["srv01"],"parameters":{"service":"x","do":"start"}}`); got != http.StatusOK {
			t.Errorf("a service with shells for %s: %d %s", who, got, text)
		}
	}
}

// The names of columns are a server's, too.
func TestColumnsAreDefused(t *testing.T) {
	w := httptest.NewRecorder()
	cell := "=2"
	if err := writeCSV(&request{ResponseWriter: w}, "srv01", &machine.Table{Columns: []string{"=1+1", "Name"}, Rows: [][]*string{{&cell, nil}}}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.Body.String(), "Server,'=1+1,Name\nsrv01,'=2,\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A scheme that hands the password over gives it to no server that an Operator chose.
func TestOperatorReadsNoPassword(t *testing.T) {
	mine, theirs := entry("mine"), entry("theirs")
	theirs.Credential = "plain"
	d := newDesk(t, mine, theirs).ready()
	for _, k := range []pool.Credential{
		{Name: "plain", User: `CORP\svc`, Scheme: wsmanclient.Basic, For: []string{"legacy"}},
		{Name: "fine", User: `CORP\svc`, For: []string{"web"}},
		{Name: "second", User: `CORP\svc`, Scheme: wsmanclient.CredSSP},
	} {
		if err := d.pool.SetCredential(t.Context(), k, []byte("secret")); err != nil {
			t.Fatal(err)
		}
	}
	oper, admin := d.key("oper", "Operator"), d.key("admin", "Administrator")
	for _, k := range []struct {
		what, method, path, body string
		want                     int
	}{
		{"a server of the own with it", "POST", "/api/v1/servers", `[{"name":"evil","endpoint":"https://evil.example:5986/wsman","credential":"plain"}]`, http.StatusForbidden},
		{"by a tag", "POST", "/api/v1/servers", `[{"name":"evil","tags":["Legacy"]}]`, http.StatusForbidden},
		{"delegated", "PATCH", "/api/v1/servers", `{"servers":["mine"],"credential":"second"}`, http.StatusForbidden},
		{"a tag put on", "PATCH", "/api/v1/servers", `{"servers":["mine"],"tag":["legacy"]}`, http.StatusForbidden},
		{"managed as", "PATCH", "/api/v1/servers", `{"servers":["mine"],"credential":"plain"}`, http.StatusForbidden},
		{"one that tells nothing", "PATCH", "/api/v1/servers", `{"servers":["mine"],"tag":["web"]}`, http.StatusNoContent},
		{"one that has it already", "PATCH", "/api/v1/servers", `{"servers":["theirs"],"tag":["web"]}`, http.StatusNoContent},
	} {
		if got, text := d.call(oper, k.method, k.path, k.body); got != k.want {
			t.Errorf("%s: %d %s", k.what, got, text)
		}
	}
	if got, text := d.call(admin, "PATCH", "/api/v1/servers", `{"servers":["mine"],"tag":["legacy"]}`); got != http.StatusNoContent {
		t.Errorf("an Administrator: %d %s", got, text)
	}
	if a, body := d.post(d.as("oper"), "/servers/do", url.Values{"server": {"mine"}, "do": {"manage-as"}, "credential": {"second"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("by the page: %s %s", a.Status, body)
	}
}

// One person waits for few servers at once, and all people together for a bounded number.
func TestAsksAreBounded(t *testing.T) {
	var a asks
	var done []func()
	for n := range mostAsks {
		d, err := a.begin(fmt.Sprint("user", n/mostAsksEach))
		if err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		done = append(done, d)
	}
	if _, err := a.begin("another"); err == nil {
		t.Error("one beyond all is let in")
	}
	done[0]()
	done[len(done)-1]()
	if _, err := a.begin("user1"); err == nil {
		t.Error("one beyond a person's share is let in")
	}
	if _, err := a.begin("another"); err != nil {
		t.Errorf("there is room: %v", err)
	}
}

// The page of a work on many is not as large as all that they printed; its file is.
func TestOutputOfAPageIsBounded(t *testing.T) {
	d := newDesk(t).ready()
	w, err := d.pool.Start(t.Context(), pool.Action{Kind: pool.KindRun}, []string{"a"}, "x")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		d.pool.results[w.ID] = append(d.pool.results[w.ID], pool.Result{Work: w.ID, Server: fmt.Sprint("srv", n), State: pool.Done, Ended: time.Now(), Output: strings.Repeat("x", pool.MaxOutput)})
	}
	b := d.as("read")
	for path, most := range map[string]int{workPage(w.ID): 2 << 20, "/live/poll?t=work:" + w.ID: 2 << 20} {
		if _, body := d.get(b, path); len(body) > most || !strings.Contains(body, "xxxx") {
			t.Errorf("%s has %d octets", path, len(body))
		}
	}
	if _, body := d.get(b, workPage(w.ID)+"/results.csv"); len(body) < 40*pool.MaxOutput {
		t.Errorf("the file has %d octets", len(body))
	}
}

// A link may bring a query along: the line that shows it as a command runs nothing else
// when it is copied to a shell.
func TestCommandsAreQuoted(t *testing.T) {
	for wql, want := range map[string]string{
		"SELECT Name FROM Win32_Service WHERE StartMode='Auto'": `casement pool query all "SELECT Name FROM Win32_Service WHERE StartMode='Auto'"`,
		"SELECT * FROM x WHERE a='$(id)'":                       `casement pool query all 'SELECT * FROM x WHERE a='\''$(id)'\'''`,
		"`id`":                                                  "casement pool query all '`id`'",
		`"; id; "`:                                              `casement pool query all '"; id; "'`,
		`a\`:                                                    `casement pool query all 'a\'`,
	} {
		if got := queryCommand(queryPage{explorer: &explorer{WQL: wql}}); len(got) != 1 || got[0] != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := queryCommand(queryPage{explorer: &explorer{WQL: "a\nid"}}); got != nil {
		t.Errorf("two lines: %q", got)
	}
}

// A server whose rows all have other columns does not make a table of all of them.
func TestColumnsAreBounded(t *testing.T) {
	d := newDesk(t).ready()
	w, err := d.pool.Start(t.Context(), pool.Action{Kind: pool.KindQuery, Parameters: []byte(`{"wql":"SELECT * FROM x"}`)}, []string{"a"}, "x")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for n := range 3000 {
		fmt.Fprintf(&out, "{\"c%d\":%d}\n", n, n)
	}
	d.pool.results[w.ID] = []pool.Result{{Work: w.ID, Server: "a", State: pool.Done, Ended: time.Now(), Output: out.String()}}
	run, _, err := d.c.queryRun(t.Context(), w.ID, 1_000_000)
	if err != nil || len(run.Columns) != mostColumns || len(run.Rows) != 3000 || len(run.Rows[0].Values) != mostColumns {
		t.Errorf("%d columns of %d rows, %v", len(run.Columns), len(run.Rows), err)
	}
	b := d.as("read")
	for topic, want := range map[string]int{"query:" + w.ID: http.StatusOK, "query:nothing": http.StatusNotFound} {
		if a, body := d.get(b, "/live/poll?t="+topic); a.StatusCode != want {
			t.Errorf("%s: %s %s", topic, a.Status, body)
		}
	}
}

// What a key makes ends with it, and what one user keeps is bounded.
func TestKeysOfKeysEnd(t *testing.T) {
	d := newDesk(t).ready()
	token := d.key("oper", "Operator") // of one day
	if got, text := d.call(token, "POST", "/api/v1/keys", `{"label":"more","role":"Operator","days":366}`); got != http.StatusOK {
		t.Fatalf("%d %s", got, text)
	}
	list, err := listJSON[Token](t.Context(), d.c.store, tokenPrefix)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	for _, k := range list {
		if time.Until(k.Expires) > 25*time.Hour {
			t.Errorf("%s is good until %v", k.Label, k.Expires)
		}
	}
	p := Prefs{Views: []View{{Name: "x", Query: strings.Repeat("x", mostPrefs)}}}
	if err := d.c.savePrefs(t.Context(), Account{User: "x"}, p); err == nil {
		t.Error("more than the bound is kept")
	}
}

// FuzzLocal asks where a browser would be sent by what a link says is next: to a path
// of the console.
func FuzzLocal(f *testing.F) {
	for _, s := range []string{"/servers?q=a", "//evil.example", "/\\evil.example", "https://evil.example", "/a//b", "/%2f/evil.example", "javascript:alert(1)", "/\t/evil.example", "", "?", "/..//x", "/.//x"} {
		f.Add(s)
	}
	base, err := url.Parse("https://console.example/signin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		to := local(next)
		if to == "" || to[0] != '/' || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n") {
			t.Fatalf("%q leads to %q", next, to)
		}
		u, err := base.Parse(to)
		if err != nil || u.Host != "console.example" || u.Scheme != "https" {
			t.Errorf("%q leads to %v, %v", next, u, err)
		}
	})
}

// FuzzRow reads whatever a worker may have written as a row.
func FuzzRow(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":null,"c":"x","d":[1,{"e":2}]}`, "", "[]", `{"a"`, `{"a":1}{"b":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if names, values, err := rowOf(line); err == nil && len(names) != len(values) {
			t.Errorf("%q has %d names and %d values", line, len(names), len(values))
		}
	})
}

// FuzzMemory reads whatever the store may have of a server's counters.
func FuzzMemory(f *testing.F) {
	m := &memory{coarse: newRing(coarseStep, coarseSlots)}
	coarse := m.encode()
	m.fine = newRing(fineStep, fineSlots)
	both := m.encode()
	f.Add([]byte{historyVersion}, uint16(0), true)
	f.Add([]byte{historyVersion, 0x80}, uint16(1), false)
	f.Fuzz(func(t *testing.T, begin []byte, drop uint16, fine bool) {
		b := coarse
		if fine {
			b = both
		}
		b = slices.Clone(b[:len(b)-int(drop)%len(b)])
		copy(b, begin)
		if m, err := decodeMemory(b); err == nil && !bytes.Equal(m.encode(), b) {
			t.Error("what was read is written in another way")
		}
	})
}

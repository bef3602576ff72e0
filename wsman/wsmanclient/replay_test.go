package wsmanclient_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// exchange is one recorded pair; status is that of HTTP.
type exchange struct {
	request, response string
	status            int
	used              chan struct{} // closed when it was answered
}

// recording reads the exchanges of a recording of real Windows.
func recording(t *testing.T, name string) []*exchange {
	t.Helper()
	dir := os.Getenv("CASEMENT_FIXTURES")
	if dir == "" {
		t.Skip("CASEMENT_FIXTURES does not name the folder of the recordings")
	}
	b, err := os.ReadFile(filepath.Join(dir, "pypsrp-recordings", name))
	if err != nil {
		t.Fatal(err)
	}
	var list []*exchange
	for rest := string(b); ; {
		key := regexp.MustCompile(`(?m)^[- ] (request|response|    code): `).FindStringSubmatchIndex(rest)
		if key == nil {
			break
		}
		var value string
		what := rest[key[2]:key[3]]
		value, rest = scalar(rest[key[1]:])
		switch what {
		case "request":
			list = append(list, &exchange{request: value, status: http.StatusOK, used: make(chan struct{})})
		case "response":
			list[len(list)-1].response = value
		default:
			if list[len(list)-1].status, err = strconv.Atoi(value); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s holds no exchange", name)
	}
	return list
}

// scalar reads a YAML scalar, plain on one line or in single quotes.
func scalar(s string) (value, rest string) {
	if !strings.HasPrefix(s, "'") {
		value, rest, _ = strings.Cut(s, "\n")
		return value, "\n" + rest
	}
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			i++
			continue
		}
		text := strings.ReplaceAll(s[1:i], "''", "'")
		text = regexp.MustCompile(`[ \t]*\n[ \t]*`).ReplaceAllStringFunc(text, func(fold string) string {
			if n := strings.Count(fold, "\n"); n > 1 {
				return strings.Repeat("\n", n-1)
			}
			return " "
		})
		return text, s[i+1:]
	}
	return s[1:], ""
}

// replayer answers requests as they were recorded and checks each of them
// against the recording.
type replayer struct {
	t    *testing.T
	list []*exchange
	mu   sync.Mutex
}

var messageID = regexp.MustCompile(`MessageID[^>]*>([^<]*)<`)

func (p *replayer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Error(err)
		return
	}
	got := canonical(p.t, string(body))
	e := p.take(got)
	if e == nil {
		p.t.Errorf("no recorded request is like this one:\n%s", got)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	id := messageID.FindStringSubmatch(string(body))[1]
	answer := regexp.MustCompile(`(<a:RelatesTo>)[^<]*<`).ReplaceAllString(e.response, "${1}"+id+"<")
	w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
	w.WriteHeader(e.status)
	io.WriteString(w, answer) //nolint:errcheck // the client notices
	close(e.used)
}

// take finds the first recorded request that is like got and was not used, and
// waits until those before it were answered, as they were when it was recorded.
func (p *replayer) take(got string) *exchange {
	p.mu.Lock()
	var found *exchange
	var before []*exchange
	for _, e := range p.list {
		if e.request != "" && canonical(p.t, e.request) == got {
			found = e
			e.request = ""
			break
		}
		before = append(before, e)
	}
	p.mu.Unlock()
	if found == nil {
		return nil
	}
	for _, e := range before {
		select {
		case <-e.used:
		case <-time.After(5 * time.Second):
			p.t.Errorf("a recorded request never came:\n%s", canonical(p.t, e.request))
		}
	}
	return found
}

// unlike are the places where our requests differ from the recorded ones on
// purpose, each with its reason.
var unlike = []struct{ why, pattern, to string }{
	{"the peer ends a command with ctrl_c where [MS-WSMV] 3.1.4.14 wants Terminate", `shell/signal/(ctrl_c|terminate)`, "shell/signal/X"},
	{"the peer leaves the default out", `\[Option @Name=WINRS_CONSOLEMODE_STDIN =FALSE\]`, ""},
	{"End=False is the default, which the peer writes", ` @End=FALSE`, ""},
	{"booleans are not compared by case", `=(True|true|False|false)\b`, ""},
	{"the peer lets the option be refused, Windows sends it without", ` @MustComply=TRUE`, ""},
	{"fractions of seconds", `(PT\d+)\.000S`, "${1}S"},
	{"random", `uuid:[0-9A-Fa-f-]{36}`, "uuid:X"},
}

// canonical writes an envelope as a tree of local names with sorted attributes
// and sorted children, so that prefixes and order do not matter.
func canonical(t *testing.T, envelope string) string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(envelope))
	var write func(start xml.StartElement) string
	write = func(start xml.StartElement) string {
		var attrs, children []string
		for _, a := range start.Attr {
			if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
				attrs = append(attrs, " @"+a.Name.Local+"="+a.Value)
			}
		}
		sort.Strings(attrs)
		var text bytes.Buffer
		for {
			token, err := d.Token()
			if err != nil {
				t.Fatalf("%v in %s", err, envelope)
			}
			switch v := token.(type) {
			case xml.StartElement:
				children = append(children, write(v))
			case xml.CharData:
				text.Write(v)
			case xml.EndElement:
				sort.Strings(children)
				value := strings.TrimSpace(text.String())
				if value != "" {
					value = " =" + value
				}
				return "[" + start.Name.Local + strings.Join(attrs, "") + value + strings.Join(children, "") + "]"
			}
		}
	}
	for {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, envelope)
		}
		if start, ok := token.(xml.StartElement); ok {
			s := write(start)
			s = regexp.MustCompile(`(?i)=(true|false)\b`).ReplaceAllStringFunc(s, strings.ToUpper)
			for _, u := range unlike {
				s = regexp.MustCompile(u.pattern).ReplaceAllString(s, u.to)
			}
			return s
		}
	}
}

// replay serves a recording and returns a client that thinks it talks to the
// recorded host.
func replay(t *testing.T, name string) *wsmanclient.Client {
	t.Helper()
	list := recording(t, name)
	p := &replayer{t: t, list: list}
	endpoint := regexp.MustCompile(`>(https?://[^/<]+:\d+/wsman)<`).FindStringSubmatch(list[0].request)[1]
	address := serve(t, p)
	if strings.HasPrefix(endpoint, "https") {
		secure := httptest.NewTLSServer(p)
		t.Cleanup(secure.Close)
		address = secure.Listener.Addr().String()
	}
	c := client(t, endpoint, address, func(o *wsmanclient.Options) {
		o.OperationTimeout, o.MaxEnvelopeSize = 20*time.Second, 153600
		o.TLS = wsmanclient.TLSOptions{SkipCA: true, SkipCN: true}
		if strings.Contains(list[0].request, "PT10S") {
			o.OperationTimeout = 10 * time.Second
		}
	})
	t.Cleanup(func() {
		for _, e := range list {
			if e.request != "" {
				t.Errorf("a recorded request never came:\n%s", canonical(t, e.request))
				break
			}
		}
	})
	return c
}

// serve serves HTTP on a free port of the loopback.
func serve(t testing.TB, h http.Handler) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l) //nolint:errcheck // closed below
	}()
	t.Cleanup(func() {
		s.Close() //nolint:errcheck // the test is over
		<-done
	})
	return l.Addr().String()
}

// client makes a client of endpoint whose connections all go to address, with
// Basic in the clear.
func client(t testing.TB, endpoint, address string, change ...func(*wsmanclient.Options)) *wsmanclient.Client {
	t.Helper()
	o := wsmanclient.Options{Scheme: wsmanclient.Basic, Credentials: auth.Credentials{Username: "u", Password: "p"},
		Settings: plainSettings, OperationTimeout: 5 * time.Second, DialContext: dialTo(address)}
	for _, f := range change {
		f(&o)
	}
	c, err := wsmanclient.New(endpoint, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func plainSettings() *settings.Client {
	return &settings.Client{NetworkDelayms: 1000, URLPrefix: "wsman", AllowUnencrypted: true, TrustedHosts: "*",
		Auth: settings.Auth{Basic: true, Negotiate: true}, DefaultPorts: settings.Ports{HTTP: 5985, HTTPS: 5986}}
}

package wsmanserver_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/internal/testlog"
)

// writes counts the writes on the connections of a service.
type writes struct {
	net.Listener
	count *atomic.Int32
}

func (l writes) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countedConn{c, l.count}, err
}

type countedConn struct {
	net.Conn
	count *atomic.Int32
}

func (c countedConn) Write(p []byte) (int, error) {
	c.count.Add(1)
	return c.Conn.Write(p)
}

// A response leaves in one write, sealed by TLS or not, large or small.
func TestOneWritePerResponse(t *testing.T) {
	var count atomic.Int32
	s := casementtest.New(t, casementtest.Options{Opener: machine(t),
		Settings: map[string]string{"Service/Auth/Basic": "true", "Service/AllowUnencrypted": "true"},
		Listen: func(_ context.Context, network, address string) (net.Listener, error) {
			l, err := net.Listen(network, address)
			return writes{l, &count}, err
		}})
	for _, url := range []string{s.HTTP, s.HTTPS} {
		w := newWire(t, s)
		w.url = url
		for _, most := range []int{1, 1000} {
			r := request{action: enumerate, uri: wmi("CT_Many"), body: optimized(most, "")}
			w.ok(r)
			before := count.Load()
			a := w.ok(r)
			if n := count.Load() - before; n != 1 {
				t.Errorf("%s: a response of %d bytes took %d writes", url, len(a.body), n)
			}
		}
	}
}

// Section 3.3: the compatibility listeners follow their settings. Ports 80 and
// 443 are others here.
func TestCompatibilityListeners(t *testing.T) {
	var mu sync.Mutex
	open := map[string]string{} // what was asked for: where it is
	s := casementtest.New(t, casementtest.Options{Opener: machine(t), Listen: func(_ context.Context, network, address string) (net.Listener, error) {
		actual := address
		if address == ":80" || address == ":443" {
			actual = "127.0.0.1:0"
		}
		l, err := net.Listen(network, actual)
		if err == nil {
			mu.Lock()
			open[address] = l.Addr().String()
			mu.Unlock()
		}
		return l, err
	}})
	where := func(address string) string {
		mu.Lock()
		defer mu.Unlock()
		return open[address]
	}
	s.Set("Service/EnableCompatibilityHttpListener", "true")
	eventually(t, "port 80 is open", func() bool {
		a := where(":80")
		return a != "" && knock(t, a, "/wsman", "x") == http.StatusUnauthorized
	})
	s.Set("Service/EnableCompatibilityHttpsListener", "true")
	eventually(t, "port 443 is open", func() bool { return where(":443") != "" })
	s.Set("Service/EnableCompatibilityHttpListener", "false")
	eventually(t, "port 80 is closed", func() bool { return knock(t, where(":80"), "/wsman", "x") == 0 })
	s.Set("Service/EnableCompatibilityHttpsListener", "false")
	eventually(t, "port 443 is closed", func() bool {
		c, err := net.Dial("tcp", where(":443"))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

// Section 5.7: the audit entries of RootSDDL write to the log.
func TestAudit(t *testing.T) {
	var log testlog.Text
	s := casementtest.New(t, casementtest.Options{Opener: machine(t), Settings: map[string]string{"Service/Auth/Basic": "true"}, Log: &log})
	s.AddUser("plain", "Secret-1-word")
	w := newWire(t, s)
	w.as("plain", "Secret-1-word").do(request{action: get, uri: nsConfig}).wantFault("plain", "w:AccessDenied", "", 5)
	// The default descriptor audits failures of everybody, and successes of
	// writing and executing.
	if text := log.String(); !strings.Contains(text, "audit") || !strings.Contains(text, "plain") || !strings.Contains(text, "granted=false") {
		t.Errorf("the refused access is not in the log:\n%s", text)
	}
	// Who asks again and again is written down once a second.
	begin := time.Now()
	for range 50 {
		w.as("plain", "Secret-1-word").do(request{action: get, uri: nsConfig}).wantFault("plain", "w:AccessDenied", "", 5)
	}
	if n := strings.Count(log.String(), "granted=false"); n > 2+int(time.Since(begin)/time.Second) {
		t.Errorf("51 refusals within %v: %d lines", time.Since(begin), n)
	}
	w.set("MaxTimeoutms", "50000")
	if text := log.String(); !strings.Contains(text, "granted=true") {
		t.Errorf("the write is not in the log:\n%s", text)
	}
	if strings.Contains(log.String(), "Secret-1-word") || strings.Contains(log.String(), s.Password) {
		t.Error("a password is in the log")
	}
}

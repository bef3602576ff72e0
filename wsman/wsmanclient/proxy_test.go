package wsmanclient_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// connectProxy is an HTTP proxy as RFC 9110 section 9.3.6 says: it leads every
// tunnel to one address and tells what was asked for.
func connectProxy(t *testing.T, address string) (proxy string, asked func() []string) {
	var mu sync.Mutex
	var list []string
	var tunnels sync.WaitGroup
	proxy = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		list = append(list, r.Method+" "+r.Host)
		mu.Unlock()
		far, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		near, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n") //nolint:errcheck // seen by the client
		tunnels.Go(func() { defer far.Close(); io.Copy(far, bufio.NewReader(buffered)) })
		tunnels.Go(func() { defer near.Close(); io.Copy(near, far) })
	}))
	t.Cleanup(tunnels.Wait)
	return proxy, func() []string { mu.Lock(); defer mu.Unlock(); return list }
}

// TestProxy: messages reach the host by way of a proxy, which is asked for the
// host and its port once for each connection.
func TestProxy(t *testing.T) {
	f := &fake{t: t, answer: func(*wsman.Message) (wsman.Body, error) { return nil, nil }}
	proxy, asked := connectProxy(t, serve(t, f))
	c := client(t, "http://far.example", "", func(o *wsmanclient.Options) { o.DialContext, o.Proxy = nil, "http://"+proxy })
	for range 2 {
		if _, err := c.Get(t.Context(), config, nil); err != nil {
			t.Fatal(err)
		}
	}
	if list := asked(); len(list) != 1 || list[0] != "CONNECT far.example:5985" || f.count("Get") != 2 {
		t.Errorf("the proxy was asked for %q, the host got %d messages", list, f.count("Get"))
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

package casement_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// cable keeps the connections of a client, to cut them.
type cable struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
	return conn, err
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// TestCutInTheMiddle: a connection that is cut while output comes ends the
// command with a clear error; the client goes on with new connections, each of
// which proves anew.
func TestCutInTheMiddle(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	var wire cable
	c := dial(t, s.HTTP, casement.Options{User: s.User, Password: s.Password, DialContext: wire.dial})
	sh := shell(t, c, wsmanclient.ShellOptions{})
	cmd, err := sh.Start(t.Context(), wsmanclient.CommandOptions{Command: "echo first; exec sleep 30"})
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 6)
	if _, err := io.ReadFull(cmd.Stdout, line); err != nil {
		t.Fatal(err)
	}
	wire.cut()
	begun := time.Now()
	_, err = cmd.Wait(t.Context())
	if !errors.Is(err, wsman.CodeHTTPServiceUnavailable) || !strings.Contains(err.Error(), "ended before the answer") {
		t.Errorf("Wait: %v", err)
	}
	if _, err := io.ReadAll(cmd.Stdout); err == nil {
		t.Error("the output ends as if it were whole")
	}
	if d := time.Since(begun); d > 10*time.Second {
		t.Errorf("that took %s", d)
	}
	if err := cmd.Close(); err != nil {
		t.Error(err)
	}
	wire.cut()                          // what rests in the pool, too
	time.Sleep(1100 * time.Millisecond) // a connection that rested is looked at before it is used
	if out, _, code := run(t, sh, "echo again", ""); out != "again\n" || code != 0 {
		t.Errorf("%q, %d", out, code)
	}
}

// TestUTF16: requests and answers in the other encoding. See [MS-WSMV] 2.1.
func TestUTF16(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	c, err := wsmanclient.New(s.HTTP, wsmanclient.Options{UTF16: true, Lenient: true,
		Credentials: auth.Credentials{Username: s.User, Password: s.Password}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, err := c.Get(t.Context(), wsman.EPR{ResourceURI: wsman.ResourceConfig}, nil)
	if err != nil || !strings.Contains(string(b), "MaxEnvelopeSizekb>") {
		t.Errorf("%s, %v", b, err)
	}
	e, err := c.Session("").Query(t.Context(), "SELECT Caption FROM Win32_OperatingSystem", cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := cim.Collect(t.Context(), e); err != nil || len(rows) != 1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

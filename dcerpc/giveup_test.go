package dcerpc_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/dcerpc"
)

// heldConn lets nothing be read before a moment.
type heldConn struct {
	net.Conn

	until time.Time
}

func (c *heldConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if wait := time.Until(c.until); wait > 0 {
		time.Sleep(wait)
	}
	return n, err
}

// Who gives up a bind harms nobody else on the connection.
func TestBindGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := echo(1, nil)
		other.ID = dcerpc.Syntax("60a15ec5-4de8-11d7-a637-005056a20183", 1, 0)
		nc := &heldConn{Conn: pipe(t, dcerpc.ServerOptions{}, echo(1, nil), other)}
		c := dcerpc.NewConn(nc, dcerpc.Options{})
		defer c.Close()
		b, err := c.Bind(t.Context(), echoID, nil)
		if err != nil {
			t.Fatal(err)
		}
		nc.until = time.Now().Add(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := c.Bind(ctx, other.ID, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("a bind that is given up: %v after %v", err, time.Since(start))
		}
		var out bytesArg
		if err := b.Call(t.Context(), 0, none, &bytesArg{[]byte("hello")}, &out); err != nil || !bytes.Equal(out.b, []byte("hello")) {
			t.Errorf("a call beside it: %q, %v", out.b, err)
		}
		if _, err := c.Bind(t.Context(), other.ID, nil); err != nil {
			t.Errorf("the next bind: %v", err)
		}
	})
	// A server that never answers ends the connection after a grace.
	synctest.Test(t, func(t *testing.T) {
		nc := &heldConn{Conn: pipe(t, dcerpc.ServerOptions{}, echo(1, nil))}
		c := dcerpc.NewConn(nc, dcerpc.Options{})
		defer c.Close()
		if _, err := c.Bind(t.Context(), echoID, nil); err != nil {
			t.Fatal(err)
		}
		nc.until = time.Now().Add(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := c.Bind(ctx, dcerpc.Syntax("60a15ec5-4de8-11d7-a637-005056a20184", 1, 0), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		<-c.Done()
		if err := c.Err(); errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "did not answer a bind") {
			t.Errorf("it ends with %v", err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("the connection ends after %v", took)
		}
		time.Sleep(time.Minute) // until the held read is over
	})
}

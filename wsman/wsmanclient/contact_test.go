package wsmanclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// pipes is a network inside of a test's bubble.
type pipes struct {
	come chan net.Conn
	done chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.come:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipes) Close() error   { close(l.done); return nil }
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (l *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.come <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestCommandOutlivesTheNetwork: silence is told after 11 s, an answer that comes late
// is taken, a connection that breaks is made anew, and four minutes of that are the end.
func TestCommandOutlivesTheNetwork(t *testing.T) {
	for _, test := range []struct {
		name    string
		receive func(n int) (wsman.Body, error)
		out     string
		told    string
		code    wsman.Code
		took    time.Duration
	}{
		{"heard again", func(n int) (wsman.Body, error) {
			switch n {
			case 1:
				return &winrs.ReceiveResponse{CommandID: command, State: winrs.Running, Streams: []winrs.Stream{{Name: "stdout", CommandID: command, Data: []byte("a")}}}, nil
			case 2:
				time.Sleep(30 * time.Second)
				return &winrs.ReceiveResponse{CommandID: command, State: winrs.Running, Streams: []winrs.Stream{{Name: "stdout", CommandID: command, Data: []byte("b")}}}, nil
			case 3:
				panic(http.ErrAbortHandler)
			case 4:
				return nil, wsman.NewFault(0x80338127, "")
			}
			return done(0), nil
		}, "ab", "lost at 11s, heard at 30s, lost at 30s, heard at 32s", 0, 32 * time.Second},
		{"never heard again", func(int) (wsman.Body, error) { panic(http.ErrAbortHandler) }, "", "lost at 0s", 0x80338112, 241 * time.Second},
		{"gone", func(n int) (wsman.Body, error) {
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
			return nil, wsman.NewFault(wsman.CodeUnexpectedSelectors, "")
		}, "", "lost at 0s, heard at 1s", wsman.CodeUnexpectedSelectors, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				f := &fake{t: t}
				f.answer = func(m *wsman.Message) (wsman.Body, error) {
					switch m.Action {
					case wsman.ActionCreate:
						return created("S"), nil
					case winrs.ActionCommand:
						return &winrs.CommandResponse{CommandID: command}, nil
					case winrs.ActionReceive:
						n++
						return test.receive(n)
					}
					return winrs.Empty("SignalResponse"), nil
				}
				l := &pipes{make(chan net.Conn), make(chan struct{})}
				server := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute, ErrorLog: quiet()}
				go server.Serve(l) //nolint:errcheck // closed below
				c, err := wsmanclient.New("http://h", wsmanclient.Options{Local: true, DialContext: l.dial})
				if err != nil {
					t.Fatal(err)
				}
				s, err := c.CreateShell(t.Context(), wsmanclient.ShellOptions{})
				if err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				var told []string
				begun := time.Now()
				cmd, err := s.Start(t.Context(), wsmanclient.CommandOptions{Command: "x", Stdout: &out, Contact: func(heard bool) {
					told = append(told, fmt.Sprintf("%s at %s", map[bool]string{true: "heard", false: "lost"}[heard], time.Since(begun).Truncate(time.Second)))
				}})
				if err != nil {
					t.Fatal(err)
				}
				_, err = cmd.Wait(t.Context())
				var fault *wsman.Fault
				if errors.As(err, &fault); (test.code == 0) != (err == nil) || fault != nil && fault.Code != test.code {
					t.Errorf("it ended with %v", err)
				}
				if took := time.Since(begun).Truncate(time.Second); took != test.took {
					t.Errorf("it took %s", took)
				}
				if got := strings.Join(told, ", "); out.String() != test.out || got != test.told {
					t.Errorf("output %q, told %s", &out, got)
				}
				if err := errors.Join(cmd.Close(), s.Close(t.Context()), c.Close(), server.Close()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

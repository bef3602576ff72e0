package winrstool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/internal/winrmtool"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// remoteOnly connects as the switches say.
type remoteOnly struct{}

func (remoteOnly) Local(context.Context) (*wsmanclient.Client, error) {
	return nil, errors.New("no local session here")
}

func (remoteOnly) Remote(_ context.Context, o winrmtool.RemoteOptions) (*wsmanclient.Client, error) {
	return wsmanclient.New(o.Endpoint, o.Options)
}

func (remoteOnly) Client() settings.Client { return settings.Client{} }

// watched is a writer that tells when a text has come.
type watched struct {
	mu   sync.Mutex
	b    bytes.Buffer
	text string
	seen chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(p)
	if w.text != "" && strings.Contains(w.b.String(), w.text) {
		w.text = ""
		close(w.seen)
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// anyFailure stands for every exit code but 0.
const anyFailure = -1

func TestRun(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	at := []string{"/r:" + s.HTTP, "/u:" + s.User, "/p:" + s.Password}
	for _, c := range []struct {
		args     []string
		in       string
		out, err string
		code     int
	}{
		{[]string{"echo out; echo err >&2; exit 3"}, "", "out\n", "err\n", 3},
		{[]string{"cat"}, "one\ntwo\n", "one\ntwo\n", "", 0},
		{[]string{"/env:A=x y", "/d:/", "pwd; echo $A"}, "", "/\nx y\n", "", 0},
		{[]string{"kill -9 $$"}, "", "", "", anyFailure},
	} {
		var out, errs bytes.Buffer
		tool := &Tool{Connector: remoteOnly{}, In: strings.NewReader(c.in), Out: &out, Err: &errs}
		code := tool.Run(t.Context(), append(at[:len(at):len(at)], c.args...))
		_, remote, _ := strings.Cut(errs.String(), "\n") // the first line warns of /p
		if code != c.code && (c.code != anyFailure || code == 0) || out.String() != c.out || remote != c.err {
			t.Errorf("%q: %d %q %q", c.args, code, out.String(), errs.String())
		}
	}
}

// The first Ctrl-C goes to the remote command, the second ends winrs.
func TestInterrupts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the commands are those of a Unix shell")
	}
	s := casementtest.New(t, casementtest.Options{})
	start := func(command string) (*watched, chan os.Signal, chan int) {
		out := &watched{text: "ready", seen: make(chan struct{})}
		interrupts := make(chan os.Signal, 2)
		ended := make(chan int, 1)
		tool := &Tool{Connector: remoteOnly{}, Out: out, Err: io.Discard, Interrupts: interrupts}
		go func() {
			ended <- tool.Run(t.Context(), []string{"/r:" + s.HTTP, "/u:" + s.User, "/p:" + s.Password, command})
		}()
		select {
		case <-out.seen:
		case <-time.After(10 * time.Second):
			t.Fatal("the command does not start")
		}
		return out, interrupts, ended
	}
	wait := func(ended chan int) int {
		select {
		case code := <-ended:
			return code
		case <-time.After(15 * time.Second):
			t.Fatal("winrs does not end")
			return 0
		}
	}
	out, interrupts, ended := start(`trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done`)
	interrupts <- os.Interrupt
	if code := wait(ended); code != 5 || !strings.Contains(out.String(), "caught") {
		t.Errorf("after Ctrl-C: %d %q", code, out.String())
	}
	_, interrupts, ended = start(`trap '' INT; echo ready; while :; do sleep 0.05; done`)
	interrupts <- os.Interrupt
	interrupts <- syscall.SIGINT
	if code := wait(ended); code != ExitInterrupted {
		t.Errorf("after the second Ctrl-C: %d", code)
	}
}

func TestEchoAndPassword(t *testing.T) {
	off, restored, asked := 0, 0, ""
	tool := &Tool{Connector: remoteOnly{}, Out: io.Discard, Err: io.Discard,
		EchoOff: func() (func(), error) { off++; return func() { restored++ }, nil },
		Password: func(_ context.Context, user string) (string, error) {
			asked = user
			return "", errors.New("nobody there")
		}}
	if code := tool.Run(t.Context(), []string{"/r:127.0.0.1:1", "/u:bob", "/noecho", "dir"}); code != ExitFailure {
		t.Error(code)
	}
	if off != 1 || restored != 1 || asked != "bob" {
		t.Errorf("%d %d %q", off, restored, asked)
	}
}

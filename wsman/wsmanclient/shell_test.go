package wsmanclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// TestQuotaMakesTheShellAnew: Terminate does not give the operations of a
// command shell back ([MS-WSMV] note 118), so 0x803381A6 needs a new shell.
func TestQuotaMakesTheShellAnew(t *testing.T) {
	var shells atomic.Int32
	var deleted sync.Map
	f := &fake{t: t}
	f.answer = func(m *wsman.Message) (wsman.Body, error) {
		id, _ := m.Selectors.Get("ShellId")
		switch m.Action {
		case wsman.ActionCreate:
			return created(fmt.Sprint("S", shells.Add(1))), nil
		case winrs.ActionCommand:
			if id == "S1" {
				return nil, wsman.NewFault(wsman.CodeQuotaMaxOperations, "")
			}
			return &winrs.CommandResponse{CommandID: command}, nil
		case winrs.ActionReceive:
			return done(3, winrs.Stream{Name: "stdout", CommandID: command, Data: []byte(id)}), nil
		case wsman.ActionDelete:
			deleted.Store(id, true)
		}
		return nil, nil
	}
	c := client(t, "http://h", serve(t, f))
	s, err := c.CreateShell(t.Context(), wsmanclient.ShellOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	code, err := s.Run(t.Context(), wsmanclient.CommandOptions{Command: "x", Stdout: &out}, nil)
	if err != nil || code != 3 || out.String() != "S2" || s.ID() != "S2" {
		t.Errorf("exit code %d, %v, output %q of shell %s", code, err, out.String(), s.ID())
	}
	if _, ok := deleted.Load("S1"); !ok {
		t.Error("the used-up shell was not deleted")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, ok := deleted.Load("S2"); !ok || f.count("Command") != 2 {
		t.Errorf("%d commands, the second shell deleted: %v", f.count("Command"), ok)
	}
}

// TestReceiveDoesNotHoldUpSend: the answer to the Receive comes only after the
// input has, so that one connection would wait for ever.
func TestReceiveDoesNotHoldUpSend(t *testing.T) {
	input := make(chan []byte, 4)
	f := &fake{t: t}
	f.answer = func(m *wsman.Message) (wsman.Body, error) {
		switch m.Action {
		case wsman.ActionCreate:
			return created("S"), nil
		case winrs.ActionCommand:
			return &winrs.CommandResponse{CommandID: command}, nil
		case winrs.ActionSend:
			s, _, err := winrs.ReadSend(m, nil)
			if err != nil {
				t.Error(err)
			}
			input <- bytes.Clone(s.Streams[0].Data)
			return winrs.Empty("SendResponse"), nil
		case winrs.ActionReceive:
			return done(0, winrs.Stream{Name: "stdout", CommandID: command, Data: <-input}), nil
		}
		return nil, nil
	}
	c := client(t, "http://h", serve(t, f))
	s, err := c.CreateShell(t.Context(), wsmanclient.ShellOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := s.Start(t.Context(), wsmanclient.CommandOptions{Command: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for f.count("Receive") == 0 { // it is parked
	}
	if _, err := cmd.Stdin.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(cmd.Stdout); err != nil || string(b) != "ping" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := cmd.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := cmd.Stdin.Write([]byte("late")); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("input after the end: %d, %v", n, err)
	}
	if err := errors.Join(cmd.Close(), cmd.Close(), s.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestInputFitsTheEnvelope: after base64 each Send is as large as
// MaxEnvelopeSize permits and no larger, and shrinks for a host that answers
// 413. See spec section 6 and [MS-WSMV] 3.1.4.13.
func TestInputFitsTheEnvelope(t *testing.T) {
	const host = 20000 // what the host takes, less than the client thinks
	data := bytes.Repeat([]byte("0123456789abcdef"), 10000)
	for _, limit := range []int{0, host} {
		var got bytes.Buffer
		ended, refused := 0, 0
		f := &fake{t: t}
		over := make(chan struct{})
		f.answer = func(m *wsman.Message) (wsman.Body, error) {
			switch m.Action {
			case wsman.ActionCreate:
				return created("S"), nil
			case winrs.ActionCommand:
				return &winrs.CommandResponse{CommandID: command}, nil
			case winrs.ActionReceive:
				<-over
				return done(0), nil
			case winrs.ActionSend:
				s, _, err := winrs.ReadSend(m, nil)
				if err != nil {
					t.Error(err)
				}
				if limit > 0 && len(s.Streams[0].Data)*4/3 > limit {
					refused++
					return nil, httpStatus(http.StatusRequestEntityTooLarge)
				}
				got.Write(s.Streams[0].Data)
				if s.Streams[0].End {
					ended++
					close(over)
				}
				return winrs.Empty("SendResponse"), nil
			}
			return nil, nil
		}
		const envelope = 65536
		c := client(t, "http://h", serve(t, f), func(o *wsmanclient.Options) { o.MaxEnvelopeSize = envelope })
		s, err := c.CreateShell(t.Context(), wsmanclient.ShellOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if code, err := s.Run(t.Context(), wsmanclient.CommandOptions{Command: "x"}, bytes.NewReader(data)); err != nil || code != 0 {
			t.Errorf("exit code %d, %v", code, err)
		}
		if !bytes.Equal(got.Bytes(), data) || ended != 1 {
			t.Errorf("%d bytes of %d came, and %d ends", got.Len(), len(data), ended)
		}
		if limit == 0 && (f.size > envelope || f.size < envelope-1024 || f.count("Send") != 4) {
			t.Errorf("the largest of %d requests has %d bytes, want just below %d", f.count("Send"), f.size, envelope)
		}
		if limit > 0 && refused != 2 {
			t.Errorf("%d pieces were too large, want 2", refused)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestOutputIsBounded: a command that nobody reads from waits; what is held is
// bounded, and Close ends it all.
func TestOutputIsBounded(t *testing.T) {
	var sent atomic.Int64
	piece := make([]byte, 200<<10)
	f := &fake{t: t}
	f.answer = func(m *wsman.Message) (wsman.Body, error) {
		switch m.Action {
		case wsman.ActionCreate:
			return created("S"), nil
		case winrs.ActionCommand:
			return &winrs.CommandResponse{CommandID: command}, nil
		case winrs.ActionReceive:
			sent.Add(int64(len(piece)))
			return &winrs.ReceiveResponse{CommandID: command, State: winrs.Running,
				Streams: []winrs.Stream{{Name: "stdout", CommandID: command, Data: piece}}}, nil
		}
		return nil, nil
	}
	c := client(t, "http://h", serve(t, f))
	s, err := c.CreateShell(t.Context(), wsmanclient.ShellOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := s.Start(t.Context(), wsmanclient.CommandOptions{Command: "x", Stderr: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, cmd.Stdout, 10<<20); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // as much as comes, comes
	if ahead := sent.Load() - 10<<20; ahead > 2<<20 {
		t.Errorf("%d bytes were fetched that nobody read", ahead)
	}
	if err := cmd.Close(); err != nil {
		t.Error(err)
	}
	if _, err := cmd.Wait(t.Context()); err == nil {
		t.Error("a command that was closed before its end gives no error")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestQuietEnds: codes after which a shell is simply gone.
func TestQuietEnds(t *testing.T) {
	for _, code := range []wsman.Code{wsman.CodeOperationAborted, wsman.CodeCancelled, wsman.CodeUnexpectedSelectors} {
		f := &fake{t: t, answer: func(m *wsman.Message) (wsman.Body, error) {
			if m.Action == wsman.ActionCreate {
				return created("S"), nil
			}
			return nil, wsman.NewFault(code, "")
		}}
		c := client(t, "http://h", serve(t, f))
		s, err := c.CreateShell(t.Context(), wsmanclient.ShellOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("%v when the shell is deleted", err)
		}
	}
}

// TestRunEndsWithItsContext ends the command on the host, too.
func TestRunEndsWithItsContext(t *testing.T) {
	ended := make(chan struct{})
	f := &fake{t: t}
	f.answer = func(m *wsman.Message) (wsman.Body, error) {
		switch m.Action {
		case wsman.ActionCreate:
			return created("S"), nil
		case winrs.ActionCommand:
			return &winrs.CommandResponse{CommandID: command}, nil
		case winrs.ActionReceive:
			<-ended
			return nil, wsman.NewFault(wsman.CodeOperationAborted, "")
		case winrs.ActionSignal:
			s, err := winrs.ReadSignal(m)
			if err != nil || !strings.HasSuffix(s.Code, "/terminate") {
				t.Errorf("signal %+v, %v", s, err)
			}
			close(ended)
			return winrs.Empty("SignalResponse"), nil
		}
		return nil, nil
	}
	c := client(t, "http://h", serve(t, f))
	s, err := c.CreateShell(t.Context(), wsmanclient.ShellOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for f.count("Receive") == 0 { // it runs
		}
		cancel()
	}()
	if _, err := s.Run(ctx, wsmanclient.CommandOptions{Command: "x"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	select {
	case <-ended:
	default:
		t.Error("the command was not ended")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

package wsmanclient_test

import (
	"bytes"
	"testing"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// TestReceiveIsAskedAgain: 2150858793 says that there was no output within the
// operation timeout, and the command goes on. See [MS-WSMV] 3.1.4.14.
func TestReceiveIsAskedAgain(t *testing.T) {
	f := &fake{t: t}
	f.answer = func(m *wsman.Message) (wsman.Body, error) {
		switch m.Action {
		case wsman.ActionCreate:
			return created("S"), nil
		case winrs.ActionCommand:
			return &winrs.CommandResponse{CommandID: command}, nil
		case winrs.ActionReceive:
			switch f.count("Receive") {
			case 1, 2, 4:
				return nil, wsman.NewFault(2150858793, "")
			case 3:
				return &winrs.ReceiveResponse{CommandID: command, State: winrs.Running,
					Streams: []winrs.Stream{{Name: "stdout", CommandID: command, Data: []byte("one ")}}}, nil
			}
			return done(4, winrs.Stream{Name: "stdout", CommandID: command, Data: []byte("two")}), nil
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
	if err != nil || code != 4 || out.String() != "one two" {
		t.Errorf("exit code %d, %v, output %q", code, err, out.String())
	}
	if n := f.count("Receive"); n != 5 || f.count("Command") != 1 {
		t.Errorf("%d times Receive, %d times Command", n, f.count("Command"))
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"github.com/casementhq/casement/internal/winrmtool"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

func init() {
	personalities["winrm"] = func(ctx context.Context, s Streams, args []string) error {
		t := &winrmtool.Tool{
			Connector: connector{stateFolder("")}, In: s.In, Out: s.Out, Err: s.Err,
			Terminal: isTerminal(s.In), Password: askPassword(s),
		}
		return exitCode(t.Run(ctx, args))
	}
}

// exitCode is the error of a tool that has said everything already.
func exitCode(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}

// connector opens the sessions of winrm and winrs.
type connector struct{ state string }

// Remote makes a client that obeys this machine's client settings.
func (c connector) Remote(_ context.Context, o winrmtool.RemoteOptions) (*wsmanclient.Client, error) {
	o.Options.Settings = func() *settings.Client {
		set := c.Client()
		return &set
	}
	return wsmanclient.New(o.Endpoint, o.Options)
}

// Client is winrm/config/client as the state folder has it; without a state
// the documented defaults hold.
func (c connector) Client() settings.Client {
	hive, err := registry.Open(filepath.Join(c.state, "hive.reg"), registry.Options{})
	if err != nil {
		w, _ := settings.Load(registry.NewTree(), settings.Current)
		return w.Client
	}
	defer hive.Close()
	return settings.LoadSnapshot(hive.Snapshot()).WinRM.Client
}

// isTerminal tells whether a stream is a terminal.
func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// askPassword asks on the terminal for the password of a user.
func askPassword(s Streams) func(context.Context, string) (string, error) {
	f, ok := s.In.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return func(_ context.Context, user string) (string, error) {
		fmt.Fprintf(s.Err, "Password for %s: ", user)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(s.Err)
		if err != nil {
			return "", err
		}
		if len(b) == 0 {
			return "", errors.New("no password was given")
		}
		return string(b), nil
	}
}

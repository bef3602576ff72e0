package cli

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/winrmtool"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

func init() {
	listed("winrm", "Windows' winrm: operations of WS-Management, quickconfig and settings",
		"winrm as on Windows: 'winrm -?' lists its operations. It also answers by its own name.", runWinRM)
}

func runWinRM(ctx context.Context, s Streams, args []string) error {
	state, args, err := takeState(args)
	if err != nil {
		return err
	}
	_, interactive := terminal(s.In)
	conn := &connector{state: stateFolder(state), log: newWarnings(s.Err)}
	t := &winrmtool.Tool{
		Connector: conn, In: s.In, Out: s.Out, Err: s.Err,
		Terminal: interactive, Password: passwordOf(s),
		QuickConfig: &quickConfig{service.QuickConfig{Dir: conn.state}}, Names: accountNames{conn.state},
	}
	code := t.Run(ctx, args)
	return errors.Join(exitCode(code), conn.close())
}

// exitCode is the error of a tool that has said everything already.
func exitCode(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}

// connector opens the sessions of winrm and winrs.
type connector struct {
	state   string
	closers []func() error
	log     *slog.Logger
}

// Remote makes a client that obeys this machine's client settings. Where no
// credentials are named, those of the remote shell that it runs in are taken.
func (c *connector) Remote(ctx context.Context, o winrmtool.RemoteOptions) (*wsmanclient.Client, error) {
	if s := o.Options.Scheme; o.Options.Credentials.IsZero() && (s == wsmanclient.Automatic || s == wsmanclient.Negotiate || s == wsmanclient.Kerberos) {
		a, err := delegatedAccount(ctx)
		if err != nil {
			return nil, err
		}
		o.Options.Credentials = auth.Credentials{Username: a.user, Password: a.password}
	}
	o.Options.Settings = func() *settings.Client {
		set := c.Client()
		return &set
	}
	o.Options.Logger = c.log
	o.Options.NTLM = func() settings.NTLM { return c.snapshot().NTLM }
	if o.Certificate != "" {
		var err error
		if o.Options.Certificate, err = userCertificate(c.state, o.Certificate); err != nil {
			return nil, err
		}
	}
	return wsmanclient.New(o.Endpoint, o.Options)
}

// Client is winrm/config/client as the state folder has it; without a state
// the documented defaults hold.
func (c *connector) Client() settings.Client { return c.snapshot().WinRM.Client }

func (c *connector) snapshot() *settings.Snapshot {
	hive, err := registry.Open(filepath.Join(c.state, "hive.reg"), registry.Options{})
	if err != nil {
		return settings.LoadSnapshot(registry.NewTree())
	}
	defer hive.Close()
	return settings.LoadSnapshot(hive.Snapshot())
}

// passwordOf asks on the terminal for the password of a user.
func passwordOf(s Streams) func(context.Context, string) (string, error) {
	if _, ok := terminal(s.In); !ok {
		return nil
	}
	return func(_ context.Context, user string) (string, error) {
		return askSecret(s, "Password for "+user+": ")
	}
}

package wsmanclient

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/winrs"
)

// ShellOptions are the options of CreateShell. The zero value is a command
// shell with the account's own directory and environment.
type ShellOptions struct {
	// ResourceURI names another kind of shell; the default is the command
	// shell, wsman.ResourceCmd.
	ResourceURI string
	Name        string // at most 255 characters
	// WorkingDirectory is where commands start; the default is the account's home.
	WorkingDirectory string
	// Environment is added to the account's own.
	Environment []winrs.Variable
	// CodePage is the code page of the streams, 65001 for UTF-8; 0 leaves it
	// to the service.
	CodePage uint32
	// IdleTimeout is how long the shell lives without a message; 0 leaves it to
	// the service. Lifetime is how long it lives in all; 0 is for ever.
	IdleTimeout, Lifetime time.Duration
	// NoProfile does not load the account's profile.
	NoProfile bool
	// InputStreams and OutputStreams default to stdin, and stdout and stderr.
	InputStreams, OutputStreams []string
	// Options are sent beside those that the fields above give.
	Options wsman.OptionSet
}

// Shell is a shell on the host. It is safe for concurrent use.
type Shell struct {
	c    *Client
	opts ShellOptions

	mu     sync.Mutex
	now    *incarnation
	closed bool
}

// incarnation is one shell on the service. A Shell gets another one when the
// service's quota of operations is used up, which Terminate does not give back
// for a command shell. See [MS-WSMV] note 118.
type incarnation struct {
	epr      wsman.EPR
	info     winrs.Shell
	commands int  // that are not yet closed
	retired  bool // to be deleted with its last command
}

// CreateShell opens a shell. See [MS-WSMV] 3.1.4.5.2.
func (c *Client) CreateShell(ctx context.Context, o ShellOptions) (*Shell, error) {
	if o.ResourceURI == "" {
		o.ResourceURI = wsman.ResourceCmd
	}
	if o.InputStreams == nil {
		o.InputStreams = []string{"stdin"}
	}
	if o.OutputStreams == nil {
		o.OutputStreams = []string{"stdout", "stderr"}
	}
	s := &Shell{c: c, opts: o}
	var err error
	if s.now, err = s.create(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Shell) create(ctx context.Context) (*incarnation, error) {
	o := &s.opts
	r := &RequestOptions{Options: append(wsman.OptionSet{}, o.Options...)}
	if o.NoProfile {
		r.Options = append(r.Options, wsman.Option{Name: winrs.OptionNoProfile, Value: "TRUE"})
	}
	if o.CodePage != 0 {
		r.Options = append(r.Options, wsman.Option{Name: winrs.OptionCodePage, Value: strconv.FormatUint(uint64(o.CodePage), 10)})
	}
	r.MustUnderstand = len(r.Options) > 0
	body := &winrs.Shell{Name: o.Name, WorkingDirectory: o.WorkingDirectory, Environment: o.Environment,
		IdleTimeOut: o.IdleTimeout, Lifetime: o.Lifetime, InputStreams: o.InputStreams, OutputStreams: o.OutputStreams}
	m, err := s.c.send(ctx, &call{action: wsman.ActionCreate, resource: o.ResourceURI, opts: r, body: body})
	if err != nil {
		return nil, err
	}
	in := &incarnation{}
	created, err := m.ReadResourceCreated(func(r *soap.Reader) error {
		if !r.Is(soap.Shell, "Shell") {
			return r.Skip()
		}
		info, err := winrs.DecodeShell(r)
		if err == nil {
			in.info = *info
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	in.epr = created.EPR
	if in.epr.ResourceURI == "" {
		in.epr.ResourceURI = o.ResourceURI
	}
	if _, ok := in.epr.Selectors.Get(wsman.SelectorShellID); !ok {
		return nil, wsman.NewFault(wsman.CodeSchemaValidationError, "the service made a shell and did not say its ShellId")
	}
	return in, nil
}

// ID is the ShellId, which changes when the shell is made anew.
func (s *Shell) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, _ := s.now.epr.Selectors.Get(wsman.SelectorShellID)
	return id
}

// Info is what the service said of the shell when it made it.
func (s *Shell) Info() winrs.Shell {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.info
}

// Reference is the endpoint reference of the shell.
func (s *Shell) Reference() wsman.EPR {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.epr
}

// errShellClosed is returned for a shell after Close.
var errShellClosed = errors.New("wsmanclient: the shell is closed")

// hold takes the present incarnation for one more command.
func (s *Shell) hold() (*incarnation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errShellClosed
	}
	s.now.commands++
	return s.now, nil
}

// drop gives it back, and deletes it where it was retired.
func (s *Shell) drop(ctx context.Context, in *incarnation) {
	s.mu.Lock()
	in.commands--
	last := in.retired && in.commands == 0
	s.mu.Unlock()
	if last {
		s.c.deleteShell(ctx, in.epr) //nolint:errcheck // it goes by itself when it is idle
	}
}

// renew makes the shell anew after used was used up, unless that has happened.
func (s *Shell) renew(ctx context.Context, used *incarnation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errShellClosed
	}
	if s.now != used {
		return nil
	}
	in, err := s.create(ctx)
	if err != nil {
		return err
	}
	used.retired = true
	s.now = in
	s.c.log.Debug("the shell is made anew: its quota of operations is used up", "endpoint", s.c.Endpoint())
	return nil
}

// Close deletes the shell and with it every command that still runs.
func (s *Shell) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	in := s.now
	s.mu.Unlock()
	return s.c.deleteShell(ctx, in.epr)
}

// deleteShell deletes a shell; one that is gone already is no error.
func (c *Client) deleteShell(ctx context.Context, epr wsman.EPR) error {
	err := c.Delete(ctx, epr, nil)
	if isGone(err) {
		return nil
	}
	return err
}

// isGone tells the answers that end a shell or command without being a
// failure of it: aborted, cancelled, unknown shell.
func isGone(err error) bool {
	return errors.Is(err, wsman.CodeOperationAborted) || errors.Is(err, wsman.CodeCancelled) ||
		errors.Is(err, wsman.CodeUnexpectedSelectors) || errors.Is(err, wsman.CodeStreamDisconnected)
}

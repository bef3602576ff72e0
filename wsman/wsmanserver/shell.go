package wsmanserver

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/shell"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanserver/internal/shellhost"
)

// shell serves the remote shell resources. See [MS-WSMV] 3.1.4.1.31.
func (c *call) shell(ctx context.Context, op operation) (wsman.Body, error) {
	switch {
	case c.resource.uri == strings.ToLower(wsman.ResourceShell):
		switch op {
		case opGet:
			return c.shellGet()
		case opEnumerate:
			return c.shellEnumerate(ctx)
		case opPull:
			return c.pull(ctx)
		case opRelease:
			return c.releaseEnumeration()
		}
		return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
	case c.resource.uri == strings.ToLower(wsman.ResourceCmd):
	default:
		return nil, wsman.NewFault(wsman.CodeInvalidResourceURI, "this host has no shell "+clip(c.msg.ResourceURI))
	}
	switch op {
	case opCreate:
		return c.shellCreate()
	case opDelete:
		s, err := c.findShell(c.viewer())
		if err != nil {
			return nil, err
		}
		return nil, s.Delete()
	case opCommand:
		return c.withShell(ctx, c.shellCommand)
	case opReceive:
		return c.withShell(ctx, c.shellReceive)
	case opSend:
		return c.withShell(ctx, c.shellSend)
	case opSignal:
		return c.withShell(ctx, c.shellSignal)
	case opDisconnect:
		return nil, wsman.NewFault(wsman.CodeDisconnectNotSupported, "").WithSubcode("w:InternalError", wsman.Receiver)
	}
	return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
}

func (c *call) viewer() shellhost.Viewer {
	return shellhost.Viewer{Key: userKey(c.caller.Token), Administrator: c.caller.Token.Has(security.SIDAdministrators)}
}

// findShell is the shell that the selector ShellId names, if v may see it.
func (c *call) findShell(v shellhost.Viewer) (*shellhost.Shell, error) {
	id, ok := c.msg.Selectors.Get(wsman.SelectorShellID)
	if !ok {
		return nil, wsman.NewFault(wsman.CodeInsufficientSelectors, "the selector ShellId is missing")
	}
	if len(c.msg.Selectors) > 1 {
		return nil, wsman.NewFault(wsman.CodeUnexpectedSelectors, "a shell has the selector ShellId and no other")
	}
	return c.server.shells.Find(v, id)
}

// withShell runs f in a shell of the caller's own. An administrator sees and
// closes the shells of others (see spec 4.8) but gives no commands there: they
// would run as the owner's Unix user, who may be able to do more.
func (c *call) withShell(ctx context.Context, f func(context.Context, *shellhost.Shell) (wsman.Body, error)) (wsman.Body, error) {
	own := c.viewer()
	own.Administrator = false
	s, err := c.findShell(own)
	if err != nil {
		return nil, err
	}
	done, err := s.Use()
	if err != nil {
		return nil, err
	}
	defer done()
	return f(ctx, s)
}

// invalidShell is how Windows answers wrong shell XML since WinRM 2.0: Win32
// 87. See [MS-WSMV] note 89.
func invalidShell(detail string) *wsman.Fault {
	f := wsman.NewFault(wsman.CodeWin32InvalidParameter, "The parameter is incorrect. "+detail)
	return f.WithProvider(providerCmd, providerCmdPath)
}

// shellCreate opens a shell. See [MS-WSMV] 3.1.4.5.2.
func (c *call) shellCreate() (wsman.Body, error) {
	if !c.snap.WinRM.Winrs.AllowRemoteShellAccess {
		return nil, wsman.NewFault(wsman.CodeRemoteShellsNotAllowed, "").WithSubcode("w:InternalError", wsman.Receiver)
	}
	if c.server.o.Starter == nil || c.server.o.UnixIdentity == nil {
		return nil, wsman.NewFault(wsman.CodeActionNotSupported, "this service starts no shells")
	}
	m, err := winrs.ReadShell(c.msg)
	if err != nil {
		return nil, err
	}
	if len(m.Name) > 255 {
		return nil, wsman.NewFault(wsman.CodeShellNameInvalid, "")
	}
	if m.IdleTimeOut < 0 || m.IdleTimeOut > time.Duration(1<<31-1)*time.Millisecond {
		return nil, wsman.NewFault(wsman.CodeIdleTimeoutOutOfBounds, "")
	}
	id, err := c.server.o.UnixIdentity(c.caller)
	if err != nil {
		f := wsman.NewFault(wsman.CodeAccessDenied, "the account is not mapped to a Unix user that may run commands here: an administrator can do that with 'casement user map'")
		f.Err = err
		return nil, f.WithSubcode("w:AccessDenied", wsman.Sender)
	}
	if len(m.OutputStreams) == 0 {
		m.OutputStreams = []string{"stdout", "stderr"}
	}
	spec := shellhost.Spec{
		Directory: m.WorkingDirectory, Identity: id, IdleTimeout: m.IdleTimeOut, Lifetime: m.Lifetime, Name: m.Name,
		InputStreams: strings.Join(m.InputStreams, " "), OutputStreams: strings.Join(m.OutputStreams, " "),
	}
	if spec.IdleTimeout > 0 {
		spec.IdleTimeout = max(spec.IdleTimeout, time.Minute)
	}
	for _, s := range append(slices.Clone(m.InputStreams), m.OutputStreams...) {
		if s != "stdin" && s != "stdout" && s != "stderr" {
			return nil, invalidShell("No stream is called " + clip(s) + ".")
		}
	}
	for _, v := range m.Environment {
		spec.Variables = append(spec.Variables, shell.Variable{Name: v.Name, Value: v.Value})
	}
	if _, err := shell.MergeEnv(id, spec.Variables); err != nil {
		return nil, invalidShell(err.Error())
	}
	if o, ok := c.msg.Options.Get(winrs.OptionCodePage); ok {
		if spec.CodePage, err = strconv.Atoi(strings.TrimSpace(o.Value)); err != nil {
			return nil, wsman.NewFault(wsman.CodeOptionsInvalidValue, "")
		}
	}
	if o, ok := c.msg.Options.Get(winrs.OptionNoProfile); ok {
		spec.NoProfile = strings.EqualFold(o.Value, "TRUE")
	}
	owner := shellhost.Owner{Key: userKey(c.caller.Token), Name: c.ownerName(), Address: hostOnly(c.caller.Address)}
	if c.local {
		owner.Address = "localhost"
	}
	spec.Delegated = c.secondHop(id)
	s, err := c.server.shells.Create(owner, spec)
	if err != nil {
		_ = spec.Delegated.Close() // what it served is wiped either way
		return nil, err
	}
	c.effect = true
	return &wsman.ResourceCreated{
		EPR: wsman.EPR{
			Address: c.msg.To, ResourceURI: c.msg.ResourceURI,
			Selectors: wsman.SelectorSet{{Name: wsman.SelectorShellID, Value: s.ID}},
		},
		Rest: c.describeShell(s),
	}, nil
}

func (c *call) ownerName() string {
	if t := c.caller.Token; t.Domain != "" {
		return t.Domain + `\` + t.UserName
	}
	return c.caller.Token.UserName
}

// describeShell is the rsp:Shell of a shell.
func (c *call) describeShell(s *shellhost.Shell) *winrs.Shell {
	running, inactive := s.Times()
	return &winrs.Shell{
		ShellID: s.ID, Name: s.Spec.Name, ResourceURI: wsman.ResourceCmd, Owner: s.Owner.Name, ClientIP: s.Owner.Address,
		IdleTimeOut: s.IdleTimeout(), InputStreams: strings.Fields(s.Spec.InputStreams), OutputStreams: strings.Fields(s.Spec.OutputStreams),
		HasTimes: true, ShellRunTime: running, ShellInactivity: inactive,
	}
}

// shellGet describes one shell. See [MS-WSMV] 3.1.4.2.
func (c *call) shellGet() (wsman.Body, error) {
	s, err := c.findShell(c.viewer())
	if err != nil {
		return nil, err
	}
	return c.describeShell(s), nil
}

// shellEnumerate lists the shells that the caller may see.
func (c *call) shellEnumerate(ctx context.Context) (wsman.Body, error) {
	m, err := c.msg.ReadEnumerate()
	if err != nil {
		return nil, err
	}
	if m.Filter != nil {
		return nil, wsman.NewFault(wsman.CodeFilteringNotSupported, "")
	}
	var items [][]byte
	list := c.server.shells.List(c.viewer())
	slices.SortFunc(list, func(a, b *shellhost.Shell) int { return strings.Compare(a.ID, b.ID) })
	for _, s := range list {
		item, err := itemXML(m.Mode, c.describeShell(s), wsman.EPR{
			Address: wsman.Anonymous, ResourceURI: wsman.ResourceShell,
			Selectors: wsman.SelectorSet{{Name: wsman.SelectorShellID, Value: s.ID}},
		})
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return c.startList(ctx, m, items, soap.Shell)
}

// startFailure says why a command did not start, without paths of this host's
// inside, with the codes that Windows gives.
func startFailure(err error) error {
	f := invalidShell("The command could not be started.")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f = wsman.NewFault(codeFileNotFound, "The system cannot find the directory or the program.").
			WithSubcode("w:InternalError", wsman.Receiver).WithProvider(providerCmd, providerCmdPath)
	case errors.Is(err, fs.ErrPermission):
		f = wsman.NewFault(wsman.CodeAccessDenied, "The user may not run the program, or not in that directory.").
			WithSubcode("w:AccessDenied", wsman.Sender).WithProvider(providerCmd, providerCmdPath)
	case errors.Is(err, shellhost.ErrCommandID):
		f = invalidShell("The command identifier is in use or too long.")
	}
	f.Err = err
	return f
}

// codeFileNotFound is HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND).
const codeFileNotFound wsman.Code = 0x80070002

// shellCommand starts a command. See [MS-WSMV] 3.1.4.11.
func (c *call) shellCommand(ctx context.Context, s *shellhost.Shell) (wsman.Body, error) {
	m, err := winrs.ReadCommandLine(c.msg)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(m.Command) == "" {
		return nil, invalidShell("The command is empty.")
	}
	release, err := c.server.ledger.Operation(userKey(c.caller.Token), "")
	if err != nil {
		return nil, c.fault(err).WithSubcode("w:QuotaLimit", wsman.Sender)
	}
	truth := func(option string, otherwise bool) bool {
		o, ok := c.msg.Options.Get(option)
		if !ok {
			return otherwise
		}
		return strings.EqualFold(o.Value, "TRUE") || o.Value == "1"
	}
	cmd, err := s.Run(ctx, m.CommandID, m.Command, m.Arguments,
		truth(winrs.OptionSkipShell, false), truth(winrs.OptionConsoleStdin, false), release)
	if err != nil {
		release()
		if errors.Is(err, shellhost.ErrNoShell) {
			return nil, err
		}
		if f := c.fault(err); f.Err == nil {
			return nil, f
		}
		return nil, startFailure(err)
	}
	c.effect = true
	return &winrs.CommandResponse{CommandID: cmd.ID}, nil
}

// findCommand is the command of a message. A text-based shell has no streams of
// its own, so a message must name one.
func findCommand(s *shellhost.Shell, id string) (*shellhost.Command, error) {
	if id == "" {
		return nil, invalidShell("The command identifier is missing.")
	}
	return s.Command(id)
}

// shellReceive waits for output. See [MS-WSMV] 3.1.4.14.
func (c *call) shellReceive(ctx context.Context, s *shellhost.Shell) (wsman.Body, error) {
	m, err := winrs.ReadReceive(c.msg)
	if err != nil {
		return nil, err
	}
	for _, name := range m.Streams {
		if !slices.Contains(strings.Fields(s.Spec.OutputStreams), name) {
			return nil, wsman.NewFault(wsman.CodeInvalidDesiredStreams, "")
		}
	}
	cmd, err := findCommand(s, m.CommandID)
	if err != nil {
		return nil, err
	}
	request := ctx
	ctx, cancel := c.bounded(request)
	defer cancel()
	// base64 makes four bytes of three; the envelope needs its room too.
	limit := max(c.room()/4*3, 1024)
	var answer *winrs.ReceiveResponse
	var failure error
	// The response is written out at once, for the output is valid only now.
	buf := itemBuffers.Get().(*[]byte)
	c.release = append(c.release, func() {
		if cap(*buf) <= maxPooled {
			itemBuffers.Put(buf)
		}
	})
	w := soap.NewWriter((*buf)[:0])
	err = cmd.Receive(ctx, m.Streams, limit, func(o shellhost.Output) {
		answer = &winrs.ReceiveResponse{CommandID: cmd.ID, State: winrs.Running}
		for _, chunk := range o.Chunks {
			answer.Streams = append(answer.Streams, winrs.Stream{Name: chunk.Stream, CommandID: cmd.ID, Data: chunk.Data, End: chunk.End})
		}
		if o.Done {
			answer.State, answer.HasExitCode, answer.ExitCode = winrs.Done, o.Failure == nil, o.Exit
			failure = o.Failure
		}
		c.undelivered = func() { cmd.Undelivered(o.Receipt) }
		err := answer.WriteBody(w)
		failure = errors.Join(failure, err)
	})
	*buf = w.Bytes()
	var limited *shell.LimitError
	switch {
	case err != nil && request.Err() == nil && ctx.Err() != nil:
		return nil, wsman.NewFault(wsman.CodeOperationTimedOut, "")
	case errors.Is(err, shellhost.ErrBusy):
		return nil, wsman.NewFault(0x80338127, "")
	case err != nil:
		return nil, err
	case errors.As(failure, &limited):
		return nil, wsman.NewFault(wsman.CodeQuotaLimit, "The command was ended: "+limited.Error()).WithSubcode("w:InternalError", wsman.Receiver)
	case failure != nil:
		return nil, failure
	}
	return writtenBody{answer.Namespaces(), *buf}, nil
}

// writtenBody is a body that was written already.
type writtenBody struct {
	spaces []soap.NS
	xml    []byte
}

func (b writtenBody) Namespaces() []soap.NS { return b.spaces }

func (b writtenBody) WriteBody(w *soap.Writer) error {
	w.Raw(b.xml)
	return nil
}

// shellSend gives input to a command. See [MS-WSMV] 3.1.4.13.
func (c *call) shellSend(ctx context.Context, s *shellhost.Shell) (wsman.Body, error) {
	m, _, err := winrs.ReadSend(c.msg, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	for _, st := range m.Streams {
		if st.Name != "stdin" || !slices.Contains(strings.Fields(s.Spec.InputStreams), "stdin") {
			return nil, wsman.NewFault(wsman.CodeInvalidInputStream, "")
		}
		cmd, err := findCommand(s, st.CommandID)
		if err != nil {
			return nil, err
		}
		if err := cmd.Send(ctx, st.Data, st.End); err != nil {
			return nil, err
		}
	}
	return winrs.Empty("SendResponse"), nil
}

// shellSignal sends a signal to a command, or ends it. See [MS-WSMV] 3.1.4.12.
func (c *call) shellSignal(_ context.Context, s *shellhost.Shell) (wsman.Body, error) {
	m, err := winrs.ReadSignal(c.msg)
	if err != nil {
		return nil, err
	}
	cmd, err := findCommand(s, m.CommandID)
	if err != nil {
		return nil, err
	}
	switch {
	case winrs.SameSignal(m.Code, winrs.SignalTerminate):
		s.Terminate(cmd)
	case winrs.SameSignal(m.Code, winrs.SignalCtrlC), winrs.SameSignal(m.Code, winrs.SignalPowerShell):
		err = cmd.Signal(shell.Interrupt)
	case winrs.SameSignal(m.Code, winrs.SignalCtrlBreak):
		err = cmd.Signal(shell.Break)
	default:
		return nil, invalidShell("No signal is called " + clip(m.Code) + ".")
	}
	if err != nil {
		return nil, err
	}
	return winrs.Empty("SignalResponse"), nil
}

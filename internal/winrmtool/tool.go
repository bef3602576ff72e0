package winrmtool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Connector gives the tool its connections.
type Connector interface {
	// Local opens a session with this machine's own service, or with its
	// configuration where no service runs.
	Local(ctx context.Context) (*wsmanclient.Client, error)
	// Remote makes a client for a host. It does not connect.
	Remote(ctx context.Context, o RemoteOptions) (*wsmanclient.Client, error)
	// Client is winrm/config/client of this machine.
	Client() settings.Client
}

// RemoteOptions say which host and how.
type RemoteOptions struct {
	Endpoint string // [TRANSPORT://]HOST[:PORT][/PREFIX]
	Options  wsmanclient.Options
	// Certificate is the thumbprint of the user's certificate, "" for none; the
	// Connector finds it.
	Certificate string
}

// Exit codes of Run.
const (
	ExitOK      = 0
	ExitFailure = 1 // it was tried and failed, or was refused with a code
	ExitUsage   = 2 // the command line cannot be read; nothing was tried
)

// Tool runs winrm commands.
type Tool struct {
	Connector Connector
	// QuickConfig prepares this machine; nil makes quickconfig unavailable.
	QuickConfig QuickConfig
	In          io.Reader
	Out, Err    io.Writer
	// Terminal tells that In is a terminal, so that a missing input is not
	// waited for.
	Terminal bool
	// Password asks the user for the password of an account; nil cannot ask.
	Password func(ctx context.Context, user string) (string, error)
	// Names finds accounts of this machine for configSDDL in a local session;
	// nil knows the well-known ones.
	Names Names

	lines *lineReader
}

// Run carries out one command line, without the program's name, prints the
// answer to Out and what went wrong to Err, and returns the exit code.
func (t *Tool) Run(ctx context.Context, args []string) int {
	c, err := Parse(args)
	if err == nil {
		err = t.run(ctx, c)
	}
	if err == nil {
		return ExitOK
	}
	PrintError(t.Err, err)
	var wrong *UsageError
	if errors.As(err, &wrong) {
		return ExitUsage
	}
	return ExitFailure
}

func (t *Tool) run(ctx context.Context, c *Command) error {
	switch {
	case c.Help:
		return t.print(helpFor(c.Verb))
	case c.Verb == "help":
		return t.help(c.Args)
	case c.Verb == "helpmsg":
		return t.helpmsg(c.Args[0])
	case c.Verb == "quickconfig":
		return t.quickconfig(ctx, c)
	}
	input, err := t.input(c)
	if err != nil {
		return err
	}
	client, err := t.open(ctx, c)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // says nothing after the answer
	switch c.Verb {
	case "get":
		return t.get(ctx, c, client)
	case "set":
		return t.set(ctx, c, client, input)
	case "create":
		return t.create(ctx, c, client, input)
	case "delete":
		return client.Delete(ctx, c.Target, c.request())
	case "enumerate":
		return t.enumerate(ctx, c, client)
	case "invoke":
		return t.invoke(ctx, c, client, input)
	case "identify":
		return t.identify(ctx, c, client)
	}
	return t.configSDDL(ctx, c, client)
}

func (t *Tool) print(s string) error {
	_, err := io.WriteString(t.Out, s)
	return err
}

func (t *Tool) warn(format string, args ...any) {
	fmt.Fprintf(t.Err, "warning: "+format+"\n", args...)
}

func (t *Tool) helpmsg(arg string) error {
	n, err := parseNumber(arg)
	if err != nil {
		return err
	}
	text, ok := Message(n)
	if !ok {
		return usage("there is no text for the error number 0x%08X", n)
	}
	return t.print(text + "\n")
}

// maxFile bounds an input document in bytes.
const maxFile = 16 << 20

// input is the XML of -file or of standard input; nil where the input is @{}.
func (t *Tool) input(c *Command) ([]byte, error) {
	switch {
	case c.Verb != "set" && c.Verb != "create" && c.Verb != "invoke", c.HasInput:
		return nil, nil
	case c.File != "":
		f, err := os.Open(c.File)
		if err != nil {
			return nil, fmt.Errorf("read the input: %w", err)
		}
		defer f.Close()
		return readInput(f, c.File)
	case t.In == nil || t.Terminal:
		if c.Verb == "invoke" {
			return nil, nil
		}
		return nil, usage("winrm %s needs @{} input, -file: or XML on the standard input (winrm help input)", c.Verb)
	}
	data, err := readInput(t.In, "the standard input")
	if err == nil && len(data) == 0 {
		if c.Verb == "invoke" {
			return nil, nil
		}
		err = fault(codeBlankInput, "winrm %s got no input; give @{}, -file: or XML on the standard input", c.Verb)
	}
	return data, err
}

func readInput(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxFile {
		return nil, usage("%s is larger than %d bytes", name, maxFile)
	}
	if len(data) == 0 {
		return nil, nil
	}
	n, err := parseXML(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return n.xml(), nil
}

// request are the options of one operation.
func (c *Command) request() *wsmanclient.RequestOptions {
	r := &wsmanclient.RequestOptions{Options: c.Options, Timeout: c.Timeout, MustUnderstand: len(c.Options) > 0}
	if c.HasFragment {
		r.Fragment = &wsman.FragmentTransfer{Path: relativePath(c.Fragment)}
	}
	return r
}

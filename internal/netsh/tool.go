package netsh

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/casementhq/casement/registry"
)

// Tool runs lines of netsh.
type Tool struct {
	// Open opens the hive for one line, and release gives it back. An error that wraps fs.ErrPermission means that the caller
	// is not the Administrator of the service, and says how one becomes it. It is required.
	Open func() (h *registry.Hive, release func() error, err error)
	// Out gets what a line answers, Err why it failed. Both are required.
	Out, Err io.Writer
}

// command is one line that was read and found right.
type command interface {
	run(h *registry.Hive, out io.Writer) error
}

// refusal is an error in the words of netsh, whole sentences.
type refusal struct {
	text  string
	cause error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.cause }

func refuse(format string, args ...any) error { return &refusal{text: fmt.Sprintf(format, args...)} }

// The texts that scripts look for are those of Windows.
var errNoMatch = refuse("No rules match the specified criteria.")

const elevation = "The requested operation requires elevation (Run as administrator)."

// Run runs one line, without the word netsh, and returns the exit code: 0 done, 1 refused, nothing found, or a wrong line,
// after which everything is as it was.
func (t *Tool) Run(args []string) int {
	if isHelp(args) {
		if _, err := io.WriteString(t.Out, Help); err != nil {
			return 1
		}
		return 0
	}
	err := t.line(args)
	if err == nil {
		return 0
	}
	fmt.Fprintf(t.Err, "\n%v\n\n", err)
	return 1
}

func (t *Tool) line(args []string) error {
	cmd, err := parse(args)
	if err != nil {
		return err
	}
	h, release, err := t.Open()
	if err == nil {
		err = errors.Join(cmd.run(h, t.Out), release())
	}
	if errors.Is(err, fs.ErrPermission) {
		return &refusal{fmt.Sprintf("%s\n%v", elevation, err), err}
	}
	return err
}

// Package privilege splits the service in two processes: one that reads what
// the network sends, as an ordinary user, and a small helper that stays root.
//
// The helper does three things, each only as far as its [Policy] goes: listen
// on a TCP port, start a process as a mapped user, have the kernel's packet filter
// drop connections to the service's own ports. A provider host is such a process.
// The two talk over a socket pair that has no name in the file system; every
// message carries its sender's process id, put there by the kernel.
//
// [StartHelper] runs the helper and returns a [Client], which is a
// shell.Starter; then [Drop] takes root away from the calling process.
package privilege

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/casementhq/casement/shell"
)

// ServiceUsers are the system users to serve as, in order of preference.
var ServiceUsers = []string{"casement", "nobody"}

// ServiceUser returns the first of ServiceUsers that exists.
func ServiceUser() (shell.Identity, error) {
	for _, name := range ServiceUsers {
		if id, err := shell.LookupIdentity(name); err == nil && id.UID != 0 {
			return id, nil
		}
	}
	return shell.Identity{}, errors.New("privilege: there is neither a user casement nor a user nobody; create the system user casement")
}

// ErrUnsupported says that there is no helper on this system.
var ErrUnsupported = errors.New("privilege: the helper needs Linux; run as the user who is to be served")

// ErrClosed says that the helper is gone or was closed.
var ErrClosed = errors.New("privilege: the helper has ended; restart the service")

// The codes of a RefusedError.
const (
	CodeRefused      = "refused"    // the policy does not permit it
	CodeInvalid      = "invalid"    // the request is malformed
	CodeNotExist     = "not-exist"  // no such program, directory, user or job
	CodePermission   = "permission" // the kernel refused it
	CodeInUse        = "in-use"     // another program listens there
	CodeNoPowerShell = "no-powershell"
	CodeFailed       = "failed"
)

// RefusedError is the helper's answer to what it did not do.
type RefusedError struct {
	Code string
	Text string
}

func (e *RefusedError) Error() string { return "privilege: " + e.Text + " (" + e.Code + ")" }

// Is makes fs.ErrNotExist, fs.ErrPermission, syscall.EADDRINUSE and
// shell.ErrNoPowerShell survive the way through the helper.
func (e *RefusedError) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.Code == CodeNotExist
	case fs.ErrPermission:
		return e.Code == CodePermission || e.Code == CodeRefused
	case syscall.EADDRINUSE:
		return e.Code == CodeInUse
	case shell.ErrNoPowerShell:
		return e.Code == CodeNoPowerShell
	}
	return false
}

func refusef(format string, args ...any) error {
	return &RefusedError{Code: CodeRefused, Text: fmt.Sprintf(format, args...)}
}

// codeOf names an error for the wire.
func codeOf(err error) (code, text string) {
	var r *RefusedError
	switch {
	case errors.As(err, &r):
		return r.Code, r.Text
	case errors.Is(err, shell.ErrNoPowerShell):
		code = CodeNoPowerShell
	case errors.Is(err, fs.ErrNotExist):
		code = CodeNotExist
	case errors.Is(err, fs.ErrPermission):
		code = CodePermission
	case errors.Is(err, syscall.EADDRINUSE):
		code = CodeInUse
	default:
		code = CodeFailed
	}
	text = err.Error()
	if len(text) > 1024 {
		text = text[:1024]
	}
	return code, text
}

package privilege

import (
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/casementhq/casement/shell"
)

// What the caller tells apart is the same error before and after the way through
// the helper, which carries a code and a text.
func TestErrorsSurviveTheWay(t *testing.T) {
	known := []error{fs.ErrNotExist, fs.ErrPermission, syscall.EADDRINUSE, shell.ErrNoPowerShell}
	for n, err := range []error{
		&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT},
		&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)},
		&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)},
		shell.ErrNoPowerShell,
	} {
		code, text := codeOf(err)
		got := &RefusedError{Code: code, Text: text}
		for m, is := range known {
			if got.Is(is) != (n == m) {
				t.Errorf("%v, as code %s, is %v: %v", err, code, is, n != m)
			}
		}
	}
}

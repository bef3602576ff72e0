//go:build unix

package krb5

import (
	"io/fs"
	"os"
	"syscall"
)

// ours tells whether a file is this process's user's, or root's.
func ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int64(st.Uid) == int64(os.Geteuid()))
}

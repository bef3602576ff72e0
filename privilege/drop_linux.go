package privilege

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/shell"
)

// Drop makes this process, all its threads, an ordinary one of id for good.
// It fails closed: after an error the process may be half way and must end.
func Drop(id shell.Identity) error {
	if os.Geteuid() != 0 {
		return errors.New("privilege: only root can drop to another user")
	}
	if id.UID == 0 || id.GID == 0 || id.UnixUser == "" {
		return fmt.Errorf("privilege: %q (uid %d, gid %d) is not an ordinary user to serve as", id.UnixUser, id.UID, id.GID)
	}
	groups := make([]int, len(id.Groups))
	for i, g := range id.Groups {
		groups[i] = int(g)
	}
	uid, gid := int(id.UID), int(id.GID)
	if err := syscall.Setgroups(groups); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return os.NewSyscallError("setresgid", err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return os.NewSyscallError("setresuid", err)
	}
	if err := syscall.Setuid(0); err == nil {
		return errors.New("privilege: root could be taken back after it was given up")
	}
	// Nothing that this process runs can gain rights, and no other process of
	// the same user can look into its memory. The first works in a program
	// without cgo only, which is how ours is built.
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno != 0 && errno != syscall.ENOTSUP {
		return os.NewSyscallError("prctl PR_SET_NO_NEW_PRIVS", errno)
	}
	return os.NewSyscallError("prctl PR_SET_DUMPABLE", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
}

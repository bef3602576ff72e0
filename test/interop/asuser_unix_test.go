//go:build unix

package interop

import "syscall"

// asUser runs a process as another user.
func asUser(id uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
}

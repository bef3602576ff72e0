package interop

import "syscall"

// asUser cannot change the user here; the tests that need it ask for root.
func asUser(uint32) *syscall.SysProcAttr { return nil }

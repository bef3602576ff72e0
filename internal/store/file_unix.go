//go:build unix

package store

import "syscall"

// mapped is how many addresses are set aside for the file: all that it can ever
// need, because a writer would have to wait for every reader to set aside more.
// Addresses cost nothing where there are enough of them.
const mapped = maxSize * int(^uint(0)>>63)

// noFollow refuses to open what is a symbolic link.
const noFollow = syscall.O_NOFOLLOW

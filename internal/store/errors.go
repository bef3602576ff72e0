package store

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/casementhq/casement/internal/filelock"
)

// The errors of the package, for errors.Is.
var (
	// ErrLocked says that another process has the file open.
	ErrLocked = filelock.ErrHeld
	// ErrDamaged says that the file is not what was written.
	ErrDamaged = errors.New("the file is damaged")
	// ErrFull says that there is no room: the disk or the quota is full or the
	// file has reached its greatest size. The last committed state stays.
	ErrFull = errors.New("no space is left")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrReadOnly says that the store was opened for reading.
	ErrReadOnly = errors.New("the store is open for reading only")
)

// damaged makes an ErrDamaged.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// caught turns a panic of bbolt into an ErrDamaged; it is deferred around each
// single call, where no foreign code runs: bbolt panics on pages that make no
// sense and nowhere else.
func caught(err *error) {
	if r := recover(); r != nil {
		*err = damaged("%v", r)
	}
}

// faulted turns a memory fault into an ErrDamaged: foreign code reads values
// straight from the mapped file, and a value that reaches past its end faults.
// Faults in the first page are nil pointers and mistakes of the program; these
// and all other panics go on.
func faulted(err *error) {
	r := recover()
	if r == nil {
		return
	}
	if f, ok := r.(interface {
		runtime.Error
		Addr() uintptr
	}); ok && f.Addr() >= 4096 {
		*err = damaged("%v", f)
		return
	}
	panic(r)
}

// Full makes an ErrFull of an error that says that there is no room, and leaves others.
func Full(err error) error {
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, bolterrors.ErrMaxSizeReached} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
	return err
}

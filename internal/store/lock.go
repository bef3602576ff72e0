package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const lockRetry = 10 * time.Millisecond

// takeLock takes the lock file beside path and writes into it who holds it. It
// outlives the file itself, which may be replaced.
func takeLock(path string, timeout time.Duration) (*os.File, error) {
	name := path + ".lock"
	for end := time.Now().Add(timeout); ; time.Sleep(lockRetry) {
		f, err := lockFile(name)
		if err == nil {
			// Who holds it is for people; the lock holds without.
			_ = f.Truncate(0)
			_, _ = fmt.Fprintf(f, "process %d (%s)\n", os.Getpid(), filepath.Base(os.Args[0]))
			return f, nil
		}
		if !errors.Is(err, ErrLocked) || time.Now().After(end) {
			return nil, err
		}
	}
}

// heldBy is the error for a lock that another process has.
func heldBy(name string) error {
	by := "another process"
	if b, err := os.ReadFile(name); err == nil && len(b) < 200 {
		if s := strings.TrimSpace(string(b)); s != "" {
			by = s
		}
	}
	return fmt.Errorf("%w by %s", ErrLocked, strings.ToValidUTF8(by, "?"))
}

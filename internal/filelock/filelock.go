// Package filelock lets one process at a time work on a file: who does holds the
// lock of a second file beside it, which nobody replaces. The system releases
// the lock when the process ends, however it ends.
package filelock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrHeld says that another process has the lock.
var ErrHeld = errors.New("the file is in use")

// retry is how often Wait looks.
const retry = 2 * time.Millisecond

// Wait takes the lock of a file as [Take] does, as soon as it is free, but
// waits no longer than limit.
func Wait(name string, limit time.Duration) (*os.File, error) {
	for end := time.Now().Add(limit); ; time.Sleep(retry) {
		f, err := Take(name)
		if !errors.Is(err, ErrHeld) || time.Now().After(end) {
			return f, err
		}
	}
}

// Sign writes into a lock file who holds it, for people: the lock holds without.
// What has another name as well is not this program's to write.
func Sign(f *os.File) {
	if sole(f) && f.Truncate(0) == nil {
		_, _ = fmt.Fprintf(f, "process %d (%s)\n", os.Getpid(), filepath.Base(os.Args[0]))
	}
}

// held is ErrHeld with what the holder wrote.
func held(name string) error {
	by := "another process"
	if b, err := os.ReadFile(name); err == nil && len(b) < 200 {
		if s := strings.TrimSpace(string(b)); s != "" {
			by = s
		}
	}
	return fmt.Errorf("%w by %s (lock file %s)", ErrHeld, strings.ToValidUTF8(by, "?"), name)
}

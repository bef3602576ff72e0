package registry

import (
	"errors"
	"io"
	"time"
)

// Two locks stand beside the hive: .lock is held by a service for its life, so that a
// second one is refused; .writing is held by any writer from reading to renaming.

const (
	turnLimit = 10 * time.Second     // how long a writer waits for its turn
	turnRetry = 2 * time.Millisecond // how often it looks
)

// waitLock takes the lock of a file as soon as it is free.
func waitLock(path string) (io.Closer, error) {
	for end := time.Now().Add(turnLimit); ; time.Sleep(turnRetry) {
		l, err := lockFile(path)
		if !errors.Is(err, ErrLocked) || time.Now().After(end) {
			return l, err
		}
	}
}

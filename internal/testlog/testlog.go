// Package testlog has what a test reads of a log or of output while goroutines
// of the program under test write it.
package testlog

import (
	"bytes"
	"sync"
)

// Text is text that several goroutines write; the zero value is empty.
type Text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends b. It does not fail.
func (t *Text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(b)
}

// String is all that was written so far.
func (t *Text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

package consumers

import (
	"context"
	"os"
	"sync"
)

// folder is a folder of log files, opened as the user of this process. Nothing
// in it is followed elsewhere: a symbolic link, a file with a second name and
// whatever else is no ordinary file is refused with an error that is
// fs.ErrPermission.
type folder interface {
	// Append opens a file for reading and for writing at its end, and makes it
	// where there is none, for its owner alone.
	Append(name string) (*os.File, error)
	// Move gives a file another name: fs.ErrExist where that is taken.
	Move(from, to string) error
	// Names calls f with the names of all files.
	Names(f func(name string)) error
	Close() error
}

// folders are those in which somebody writes. Each has one who does, as a file
// is put aside after a look at its neighbours.
type folders struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when its turn is over
}

// alone runs f when nobody else does anything in the folder, and waits for its
// end no longer than for that of ctx: what hangs has its folder to itself and
// costs one goroutine.
func (o *folders) alone(ctx context.Context, path string, f func() error) error {
	turn := make(chan struct{})
	for {
		o.mu.Lock()
		other := o.busy[path]
		if other == nil {
			break
		}
		o.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if o.busy == nil {
		o.busy = map[string]chan struct{}{}
	}
	o.busy[path] = turn
	o.mu.Unlock()
	result := make(chan error, 1)
	go func() {
		result <- f()
		o.mu.Lock()
		delete(o.busy, path)
		o.mu.Unlock()
		close(turn)
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

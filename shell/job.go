package shell

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// Job is one started command and everything that it started in turn.
// Its streams may be used concurrently with each other and with Close.
type Job struct {
	stdin          io.WriteCloser
	stdout, stderr io.Reader
	files          [3]*os.File
	ctrl           Controller

	exited atomic.Bool
	done   chan struct{}
	exit   Exit
	err    error

	closeOnce sync.Once
	closeErr  error
}

// NewJob joins the caller's ends of three pipes with the hold on the processes
// at their other ends. It is for implementers of Starter. The job owns the
// files and ctrl from then on, unless it fails with *CodePageError.
func NewJob(stdin, stdout, stderr *os.File, codePageNumber int, ctrl Controller) (*Job, error) {
	enc, err := codePage(codePageNumber)
	if err != nil {
		return nil, err
	}
	j := &Job{files: [3]*os.File{stdin, stdout, stderr}, ctrl: ctrl, done: make(chan struct{})}
	o, e := &output{stdout, &j.exited}, &output{stderr, &j.exited}
	j.stdin = decodeInput(stdin, enc)
	j.stdout, j.stderr = encodeOutput(o, enc), encodeOutput(e, enc)
	go func() {
		defer close(j.done)
		j.exit, j.err = ctrl.Wait(context.Background())
		j.exited.Store(true)
		o.wake()
		e.wake()
	}()
	return j, nil
}

// Stdin returns the command's input. Write blocks while the command does not
// read and fails once it has closed its end; Close ends the input.
func (j *Job) Stdin() io.WriteCloser { return j.stdin }

// Stdout returns the command's output. It ends when no process holds it any
// more, or when the command has ended and a background process that still
// holds it has written nothing for one second.
func (j *Job) Stdout() io.Reader { return j.stdout }

// Stderr returns the command's error output; it ends as Stdout does.
func (j *Job) Stderr() io.Reader { return j.stderr }

// PID returns the process id of the command, 0 where no process was needed.
func (j *Job) PID() int { return j.ctrl.PID() }

// Signal sends s. After the end it does nothing.
func (j *Job) Signal(s Signal) error { return j.ctrl.Signal(s) }

// Wait returns the exit code when the command has ended: its status, or 128+n
// after signal n. The error is a *LimitError where a limit ended it; the code
// is valid then as well.
func (j *Job) Wait(ctx context.Context) (exit uint32, err error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-j.done:
	}
	if j.err != nil {
		return 0, j.err
	}
	if j.exit.Limit != "" {
		return j.exit.Code, &LimitError{Limit: j.exit.Limit}
	}
	return j.exit.Code, nil
}

// Done is closed when the command has ended.
func (j *Job) Done() <-chan struct{} { return j.done }

// Processes returns how many processes of the job there are now.
func (j *Job) Processes() int {
	u, _ := j.ctrl.Usage() // nothing can be said about an unreachable job: none
	return u.Processes
}

// MemoryBytes returns the resident memory of the job's processes.
func (j *Job) MemoryBytes() uint64 {
	u, _ := j.ctrl.Usage()
	return u.MemoryBytes
}

// Close kills every process of the job, waits until they are gone and closes
// the streams. Blocked reads and writes return.
func (j *Job) Close() error {
	j.closeOnce.Do(func() {
		err := j.ctrl.Close()
		<-j.done
		for _, f := range j.files {
			if e := f.Close(); e != nil && !errors.Is(e, os.ErrClosed) {
				err = errors.Join(err, e)
			}
		}
		j.closeErr = err
	})
	return j.closeErr
}

package shell

import (
	"errors"
	"os"
)

// Pipes are the three streams of a job, both ends.
type Pipes struct {
	Stdin, Stdout, Stderr *os.File    // the caller's ends
	Child                 [3]*os.File // the process's ends: 0, 1, 2
}

// NewPipes opens three pipes, closed on exec. The process's ends block.
func NewPipes() (*Pipes, error) {
	var p Pipes
	var err [3]error
	p.Child[0], p.Stdin, err[0] = pipe(false)
	p.Stdout, p.Child[1], err[1] = pipe(true)
	p.Stderr, p.Child[2], err[2] = pipe(true)
	if e := errors.Join(err[:]...); e != nil {
		p.Close()
		return nil, e
	}
	return &p, nil
}

// CloseChild closes the process's ends in this process.
func (p *Pipes) CloseChild() { closeAll(p.Child[:]...) }

// Close closes all six ends.
func (p *Pipes) Close() {
	p.CloseChild()
	closeAll(p.Stdin, p.Stdout, p.Stderr)
}

func closeAll(fs ...*os.File) {
	for _, f := range fs {
		if f != nil {
			_ = f.Close()
		}
	}
}

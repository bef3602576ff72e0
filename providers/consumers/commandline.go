package consumers

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/shell"
)

// maxRunning bounds the programs of all consumers that run at once.
const maxRunning = 64

func checkCommandLine(c *cim.Instance) error {
	program, _ := text(c, "ExecutablePath")
	template, _ := text(c, "CommandLineTemplate")
	dir, _ := text(c, "WorkingDirectory")
	switch {
	case strings.TrimSpace(program) == "" && strings.TrimSpace(template) == "":
		return invalid("one of ExecutablePath and CommandLineTemplate is needed")
	case strings.Contains(program, "/") && !filepath.IsAbs(program):
		return invalid("ExecutablePath is neither a whole path nor a name without a folder")
	case dir != "" && !filepath.IsAbs(dir):
		return invalid("WorkingDirectory is not a whole path")
	}
	return nil
}

// runCommand starts the program of a consumer and does not wait for its end.
// The program is ExecutablePath, else the first word of the template; the
// other words are its arguments. No shell reads them.
func (p *Provider) runCommand(ctx context.Context, creator cim.Caller, c *cim.Instance, x *expansion) error {
	if creator.Token == nil || !creator.Token.Has(security.SIDAdministrators) {
		return &cim.Error{Status: cim.ErrEssAuthzNotPrivileged, Detail: "the creator of the consumer is no administrator"}
	}
	if p.o.Starter == nil || p.o.Identity == nil {
		return denied("programs of event consumers are not permitted here")
	}
	spec, err := commandOf(c, x)
	if err != nil {
		return err
	}
	if spec.Identity, err = p.o.Identity(creator); err != nil {
		return &cim.Error{Status: cim.ErrAccessDenied, Detail: "the creator of the consumer has no Unix user", Err: err}
	}
	if err := p.begin(); err != nil {
		return err
	}
	job, err := p.o.Starter.Start(context.WithoutCancel(ctx), spec)
	if err != nil {
		p.end()
		return notStarted(err)
	}
	seconds, _ := c.Get("KillTimeout").Uint()
	name, _ := text(c, "Name")
	go p.attend(job, name, time.Duration(seconds)*time.Second)
	return nil
}

func commandOf(c *cim.Instance, x *expansion) (shell.Spec, error) {
	template, _ := text(c, "CommandLineTemplate")
	words, err := x.words(template)
	if err != nil {
		return shell.Spec{}, err
	}
	s := shell.Spec{SkipShell: true}
	s.Command, _ = text(c, "ExecutablePath")
	s.Dir, _ = text(c, "WorkingDirectory")
	if len(words) > 0 {
		if s.Command == "" {
			s.Command = words[0]
		}
		s.Args = words[1:]
	}
	switch {
	case s.Command == "":
		return s, invalid("CommandLineTemplate names no program for this event")
	case strings.Contains(s.Command, "/") && !filepath.IsAbs(s.Command):
		return s, invalid("the program is neither a whole path nor a name without a folder")
	}
	for _, w := range append(s.Args, s.Command) {
		if strings.IndexByte(w, 0) >= 0 {
			return s, invalid("the command line has a zero character")
		}
	}
	return s, nil
}

func notStarted(err error) error {
	e := &cim.Error{Status: cim.ErrFailed, Detail: "the program of the consumer did not start: " + err.Error(), Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Status = cim.ErrNotFound
	case errors.Is(err, fs.ErrPermission):
		e.Status = cim.ErrAccessDenied
	}
	return e
}

// begin counts one more program.
func (p *Provider) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return &cim.Error{Status: cim.ErrShuttingDown}
	case p.running >= maxRunning:
		return &cim.Error{Status: cim.ErrQuotaViolation, Detail: "too many programs of event consumers run"}
	}
	p.running++
	p.done.Add(1)
	return nil
}

func (p *Provider) end() {
	p.mu.Lock()
	p.running--
	p.mu.Unlock()
	p.done.Done()
}

// attend stays with a program until its end, its KillTimeout or that of the
// provider. 0 is no timeout.
func (p *Provider) attend(job *shell.Job, consumer string, timeout time.Duration) {
	defer p.end()
	_ = job.Stdin().Close()
	discarded := make(chan struct{}, 2)
	for _, r := range []io.Reader{job.Stdout(), job.Stderr()} {
		go func() {
			_, _ = io.Copy(io.Discard, r)
			discarded <- struct{}{}
		}()
	}
	var over <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-job.Done():
	case <-over:
		p.o.Log.Info("a program of an event consumer is killed after its KillTimeout", "consumer", consumer, "seconds", timeout/time.Second)
	case <-p.stop:
	}
	_ = job.Close()
	<-discarded
	<-discarded
}

package service

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/providers/host"
	"github.com/casementhq/casement/shell"
)

// idle is a starter of processes that do nothing until they are closed.
type idle struct {
	mu   sync.Mutex
	jobs []*idleJob
}

type idleJob struct {
	once  sync.Once
	ended chan struct{}
}

func (s *idle) Start(ctx context.Context, spec shell.Spec) (*shell.Job, error) {
	j := &idleJob{ended: make(chan struct{})}
	s.mu.Lock()
	s.jobs = append(s.jobs, j)
	s.mu.Unlock()
	return shell.StartWith(ctx, spec, func(*shell.Pipes) (shell.Controller, error) { return j, nil })
}

func (j *idleJob) PID() int                    { return 1 }
func (j *idleJob) Signal(shell.Signal) error   { return nil }
func (j *idleJob) Usage() (shell.Usage, error) { return shell.Usage{}, nil }
func (j *idleJob) Close() error                { j.once.Do(func() { close(j.ended) }); return nil }
func (j *idleJob) Wait(ctx context.Context) (shell.Exit, error) {
	select {
	case <-j.ended:
	case <-ctx.Done():
	}
	return shell.Exit{}, ctx.Err()
}

// Processes of Win32_Process.Create belong to no shell, so no quota of shells
// counts them. One account starts them without end; it must not take the
// descriptors of the service and the jobs of the helper from everybody else.
func TestCreatedProcessesAreBounded(t *testing.T) {
	store, err := accounts.Create(t.TempDir(), "HOST", accounts.Options{Hash: ntlm.NTHash})
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := store.SetUnixUser("Administrator", "nobody", false); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.SetPassword("Administrator", "Secret-1-word"); err != nil {
		t.Fatal(err)
	}
	if err := store.SetDisabled("Administrator", false); err != nil {
		t.Fatal(err)
	}
	token, err := store.Token("Administrator", accounts.TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	starter := &idle{}
	l := &launcher{starter: starter, people: &people{store: store}, log: slog.New(slog.DiscardHandler)}
	create := func() uint32 {
		t.Helper()
		_, value, err := l.start(t.Context(), cim.Caller{Token: &token}, "sleep 1000", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	t.Cleanup(func() {
		for _, j := range starter.jobs {
			_ = j.Close()
		}
	})
	for n := range maxLaunched {
		if value := create(); value != createOK {
			t.Fatalf("process %d: ReturnValue %d", n, value)
		}
	}
	if value := create(); value != createUnknown {
		t.Errorf("one process more: ReturnValue %d, want %d", value, createUnknown)
	}
	_ = starter.jobs[0].Close()
	for end := time.Now().Add(5 * time.Second); create() != createOK; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the end of a process made no room")
		}
	}
}

// What systemctl ends with is the error that a method's ReturnValue is made of; the codes
// are those of systemctl(1), the texts those of systemd 252.
func TestControlError(t *testing.T) {
	for said, want := range map[string]struct {
		code uint32
		is   error
	}{
		"": {0, nil}, "Failed to stop x.service: Access denied": {4, host.ErrServiceDenied}, "Failed to stop x.service: Interactive authentication required.": {1, host.ErrServiceDenied},
		"Failed to start x.service: Unit x.service not found.": {5, host.ErrNoService}, "Failed to start x.service: Unit x.service is masked.": {1, host.ErrServiceDisabled},
	} {
		if err := controlError(want.code, said); !errors.Is(err, want.is) {
			t.Errorf("%d %q: %v", want.code, said, err)
		}
	}
	if err := controlError(1, "Job for x.service failed."); err == nil || errors.Is(err, host.ErrServiceDenied) {
		t.Errorf("a job that failed: %v", err)
	}
}

package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/decoupled"
	"github.com/casementhq/casement/shell"
)

// hostQuota are the settings of provider hosts, as they were at the start of
// the service. See spec/wmi.md 6.3 and 6.1.
type hostQuota struct {
	processes  uint64        // of all users
	memoryMB   uint32        // of one
	clearAfter time.Duration // that an idle one stays
}

// hostQuota reads the settings in root.
func (s *objects) hostQuota(ctx context.Context) (q hostQuota, err error) {
	session, err := s.Open(ctx, system, "root", cim.OpenOptions{})
	if err != nil {
		return q, err
	}
	defer session.Close()
	limits, err := setting(ctx, session, "__ProviderHostQuotaConfiguration")
	if err != nil {
		return q, err
	}
	cache, err := setting(ctx, session, "__ObjectProviderCacheControl")
	if err != nil {
		return q, err
	}
	q.processes, _ = limits.Get("ProcessLimitAllHosts").Uint()
	memory, _ := limits.Get("MemoryPerHost").Uint()
	q.memoryMB = uint32(min(memory>>20, math.MaxUint32))
	after, _ := cache.Get("ClearAfter").DateTime()
	q.clearAfter, _ = after.Duration()
	return q, nil
}

// setting reads a singleton, or its defaults where the repository is damaged.
func setting(ctx context.Context, session cim.Session, name string) (*cim.Instance, error) {
	i, err := session.Get(ctx, cim.ObjectPath{Class: name, Singleton: true}, cim.GetOptions{})
	if !errors.Is(err, cim.ErrCriticalError) {
		return i, err
	}
	class, err := session.GetClass(ctx, name, cim.GetOptions{})
	if err != nil {
		return nil, err
	}
	return cim.NewInstance(class), nil
}

// providerHosts starts provider hosts, and stays with each to its end.
type providerHosts struct {
	starter shell.Starter
	server  string // this machine's name in paths
	quota   hostQuota
	loaded  func(p cimom.ProviderProcess, loaded bool)
	log     *slog.Logger

	mu        sync.Mutex
	providers []*decoupled.PerUser
	living    uint64
	closed    bool
	gone      sync.WaitGroup // the living ones
}

// perUser makes a provider whose operations run in hosts, each as the Unix user
// of the caller.
func (h *providerHosts) perUser(provider string, classes []*cim.Class, p *people) *decoupled.PerUser {
	made := decoupled.NewPerUser(decoupled.PerUserOptions{
		Name: provider, Classes: classes, Loaded: h.loaded, ClearAfter: h.quota.clearAfter,
		User: func(c cim.Caller) (string, error) {
			id, err := p.creatorIdentity(c)
			return id.UnixUser, err
		},
		Start: func(ctx context.Context, user string) (io.ReadWriteCloser, error) {
			return h.start(ctx, provider, user)
		},
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.providers = append(h.providers, made)
	return made
}

// processes are the hosts that run.
func (h *providerHosts) processes() (list []cimom.ProviderProcess) {
	h.mu.Lock()
	providers := slices.Clone(h.providers)
	h.mu.Unlock()
	for _, p := range providers {
		list = append(list, p.Processes()...)
	}
	return list
}

// hostGrace is how long a host has to end after its input.
const hostGrace = 2 * time.Second

// start starts the host of a provider as a Unix user.
func (h *providerHosts) start(ctx context.Context, provider, unixUser string) (io.ReadWriteCloser, error) {
	id, err := shell.LookupIdentity(unixUser)
	if err != nil {
		return nil, err
	}
	if err := h.reserve(); err != nil {
		return nil, err
	}
	log := h.log.With("provider", provider, "user", unixUser)
	job, err := h.starter.Start(ctx, shell.Spec{
		Command: ownProgram, Args: []string{HostCommand, provider, h.server}, SkipShell: true, Dir: "/", Identity: id,
		Limits: shell.Limits{MaxProcesses: 1, MaxMemoryMB: h.quota.memoryMB},
	})
	if err != nil {
		h.release()
		log.Warn("a provider host does not start", "error", err)
		return nil, err
	}
	s := &hostStream{job: job, closing: make(chan struct{})}
	go func() {
		defer h.release()
		s.stay(log.With("pid", job.PID()))
	}()
	return s, nil
}

// reserve makes room for one host more, or refuses.
func (h *providerHosts) reserve() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return cim.ErrShuttingDown
	}
	if h.living >= h.quota.processes {
		return fmt.Errorf("there are %d provider hosts already (ProcessLimitAllHosts)", h.living)
	}
	h.living++
	h.gone.Add(1)
	return nil
}

func (h *providerHosts) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.living--
	h.gone.Done()
}

// close ends all hosts and waits until they are gone.
func (h *providerHosts) close() error {
	h.mu.Lock()
	h.closed = true
	providers := h.providers
	h.mu.Unlock()
	var errs []error
	for _, p := range providers {
		errs = append(errs, p.Close())
	}
	h.gone.Wait()
	return errors.Join(errs...)
}

// hostStream is the standard input and output of a provider host.
type hostStream struct {
	job     *shell.Job
	once    sync.Once
	closing chan struct{}
}

// PID is the process of the host.
func (s *hostStream) PID() int { return s.job.PID() }

func (s *hostStream) Read(b []byte) (int, error)  { return s.job.Stdout().Read(b) }
func (s *hostStream) Write(b []byte) (int, error) { return s.job.Stdin().Write(b) }

// Close ends the input of the host, which ends with it.
func (s *hostStream) Close() error {
	s.once.Do(func() { close(s.closing) })
	return nil
}

// stay stays with a host to its end and logs what it has to say. A host that
// does not end with its input is killed.
func (s *hostStream) stay(log *slog.Logger) {
	var readers sync.WaitGroup
	readers.Go(func() { logLines(log, s.job.Stderr()) })
	<-s.closing // by whoever reads its answers, at their end at the latest
	_ = s.job.Stdin().Close()
	readers.Go(func() { _, _ = io.Copy(io.Discard, s.job.Stdout()) }) // or it would wait for a reader
	select {
	case <-s.job.Done():
		logEnd(log, s.job)
	case <-time.After(hostGrace):
		log.Warn("a provider host does not end with its input and is killed")
	}
	if err := s.job.Close(); err != nil {
		log.Error("a provider host cannot be ended", "error", err)
	}
	readers.Wait()
}

// logEnd says why a host ended that did not just come to the end of its input.
func logEnd(log *slog.Logger, job *shell.Job) {
	exit, err := job.Wait(context.Background())
	var over *shell.LimitError
	switch {
	case errors.As(err, &over): // whose names are those of shells
		log.Warn("a provider host was killed: it went over the limit MemoryPerHost")
	case exit != 0 || err != nil:
		log.Warn("a provider host has failed", "exit", exit, "error", err)
	}
}

// maxHostLog bounds what a provider host can write into the log, in bytes.
const maxHostLog = 8 << 10

// logLines logs the lines of a host, up to a bound, and reads the rest.
func logLines(log *slog.Logger, r io.Reader) {
	lines := bufio.NewScanner(io.LimitReader(r, maxHostLog))
	for lines.Scan() {
		log.Warn("a provider host says", "line", lines.Text())
	}
	_, _ = io.Copy(io.Discard, r)
}

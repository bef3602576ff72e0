// Package shellhost keeps the remote shells of a WinRM service: who owns them,
// what runs in them, when they expire. It knows no message; the resource
// handler of wsmanserver asks it. See [MS-WSMV] 3.1.4.1.31.
package shellhost

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/casementhq/casement/internal/secondhop"
	"github.com/casementhq/casement/quota"
	"github.com/casementhq/casement/shell"
	"github.com/casementhq/casement/wsman"
)

// Errors of the shell table.
var (
	// ErrNoShell: the shell does not exist, or belongs to somebody else.
	ErrNoShell = errors.New("the shell does not exist")
	// ErrNoCommand: the shell has no command of that id.
	ErrNoCommand = errors.New("the shell has no such command")
	// ErrBusy: a Receive on the same streams is outstanding.
	ErrBusy = errors.New("another Receive is outstanding for the command")
	// ErrCommandID: the client's choice is too long, or another command has it.
	ErrCommandID = errors.New("the command id is in use or too long")
)

// Owner is who a shell belongs to.
type Owner struct {
	Key     string // compares owners: the SID
	Name    string // DOMAIN\user, as the shell shows it
	Address string // where it was made from
}

// Viewer is who asks: owners see their own shells, administrators all.
type Viewer struct {
	Key           string
	Administrator bool
}

// Limits are the settings that act on shells; each is asked when it is needed,
// so that a change holds at once.
type Limits struct {
	IdleTimeout  time.Duration // what a shell without a wish of its own gets
	MaxProcesses uint32
	MaxMemoryMB  uint32
}

// less is what the limits of a shell leave for one more command. A limit of 0
// stays none.
func (l Limits) less(processes int, memory uint64) Limits {
	if l.MaxProcesses > 0 {
		l.MaxProcesses -= min(uint32(processes), l.MaxProcesses-1)
	}
	if l.MaxMemoryMB > 0 {
		l.MaxMemoryMB -= min(uint32(memory>>20), l.MaxMemoryMB-1)
	}
	return l
}

// Options of a Host.
type Options struct {
	Starter shell.Starter
	Ledger  *quota.Ledger
	Limits  func() Limits
	Plugin  string // the name of the plug-in whose quotas count
}

// Host is the table of shells.
type Host struct {
	o      Options
	mu     sync.Mutex
	shells map[string]*Shell
	closed bool
}

// New makes an empty table.
func New(o Options) *Host { return &Host{o: o, shells: map[string]*Shell{}} }

// Create opens a shell. It fails with a *quota.ExceededError, and with a
// *shell.CodePageError for a code page that cannot be set; what spec holds is
// the caller's then.
func (h *Host) Create(owner Owner, spec Spec) (*Shell, error) {
	if err := shell.CheckCodePage(spec.CodePage); err != nil {
		return nil, err
	}
	release, err := h.o.Ledger.Shell(owner.Key, h.o.Plugin)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	s := &Shell{
		turn: make(chan struct{}, 1),
		ID:   wsman.NewUUID(), Owner: owner, Spec: spec, host: h, release: release,
		created: now, used: now, commands: map[string]*Command{}, starting: map[string]bool{},
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		release()
		return nil, ErrNoShell
	}
	h.shells[s.ID] = s
	s.mu.Lock()
	s.idle = time.AfterFunc(s.idleTimeout(), s.expire)
	if spec.Lifetime > 0 {
		s.life = time.AfterFunc(spec.Lifetime, func() { _ = h.remove(s) })
	}
	s.mu.Unlock()
	return s, nil
}

// Find finds a shell that the viewer may see.
func (h *Host) Find(v Viewer, id string) (*Shell, error) {
	h.mu.Lock()
	s := h.shells[strings.ToUpper(id)]
	h.mu.Unlock()
	if s == nil || s.Owner.Key != v.Key && !v.Administrator {
		return nil, ErrNoShell
	}
	return s, nil
}

// List lists the shells that the viewer may see, in no order.
func (h *Host) List(v Viewer) []*Shell {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []*Shell
	for _, s := range h.shells {
		if s.Owner.Key == v.Key || v.Administrator {
			list = append(list, s)
		}
	}
	return list
}

// remove ends a shell with everything that runs in it.
func (h *Host) remove(s *Shell) error {
	h.mu.Lock()
	_, there := h.shells[s.ID]
	delete(h.shells, s.ID)
	h.mu.Unlock()
	if !there {
		return ErrNoShell
	}
	s.end()
	return nil
}

// Close ends all shells.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	list := h.shells
	h.shells = map[string]*Shell{}
	h.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range list {
		wg.Go(s.end)
	}
	wg.Wait()
	return nil
}

// Spec is what a Create asks for.
type Spec struct {
	Variables     []shell.Variable
	Directory     string // "": the home directory
	Identity      shell.Identity
	CodePage      int  // 0: UTF-8
	NoProfile     bool // WINRS_NOPROFILE; there is no profile to load here
	InputStreams  string
	OutputStreams string
	IdleTimeout   time.Duration // 0: the setting
	Lifetime      time.Duration // 0: none
	Name          string
	// Delegated serves the credentials that the caller handed over to the
	// shell's commands, and ends with the shell; nil: there are none.
	Delegated *secondhop.Server
}

// Shell is one remote shell.
type Shell struct {
	ID    string
	Owner Owner
	Spec  Spec

	host    *Host
	release quota.Release
	created time.Time

	turn   chan struct{} // one token: who starts a command
	unread atomic.Int64  // bytes of output that wait for a Receive

	mu       sync.Mutex
	used     time.Time
	busy     int // requests under way; the idle timer rests
	idle     *time.Timer
	life     *time.Timer
	commands map[string]*Command
	starting map[string]bool // ids of commands that are being started
	ended    bool
}

func (s *Shell) idleTimeout() time.Duration {
	if s.Spec.IdleTimeout > 0 {
		return s.Spec.IdleTimeout
	}
	return s.host.o.Limits().IdleTimeout
}

// IdleTimeout is the time without a request after which the shell ends.
func (s *Shell) IdleTimeout() time.Duration { return s.idleTimeout() }

// Times tell how long the shell exists and how long nobody used it.
func (s *Shell) Times() (running, inactive time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.busy > 0 {
		return now.Sub(s.created), 0
	}
	return now.Sub(s.created), now.Sub(s.used)
}

// Usage sums what the shell's commands use.
func (s *Shell) Usage() (processes int, memory uint64) {
	for _, c := range s.list() {
		processes += c.job.Processes()
		memory += c.job.MemoryBytes()
	}
	return processes, memory
}

func (s *Shell) list() []*Command {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Command, 0, len(s.commands))
	for _, c := range s.commands {
		list = append(list, c)
	}
	return list
}

// Use marks a request on the shell; the idle timer starts anew when done is
// called. It fails with ErrNoShell where the shell has just ended.
func (s *Shell) Use() (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, ErrNoShell
	}
	s.busy++
	s.idle.Stop()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy--
		s.used = time.Now()
		if s.busy == 0 && !s.ended {
			s.idle.Reset(s.idleTimeout())
		}
	}, nil
}

// expire ends a shell that nobody used for its idle time.
func (s *Shell) expire() {
	s.mu.Lock()
	over := s.busy == 0
	s.ended = s.ended || over
	s.mu.Unlock()
	if over {
		_ = s.host.remove(s)
	}
}

// Delete ends the shell and everything that runs in it.
func (s *Shell) Delete() error { return s.host.remove(s) }

func (s *Shell) end() {
	s.mu.Lock()
	s.ended = true
	s.idle.Stop()
	if s.life != nil {
		s.life.Stop()
	}
	commands := s.commands
	s.commands = map[string]*Command{}
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range commands {
		wg.Go(c.end)
	}
	wg.Wait()
	_ = s.Spec.Delegated.Close() // what it served is wiped either way
	s.release()
}

// Run starts a command. id is the client's choice, "" for none. operation is
// called when the command is gone; where Run fails it is the caller's still.
func (s *Shell) Run(ctx context.Context, id, command string, args []string, skipShell, console bool, operation quota.Release) (*Command, error) {
	if id == "" {
		id = wsman.NewUUID()
	}
	id = strings.ToUpper(id)
	// One after the other: each start is measured against all before it.
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	limits := s.host.o.Limits()
	processes, memory := s.Usage()
	if err := s.host.o.Ledger.CheckShell(s.ID, processes, memory); err != nil {
		return nil, err
	}
	if err := s.reserve(id); err != nil {
		return nil, err
	}
	defer s.unreserve(id)
	limits = limits.less(processes, memory)
	release, err := s.host.o.Ledger.Command(s.ID, s.host.o.Plugin)
	if err != nil {
		return nil, err
	}
	variables := s.Spec.Variables
	if d := s.Spec.Delegated; d != nil {
		variables = append(slices.Clone(variables), shell.Variable{Name: secondhop.Variable, Value: d.Name()})
	}
	env, err := shell.MergeEnv(s.Spec.Identity, variables)
	if err != nil {
		release()
		return nil, err
	}
	job, err := s.host.o.Starter.Start(context.WithoutCancel(ctx), shell.Spec{
		Command: command, Args: args, SkipShell: skipShell, Env: env, Dir: s.Spec.Directory,
		CodePage: s.Spec.CodePage, Identity: s.Spec.Identity, ConsoleStdin: console,
		Limits: shell.Limits{MaxProcesses: limits.MaxProcesses, MaxMemoryMB: limits.MaxMemoryMB},
	})
	if err != nil {
		release()
		return nil, fmt.Errorf("start the command: %w", err)
	}
	c := newCommand(id, s, job, release)
	c.operation = operation
	s.mu.Lock()
	ended := s.ended
	if !ended {
		s.commands[id] = c
	}
	s.mu.Unlock()
	if ended {
		c.operation = nil // the caller's still
		c.end()
		return nil, ErrNoShell
	}
	return c, nil
}

// maxCommandID bounds the id that a client chooses, in bytes.
const maxCommandID = 256

// reserve takes an id for a command that is being started.
func (s *Shell) reserve(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return ErrNoShell
	case s.commands[id] != nil || s.starting[id] || len(id) > maxCommandID:
		return ErrCommandID
	}
	s.starting[id] = true
	return nil
}

func (s *Shell) unreserve(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.starting, id)
}

// Command finds a command of the shell.
func (s *Shell) Command(id string) (*Command, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.commands[strings.ToUpper(id)]; c != nil {
		return c, nil
	}
	return nil, ErrNoCommand
}

// Terminate ends a command and forgets it.
func (s *Shell) Terminate(c *Command) {
	s.mu.Lock()
	if s.commands[c.ID] == c {
		delete(s.commands, c.ID)
	}
	s.mu.Unlock()
	c.end()
}

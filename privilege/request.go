package privilege

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/firewall/kernel"
	"github.com/casementhq/casement/shell"
)

// Bounds of one message, checked before and after it is decoded.
const (
	maxMessage = 128 << 10 // bytes
	maxStrings = 1024      // arguments; variables
	maxFDs     = 3
)

// op is an operation of the helper.
type op string

const (
	opHello    op = "hello"    // is the helper there, does it speak this version
	opListen   op = "listen"   // bind and listen on a TCP port of the policy
	opStart    op = "start"    // start a process as a user of the policy
	opSignal   op = "signal"   // signal a job that this helper started
	opUsage    op = "usage"    // what such a job uses
	opClose    op = "close"    // end such a job and everything it started
	opFirewall op = "firewall" // replace what the kernel drops
)

// protocolVersion changes with any change of the messages: both sides are the
// same program and must be the same build.
const protocolVersion = 1

// request is one message to the helper. Descriptors travel beside it.
type request struct {
	ID      uint64         `json:"id"`
	Op      op             `json:"op"`
	Version int            `json:"version,omitempty"`
	Listen  *listenRequest `json:"listen,omitempty"`
	Start   *startRequest  `json:"start,omitempty"`
	Job     uint64         `json:"job,omitempty"`
	Signal  shell.Signal   `json:"signal,omitempty"`
	// Firewall are the ports that the kernel is told about; none takes all back.
	Firewall []firewall.KernelPort `json:"firewall,omitempty"`
}

type listenRequest struct {
	Network string `json:"network"` // tcp, tcp4, tcp6
	Address string `json:"address"` // an address literal; empty: all
	Port    uint16 `json:"port"`
}

// startRequest names the user only: ids, groups, home and the rest of the
// identity come from the helper's own look-up.
type startRequest struct {
	User         string   `json:"user"`
	Command      string   `json:"command"`
	Args         []string `json:"args,omitempty"`
	SkipShell    bool     `json:"skip_shell,omitempty"`
	Env          []string `json:"env,omitempty"`
	Dir          string   `json:"dir,omitempty"`
	MaxProcesses uint32   `json:"max_processes,omitempty"`
	MaxMemoryMB  uint32   `json:"max_memory_mb,omitempty"`
}

// reply answers a request (ID) or reports the end of a job (Exited).
type reply struct {
	ID          uint64 `json:"id,omitempty"`
	Code        string `json:"code,omitempty"` // empty: done
	Text        string `json:"text,omitempty"`
	Job         uint64 `json:"job,omitempty"`
	PID         int    `json:"pid,omitempty"`
	Processes   int    `json:"processes,omitempty"`
	MemoryBytes uint64 `json:"memory,omitempty"`
	Exited      bool   `json:"exited,omitempty"`
	Exit        uint32 `json:"exit,omitempty"`
	Limit       string `json:"limit,omitempty"`
}

// decodeRequest reads and checks one message that came with fds descriptors.
func decodeRequest(b []byte, fds int) (*request, error) {
	if len(b) > maxMessage {
		return nil, errors.New("message too long")
	}
	var r request
	if err := decodeStrict(b, &r); err != nil {
		return nil, err
	}
	return &r, r.check(fds)
}

// decodeStrict refuses unknown fields and anything after the value.
func decodeStrict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("data after the message")
	}
	return nil
}

func (r *request) check(fds int) error {
	wantFDs := 0
	if r.Op == opStart {
		wantFDs = maxFDs
	}
	switch {
	case r.ID == 0:
		return errors.New("request without id")
	case fds != wantFDs:
		return fmt.Errorf("%s came with %d descriptors, takes %d", r.Op, fds, wantFDs)
	case (r.Op == opListen) != (r.Listen != nil):
		return errors.New("listen without its part, or the part without listen")
	case (r.Op == opStart) != (r.Start != nil):
		return errors.New("start without its part, or the part without start")
	case r.Op != opFirewall && r.Firewall != nil:
		return errors.New("rules of the packet filter without their operation")
	}
	switch r.Op {
	case opListen:
		return r.Listen.check()
	case opStart:
		return r.Start.check()
	case opSignal:
		if r.Signal < shell.Interrupt || r.Signal > shell.Kill {
			return fmt.Errorf("no such signal: %d", r.Signal)
		}
		fallthrough
	case opUsage, opClose:
		if r.Job == 0 {
			return errors.New("no job named")
		}
		return nil
	case opHello:
		if r.Version != protocolVersion {
			return fmt.Errorf("protocol version %d, this helper speaks %d; restart the service", r.Version, protocolVersion)
		}
		return nil
	case opFirewall:
		return kernel.Check(r.Firewall)
	}
	return fmt.Errorf("no such operation: %q", r.Op)
}

func (l *listenRequest) check() error {
	switch l.Network {
	case "tcp", "tcp4", "tcp6":
	default:
		return fmt.Errorf("no such network: %q", l.Network)
	}
	if l.Port == 0 {
		return errors.New("no port named")
	}
	if l.Address == "" {
		return nil
	}
	if len(l.Address) > 128 {
		return errors.New("address too long")
	}
	_, err := netip.ParseAddr(l.Address)
	return err
}

func (s *startRequest) check() error {
	if !shell.ValidUserName(s.User) {
		return fmt.Errorf("%q cannot be the name of a user", s.User)
	}
	if len(s.Args) > maxStrings || len(s.Env) > maxStrings {
		return fmt.Errorf("more than %d arguments or variables", maxStrings)
	}
	if strings.TrimSpace(s.Command) == "" {
		return errors.New("empty command")
	}
	if s.Dir != "" && !filepath.IsAbs(s.Dir) {
		return errors.New("the directory is not absolute")
	}
	for _, e := range s.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return errors.New("a variable is not of the form name=value")
		}
	}
	for _, list := range [][]string{{s.Command, s.Dir}, s.Args, s.Env} {
		for _, v := range list {
			if strings.ContainsRune(v, 0) {
				return errors.New("a string holds a NUL byte")
			}
		}
	}
	return nil
}

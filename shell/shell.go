// Package shell is the one door through which a process is started for a
// remote caller. It says as whom ([Identity]), what ([Spec]) and with how much
// ([Limits]), and hands back a [Job]: three streams, signals, an exit code and
// a Close after which nothing of it is left on the machine.
//
// A [Starter] is either [Direct], which starts as the user of this process, or
// the client of the privilege helper, which starts as any user it may.
package shell

import (
	"context"
	"fmt"
)

// Identity is the Unix user as whom a process runs.
type Identity struct {
	UnixUser string
	UID, GID uint32
	Groups   []uint32 // supplementary groups, GID included or not
	Home     string
	Shell    string // login shell; commands run by /bin/sh whatever it is
}

// Spec describes one process. See [MS-WSMV] 3.1.4.11.
type Spec struct {
	// Command and Args are joined by blanks and given to /bin/sh -c: a Windows
	// client has quoted them for its own command interpreter already.
	// A first word of powershell or powershell.exe becomes pwsh.
	Command string
	Args    []string
	// SkipShell runs Command with Args as its argument vector, without an
	// interpreter (WINRS_SKIP_CMD_SHELL).
	SkipShell bool
	// Env is the whole environment, name=value: see MergeEnv. nil: BaseEnv.
	Env []string
	// Dir is the absolute starting directory. Empty: the home directory, or /
	// where there is none.
	Dir string
	// CodePage is the encoding of all three streams on the caller's side
	// (WINRS_CODEPAGE). 0: 65001, UTF-8, bytes pass as they are.
	CodePage int
	Identity Identity
	// ConsoleStdin records WINRS_CONSOLEMODE_STDIN. There is no console here:
	// stdin is a pipe either way, as on Windows since 2012 R2.
	ConsoleStdin bool
	Limits       Limits
}

// Limits end a job that goes over them. 0 means no limit.
type Limits struct {
	MaxProcesses uint32 // processes at once, the first one included
	MaxMemoryMB  uint32 // resident memory of all of them, in 2^20 bytes
}

// Signal is what a caller can send to a command.
type Signal uint8

// The signals of a remote shell. See [MS-WSMV] 3.1.4.12.
const (
	Interrupt Signal = iota + 1 // ctrl_c: SIGINT to the process group
	Break                       // ctrl_break: SIGQUIT to the process group
	Terminate                   // terminate: SIGTERM to the process group
	Kill                        // SIGKILL to everything the job started
)

func (s Signal) String() string {
	switch s {
	case Interrupt:
		return "ctrl_c"
	case Break:
		return "ctrl_break"
	case Terminate:
		return "terminate"
	case Kill:
		return "kill"
	}
	return fmt.Sprintf("Signal(%d)", uint8(s))
}

// Starter starts processes. ctx bounds the start, not the life of the job.
// It fails with *CodePageError, with an error that is fs.ErrNotExist or
// fs.ErrPermission where the program or directory is at fault, and with a
// starter's own refusal.
type Starter interface {
	Start(ctx context.Context, s Spec) (*Job, error)
}

// Usage is what a job uses now.
type Usage struct {
	Processes   int
	MemoryBytes uint64 // resident
}

// Exit is how a job ended.
type Exit struct {
	Code  uint32 // exit status, or 128+n after signal n
	Limit string // the limit that ended it (see LimitError), or empty
}

// The names of limits in Exit and LimitError, as in the configuration tree.
const (
	LimitProcesses = "MaxProcessesPerShell"
	LimitMemory    = "MaxMemoryPerShellMB"
)

// LimitError says that the job was ended because it went over a limit.
type LimitError struct {
	Limit string // LimitProcesses or LimitMemory
}

func (e *LimitError) Error() string {
	return "shell: the command was ended because it went over " + e.Limit
}

// Controller is the hold that a Job has on its processes: *Process here, or
// its counterpart in the privilege helper.
type Controller interface {
	PID() int
	Signal(Signal) error
	// Wait returns when the first process has ended.
	Wait(ctx context.Context) (Exit, error)
	Usage() (Usage, error)
	// Close ends everything that the job started and waits until it is gone.
	Close() error
}

// Package procs reads facts about processes and the host. It is the only
// importer of procfs (Linux) and of gopsutil (elsewhere); its types name no
// operating system. A fact that could not be read is absent, never zero: see
// [Process.Known] and the pointers of the host types.
package procs

import (
	"errors"
	"time"
)

// ErrNotExist says that the process has ended or never was.
var ErrNotExist = errors.New("procs: no such process")

// Fields selects what is read of each process. Each costs at least one file.
type Fields uint16

// Stat is always read. The other fields need the rights of the process's
// owner where noted; without them the field is missing from Known.
const (
	Stat    Fields = 1 << iota // ids, state, times, memory
	Status                     // users, groups, memory peaks
	Cmdline                    // argument vector
	Exe                        // path of the program (owner or root)
	IO                         // storage bytes and calls (owner or root)
	FDs                        // number of open descriptors (owner or root)
	Session                    // login session

	All = Stat | Status | Cmdline | Exe | IO | FDs | Session
)

// Process is one process at one moment.
type Process struct {
	Known Fields // what below is valid

	// Stat
	PID, PPID, PGID, Session int
	Name                     string // at most 15 bytes on Linux
	State                    byte   // R, S, D, Z, T, I; 0 where unknown
	Priority, Nice, Threads  int
	UserTime, SystemTime     time.Duration
	MinorFaults, MajorFaults uint64
	VirtualBytes             uint64
	ResidentBytes            uint64
	StartTime                time.Time // resolution 10 ms; stable over the life of the process

	// Status
	UID, GID, EUID, EGID uint32
	// Zero for kernel threads and zombies, which have no memory of their own.
	PeakVirtualBytes, PeakResidentBytes, AnonymousBytes, SwapBytes uint64

	Cmdline []string
	Exe     string

	// IO: bytes of storage, calls, and bytes that went through those calls
	ReadBytes, WriteBytes, ReadCalls, WriteCalls, ReadChars, WriteChars uint64

	FDs int

	// LoginSession is the audit session; NoSession for what no login began.
	LoginSession uint32
}

// NoSession is the LoginSession of a process that no login began.
const NoSession = 1<<32 - 1

// Memory is the memory of the host in bytes; nil where unknown.
type Memory struct {
	Total, Free, Available, Buffers, Cached, SwapTotal, SwapFree, CommitLimit, Committed, Slab *uint64
}

// CPUTimes is time spent since boot, summed over processors or of one.
type CPUTimes struct {
	User, Nice, System, Idle, IOWait, IRQ, SoftIRQ, Steal, Guest time.Duration
}

// HostStat is the activity of the host since boot.
type HostStat struct {
	Total            CPUTimes
	CPU              map[int]CPUTimes // by processor number
	Interrupts       *uint64
	ContextSwitches  *uint64
	ProcessesCreated *uint64
	Running, Blocked *uint64
}

// Load is the load average over 1, 5 and 15 minutes.
type Load struct{ One, Five, Fifteen float64 }

// CPU is one logical processor. Empty strings and zeros are unknown.
type CPU struct {
	Number                   int
	Vendor, ModelName        string
	Family, Model, Stepping  string
	Microcode                string
	MHz                      float64
	CacheBytes               uint64
	PhysicalID, CoreID       string
	CoresPerPackage, Threads int
	Flags                    []string
}

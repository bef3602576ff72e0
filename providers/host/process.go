package host

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/procs"
)

// processRow is one process with what all processes have in common.
type processRow struct {
	procs.Process
	csName, osName, osVersion cim.Value
	location                  *time.Location
}

type processColumn = column[processRow]

// processValue makes a column whose value is NULL unless need was read.
func processValue(name string, need procs.Fields, get func(*processRow) cim.Value) processColumn {
	if need == procs.Stat {
		return processColumn{name: name, get: get}
	}
	return processColumn{name: name, need: uint32(need), get: func(r *processRow) cim.Value {
		if r.Known&need != need {
			return cim.Value{}
		}
		return get(r)
	}}
}

var processTable = &table[processRow]{name: "Win32_Process", gather: gatherProcesses, columns: []processColumn{
	{name: "CreationClassName", get: fixedStr[processRow]("Win32_Process")},
	{name: "CSCreationClassName", get: fixedStr[processRow]("Win32_ComputerSystem")},
	{name: "OSCreationClassName", get: fixedStr[processRow]("Win32_OperatingSystem")},
	{name: "CSName", get: func(r *processRow) cim.Value { return r.csName }},
	{name: "OSName", get: func(r *processRow) cim.Value { return r.osName }},
	{name: "WindowsVersion", get: func(r *processRow) cim.Value { return r.osVersion }},
	{name: "Handle", get: func(r *processRow) cim.Value { return cim.Str(strconv.Itoa(r.PID)) }},
	{name: "Name", get: processName},
	{name: "Caption", get: processName},
	{name: "Description", get: processName},
	{name: "ProcessId", get: func(r *processRow) cim.Value { return cim.U32(uint32(r.PID)) }},
	{name: "ParentProcessId", get: func(r *processRow) cim.Value { return cim.U32(uint32(r.PPID)) }},
	{name: "CreationDate", get: processStart},
	{name: "ExecutionState", get: executionState},
	{name: "Priority", get: processPriority},
	{name: "ThreadCount", get: func(r *processRow) cim.Value { return positive(r.Threads) }},
	{name: "KernelModeTime", get: func(r *processRow) cim.Value { return cim.U64(uint64(r.SystemTime / 100)) }},
	{name: "UserModeTime", get: func(r *processRow) cim.Value { return cim.U64(uint64(r.UserTime / 100)) }},
	{name: "PageFaults", get: func(r *processRow) cim.Value {
		if !wholeStat {
			return cim.Value{}
		}
		return cim.U32(uint32(r.MinorFaults + r.MajorFaults))
	}},
	{name: "VirtualSize", get: func(r *processRow) cim.Value { return cim.U64(r.VirtualBytes) }},
	{name: "WorkingSetSize", get: func(r *processRow) cim.Value { return cim.U64(r.ResidentBytes) }},
	processValue("PeakVirtualSize", procs.Status, func(r *processRow) cim.Value { return cim.U64(r.PeakVirtualBytes) }),
	processValue("PeakWorkingSetSize", procs.Status, func(r *processRow) cim.Value { return cim.U32(uint32(r.PeakResidentBytes >> 10)) }),
	processValue("PageFileUsage", procs.Status, func(r *processRow) cim.Value { return cim.U32(uint32(r.private() >> 10)) }),
	// Windows gives bytes here, in spite of the name.
	processValue("PrivatePageCount", procs.Status, func(r *processRow) cim.Value { return cim.U64(r.private()) }),
	processValue("CommandLine", procs.Cmdline, func(r *processRow) cim.Value { return strOrNull(strings.Join(r.Cmdline, " ")) }),
	processValue("ExecutablePath", procs.Exe, func(r *processRow) cim.Value { return strOrNull(r.Exe) }),
	processValue("HandleCount", procs.FDs, func(r *processRow) cim.Value { return cim.U32(uint32(r.FDs)) }),
	processValue("ReadOperationCount", procs.IO, func(r *processRow) cim.Value { return cim.U64(r.ReadCalls) }),
	processValue("WriteOperationCount", procs.IO, func(r *processRow) cim.Value { return cim.U64(r.WriteCalls) }),
	processValue("ReadTransferCount", procs.IO, func(r *processRow) cim.Value { return cim.U64(r.ReadChars) }),
	processValue("WriteTransferCount", procs.IO, func(r *processRow) cim.Value { return cim.U64(r.WriteChars) }),
	// Session 0 is that of services on Windows, too.
	processValue("SessionId", procs.Session, func(r *processRow) cim.Value {
		if r.LoginSession == procs.NoSession {
			return cim.U32(0)
		}
		return cim.U32(r.LoginSession)
	}),
}}

// wholeStat is false where procs knows no priorities and no page faults.
const wholeStat = runtime.GOOS == "linux"

func processName(r *processRow) cim.Value { return strOrNull(r.Name) }

func processStart(r *processRow) cim.Value {
	if r.StartTime.IsZero() {
		return cim.Value{}
	}
	return cim.Time(cim.AtTime(r.StartTime.In(r.location)))
}

// private is the memory that only the process has: in the working set and swapped out, in bytes.
func (r *processRow) private() uint64 { return r.AnonymousBytes + r.SwapBytes }

// executionState maps the letters of proc(5) to the values of CIM_Process.ExecutionState.
func executionState(r *processRow) cim.Value {
	switch r.State {
	case 'R':
		return cim.U16(3) // running
	case 'S', 'D', 'I':
		return cim.U16(4) // blocked
	case 'Z', 'X':
		return cim.U16(7) // terminated
	case 'T', 't':
		return cim.U16(8) // stopped
	}
	return cim.Value{}
}

// processPriority is the base priority of the Windows priority class that stands nearest to the nice value: idle 4,
// below normal 6, normal 8, above normal 10, high 13, and real time 24 for the real-time policies.
func processPriority(r *processRow) cim.Value {
	switch n := r.Nice; {
	case !wholeStat:
		return cim.Value{}
	case r.Priority < 0:
		return cim.U32(24)
	case n <= -15:
		return cim.U32(13)
	case n < 0:
		return cim.U32(10)
	case n == 0:
		return cim.U32(8)
	case n < 15:
		return cim.U32(6)
	}
	return cim.U32(4)
}

func gatherProcesses(ctx context.Context, p *Provider, need uint32, q query, f func(*processRow) error) error {
	t, err := p.openProcs()
	if err != nil {
		return err
	}
	row := p.newProcessRow()
	fields := procs.Fields(need) | procs.Stat
	each := func(q *procs.Process) error {
		row.Process = *q
		return f(row)
	}
	pid, one, possible := fixedPID(q)
	if !one {
		return t.Each(ctx, fields, each)
	}
	if !possible {
		return nil
	}
	proc, err := t.One(pid, fields)
	if errors.Is(err, procs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return each(&proc)
}

func (p *Provider) newProcessRow() *processRow {
	release := p.osRelease()
	return &processRow{
		csName: strOrNull(p.hostName()), osName: strOrNull(release.prettyName()),
		osVersion: strOrNull(p.osVersion(release)), location: p.location(),
	}
}

// fixedPID is the process that the query names by Handle or ProcessId. possible is false where no process can match.
func fixedPID(q query) (pid int, one, possible bool) {
	for _, property := range []string{"Handle", "ProcessId"} {
		s, ok := q.text(property)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil || n > math.MaxInt32 || strconv.FormatUint(n, 10) != s {
			return 0, true, false
		}
		if one && int(n) != pid {
			return 0, true, false
		}
		pid, one = int(n), true
	}
	return pid, one, true
}

//go:build !linux

package procs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"
)

// Table is the process table of this host; there is only one.
type Table struct{}

// Open returns the process table of this host; dir has no meaning here.
func Open(string) (*Table, error) { return &Table{}, nil }

// BootTime is [BootTime].
func (*Table) BootTime() (time.Time, error) { return BootTime() }

// PIDs is [PIDs].
func (*Table) PIDs() ([]int, error) { return PIDs() }

// List is [List].
func (*Table) List(ctx context.Context, want Fields) ([]Process, error) { return List(ctx, want) }

// Each calls f with every process of a list that was read before.
func (*Table) Each(ctx context.Context, want Fields, f func(p *Process) error) error {
	all, err := List(ctx, want)
	for i := 0; err == nil && i < len(all); i++ {
		err = f(&all[i])
	}
	return err
}

// One is [One].
func (*Table) One(pid int, want Fields) (Process, error) { return One(pid, want) }

// HostMemory is [HostMemory].
func (*Table) HostMemory() (Memory, error) { return HostMemory() }

// Host is [Host].
func (*Table) Host() (HostStat, error) { return Host() }

// LoadAverage is [LoadAverage].
func (*Table) LoadAverage() (Load, error) { return LoadAverage() }

// CPUs is [CPUs].
func (*Table) CPUs() ([]CPU, error) { return CPUs() }

var bootTime = sync.OnceValues(func() (time.Time, error) {
	s, err := host.BootTime()
	return time.Unix(int64(s), 0), err
})

// BootTime returns when the host started; it is read once.
func BootTime() (time.Time, error) { return bootTime() }

// PIDs returns the process ids.
func PIDs() ([]int, error) {
	ids, err := process.Pids()
	out := make([]int, len(ids))
	for i, id := range ids {
		out[i] = int(id)
	}
	return out, err
}

// List returns all processes. One that ends meanwhile is left out.
func List(ctx context.Context, want Fields) ([]Process, error) {
	ps, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Process, 0, len(ps))
	for _, p := range ps {
		if q, ok := read(ctx, p, want); ok {
			out = append(out, q)
		}
	}
	return out, ctx.Err()
}

// One returns one process without listing the others. It fails with
// ErrNotExist where there is none.
func One(pid int, want Fields) (Process, error) {
	p, err := process.NewProcess(int32(pid))
	if errors.Is(err, process.ErrorProcessNotRunning) {
		return Process{}, ErrNotExist
	}
	if err != nil {
		return Process{}, err
	}
	q, ok := read(context.Background(), p, want)
	if !ok {
		return Process{}, ErrNotExist
	}
	return q, nil
}

func read(ctx context.Context, p *process.Process, want Fields) (Process, bool) {
	name, err := p.NameWithContext(ctx)
	if err != nil {
		return Process{}, false
	}
	q := Process{Known: Stat, PID: int(p.Pid), Name: name}
	if n, err := p.PpidWithContext(ctx); err == nil {
		q.PPID = int(n)
	}
	if ms, err := p.CreateTimeWithContext(ctx); err == nil {
		q.StartTime = time.UnixMilli(ms)
	}
	if m, err := p.MemoryInfoWithContext(ctx); err == nil && m != nil {
		q.ResidentBytes, q.VirtualBytes = m.RSS, m.VMS
	}
	if t, err := p.TimesWithContext(ctx); err == nil && t != nil {
		q.UserTime = time.Duration(t.User * float64(time.Second))
		q.SystemTime = time.Duration(t.System * float64(time.Second))
	}
	if want&Cmdline != 0 {
		if c, err := p.CmdlineSliceWithContext(ctx); err == nil {
			q.Cmdline, q.Known = c, q.Known|Cmdline
		}
	}
	if want&Exe != 0 {
		if e, err := p.ExeWithContext(ctx); err == nil && e != "" {
			q.Exe, q.Known = e, q.Known|Exe
		}
	}
	return q, true
}

// HostMemory returns the memory of the host.
func HostMemory() (Memory, error) {
	m, err := mem.VirtualMemory()
	if err != nil {
		return Memory{}, err
	}
	out := Memory{Total: &m.Total, Free: &m.Free, Available: &m.Available}
	if s, err := mem.SwapMemory(); err == nil {
		out.SwapTotal, out.SwapFree = &s.Total, &s.Free
	}
	return out, nil
}

// Host returns the activity of the host since boot.
func Host() (HostStat, error) {
	total, err := cpu.Times(false)
	if err != nil {
		return HostStat{}, err
	}
	each, err := cpu.Times(true)
	if err != nil {
		return HostStat{}, err
	}
	h := HostStat{CPU: make(map[int]CPUTimes, len(each))}
	if len(total) > 0 {
		h.Total = times(total[0])
	}
	for i, c := range each {
		h.CPU[i] = times(c)
	}
	return h, nil
}

func times(c cpu.TimesStat) CPUTimes {
	d := func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
	return CPUTimes{
		User: d(c.User), Nice: d(c.Nice), System: d(c.System), Idle: d(c.Idle), IOWait: d(c.Iowait),
		IRQ: d(c.Irq), SoftIRQ: d(c.Softirq), Steal: d(c.Steal), Guest: d(c.Guest),
	}
}

// LoadAverage returns the load of the host.
func LoadAverage() (Load, error) {
	l, err := load.Avg()
	if err != nil {
		return Load{}, err
	}
	return Load{One: l.Load1, Five: l.Load5, Fifteen: l.Load15}, nil
}

// CPUs returns the logical processors.
func CPUs() ([]CPU, error) {
	infos, err := cpu.Info()
	if err != nil {
		return nil, err
	}
	out := make([]CPU, len(infos))
	for i, c := range infos {
		out[i] = CPU{
			Number: int(c.CPU), Vendor: c.VendorID, ModelName: c.ModelName, Family: c.Family, Model: c.Model,
			Microcode: c.Microcode, MHz: c.Mhz, PhysicalID: c.PhysicalID, CoreID: c.CoreID,
			CoresPerPackage: int(c.Cores), Flags: c.Flags,
		}
	}
	return out, nil
}

package host

import (
	"strconv"
	"strings"

	"github.com/casementhq/casement/internal/procs"
)

// memory is the memory of the machine in bytes; within a container with a limit, what the limit leaves.
func (p *Provider) memory() procs.Memory {
	t, err := p.openProcs()
	if err != nil {
		return procs.Memory{}
	}
	m, err := t.HostMemory()
	if err != nil {
		p.log.Debug("meminfo cannot be read", "error", err)
		return procs.Memory{}
	}
	p.limitMemory(&m)
	return m
}

// limitMemory applies the limits of the cgroup at the root of the cgroup namespace. The real root cgroup has no
// such files, and the limits of the service's own unit stand below the root: they are not the machine's.
func (p *Provider) limitMemory(m *procs.Memory) {
	const dir = "sys/fs/cgroup/"
	if limit, ok := p.cgroupNumber(dir + "memory.max"); ok && m.Total != nil && limit < *m.Total {
		m.Total = &limit
		if used, ok := p.cgroupNumber(dir + "memory.current"); ok && m.Available != nil {
			used -= min(used, p.cgroupStat(dir+"memory.stat", "inactive_file"))
			free := min(limit-min(limit, used), *m.Available)
			m.Available = &free
		}
	}
	if limit, ok := p.cgroupNumber(dir + "memory.swap.max"); ok && m.SwapTotal != nil && limit < *m.SwapTotal {
		m.SwapTotal = &limit
		if used, ok := p.cgroupNumber(dir + "memory.swap.current"); ok && m.SwapFree != nil {
			free := min(limit-min(limit, used), *m.SwapFree)
			m.SwapFree = &free
		}
	}
}

// cgroupNumber reads a file of one number; "max" and an absent file are no limit.
func (p *Provider) cgroupNumber(path string) (uint64, bool) {
	n, err := strconv.ParseUint(p.read(path), 10, 64)
	return n, err == nil
}

func (p *Provider) cgroupStat(path, name string) uint64 {
	for _, line := range strings.Split(p.read(path), "\n") {
		if k, v, ok := strings.Cut(line, " "); ok && k == name {
			n, _ := strconv.ParseUint(v, 10, 64)
			return n
		}
	}
	return 0
}

// sum adds two amounts; nil where one is unknown.
func sum(a, b *uint64) *uint64 {
	if a == nil || b == nil {
		return nil
	}
	s := *a + *b
	return &s
}

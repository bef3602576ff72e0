package console

import (
	"strings"
	"sync"
	"time"
)

// historyKept is how many refreshes of a server are remembered: a day at ten minutes.
const historyKept = 144

// sample is what one refresh told; NaN-free: a part that was not told has known false.
type sample struct {
	at          time.Time
	cpu, memory float32
	hasCPU      bool
	hasMemory   bool
}

// history remembers the last refreshes of each server, while the console runs.
type history struct {
	mu   sync.Mutex
	rows map[string][]sample
}

// note keeps what a snapshot tells, once for each full refresh.
func (h *history) note(e Entry) {
	s := e.Snapshot
	if s == nil || s.Counters == nil || s.Full.IsZero() {
		return
	}
	one := sample{at: s.Full}
	if v := e.CPU(); v != nil {
		one.cpu, one.hasCPU = float32(*v), true
	}
	if v := e.Memory(); v != nil {
		one.memory, one.hasMemory = float32(*v), true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rows == nil {
		h.rows = map[string][]sample{}
	}
	name := strings.ToLower(e.Name)
	list := h.rows[name]
	if n := len(list); n > 0 && !one.at.After(list[n-1].at) {
		return
	}
	if len(list) == historyKept {
		list = append(list[:0], list[1:]...)
	}
	h.rows[name] = append(list, one)
}

// forget drops a server that is gone.
func (h *history) forget(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rows, strings.ToLower(name))
}

// of gives the load and the memory of a server as points of charts.
func (h *history) of(name string) (cpu, memory []point) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.rows[strings.ToLower(name)] {
		if s.hasCPU {
			cpu = append(cpu, point{s.at, float64(s.cpu)})
		}
		if s.hasMemory {
			memory = append(memory, point{s.at, float64(s.memory)})
		}
	}
	return cpu, memory
}

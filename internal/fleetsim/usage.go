package fleetsim

import (
	"runtime"
	"runtime/debug"
)

// Measure tells what this process has used. It collects garbage first and gives
// memory back that is not needed, so it takes a while; its own processor time is
// not in the figure that it returns but in the next one.
func Measure() Usage {
	cpu := CPU()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{CPU: cpu, RSS: resident(), Heap: m.HeapAlloc, Goroutines: runtime.NumGoroutine()}
}

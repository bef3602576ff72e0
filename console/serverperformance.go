package console

import (
	"context"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/internal/machine"
)

// performanceData is what the tab Performance shows.
type performanceData struct {
	Now         *machine.Performance
	CPU, Memory chart
	Table       bool
}

// MemoryUsed is the part of the memory that is in use, in percent, or nil.
func (d performanceData) MemoryUsed() *float64 {
	if d.Now == nil || d.Now.Available == nil || d.Now.Memory == nil || *d.Now.Memory == 0 {
		return nil
	}
	v := 100 * (1 - float64(*d.Now.Available)/float64(*d.Now.Memory))
	return &v
}

// Charts are those of the page.
func (d performanceData) Charts() []chart { return []chart{d.CPU, d.Memory} }

func (c *Console) loadPerformance(ctx context.Context, rq *request, e Entry, conn *casement.Connection) (any, bool, error) {
	cpu, memory := c.history.of(e.Name)
	d := performanceData{
		CPU:    chart{Title: "Processor", Points: cpu, Threshold: 85},
		Memory: chart{Title: "Memory in use", Points: memory, Threshold: 95},
		Table:  rq.URL.Query().Get("view") == "table",
	}
	err := session(ctx, conn, "", func(s cim.Session) (err error) {
		d.Now, err = machine.PerformanceNow(ctx, s)
		return err
	})
	return d, false, err
}

package pool

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// gatherCounters asks how busy the machine is. Windows Server 2008 and 2008 R2 have
// the counters after an update (row 3.10); a machine without counters is not broken.
func gatherCounters(ctx context.Context, c *collection) error {
	t := &CounterTile{}
	if c.server.NoCounters {
		t.Missing = "switched off for this server"
		c.next.Counters = t
		return nil
	}
	if s := c.next.Software; s != nil && s.CounterFix != nil && !*s.CounterFix {
		t.Missing = "not available: the update KB2682011 is not installed"
		c.next.Counters = t
		return nil
	}
	err := c.one(ctx, "SELECT PercentProcessorTime FROM Win32_PerfFormattedData_PerfOS_Processor WHERE Name = '_Total'", func(i *cim.Instance) {
		if n, ok := unsignedOf(i, "PercentProcessorTime"); ok {
			f := float64(min(n, 100))
			t.CPU = &f
		}
	})
	if err == nil {
		err = c.one(ctx, "SELECT AvailableBytes FROM Win32_PerfFormattedData_PerfOS_Memory", func(i *cim.Instance) {
			if n, ok := unsignedOf(i, "AvailableBytes"); ok {
				t.Available = &n
			}
		})
	}
	switch cim.StatusOf(err) {
	case cim.StatusOK:
	case cim.ErrInvalidClass, cim.ErrNotFound:
		t.Missing = "the performance counters are not started"
	default:
		return err
	}
	c.next.Counters = t
	return nil
}

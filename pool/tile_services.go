package pool

import (
	"context"
	"slices"
	"time"

	"github.com/casementhq/casement/cim"
)

const (
	maxServices = 8192
	maxStopped  = 64 // services that are named
	// settleTime is how long after a start services with delayed start may still stand:
	// Windows starts them two minutes after the others, one after the other.
	settleTime = 10 * time.Minute
)

// gatherServices counts the services and names those of start type Automatic that do
// not run. One that a trigger starts may stand, and so may, soon after a start of the
// machine, one whose start is delayed.
func gatherServices(ctx context.Context, c *collection) error {
	columns := "Name, State, StartMode"
	if f := c.next.Facts; f != nil && (!f.Windows || c.windows("10.0")) {
		columns += ", DelayedAutoStart" // older ones do not have it
	}
	s := &ServiceTile{}
	young := c.next.Facts != nil && !c.next.Facts.Booted.IsZero() && c.now().Sub(c.next.Facts.Booted) < settleTime
	var stopped []string
	err := c.each(ctx, tileLimit, "SELECT "+columns+" FROM Win32_Service", maxServices, func(i *cim.Instance) {
		s.Total++
		switch state := textOf(i, "State"); {
		case state == "Running":
			s.Running++
		case state == "Stopped" && textOf(i, "StartMode") == "Auto" && !(young && flagOf(i, "DelayedAutoStart")):
			stopped = append(stopped, textOf(i, "Name"))
		}
	})
	if err != nil {
		return err
	}
	slices.Sort(stopped)
	for _, name := range stopped[:min(len(stopped), maxStopped)] {
		if !c.triggered(ctx, name) {
			s.Stopped = append(s.Stopped, name)
		}
	}
	c.next.Services = s
	return nil
}

// triggered tells whether a trigger starts a service: Windows keeps it beside the
// service in the registry, and in no class.
func (c *collection) triggered(ctx context.Context, service string) bool {
	return c.windows("6.1") && c.hasKey(ctx, `SYSTEM\CurrentControlSet\Services\`+service+`\TriggerInfo`)
}

package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/casementhq/casement/cim"
)

// maxEvents bounds how many events are counted.
const maxEvents = 20000

// eventWindow is how far back Server Manager counts by default. See spec/winrm.md 9.
const eventWindow = 24 * time.Hour

// gatherEvents counts the errors and warnings of a day in the logs that Server Manager
// looks at, by the clock of the machine.
func gatherEvents(ctx context.Context, c *collection) error {
	since := c.now().Add(-eventWindow)
	if f := c.next.Facts; f != nil && f.ClockOffset != nil {
		since = since.Add(time.Duration(*f.ClockOffset * float64(time.Second)))
	}
	t := &EventTile{}
	err := c.each(ctx, eventLimit, fmt.Sprintf("SELECT EventType FROM Win32_NTLogEvent WHERE (Logfile = 'Application' OR Logfile = 'Setup' OR Logfile = 'System')"+
		" AND (EventType = 1 OR EventType = 2) AND TimeGenerated >= '%s'", cim.AtTime(since.UTC())), maxEvents, func(i *cim.Instance) {
		if numberOf(i, "EventType") == 1 {
			t.Errors++
		} else {
			t.Warnings++
		}
	})
	if errors.Is(err, cim.ErrTooMuchData) {
		t.More, err = true, nil
	}
	if err != nil {
		return err
	}
	c.next.Events = t
	return nil
}

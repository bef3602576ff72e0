package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// maxEvents bounds how many events are counted.
const maxEvents = 20000

// eventWindow is how far back Server Manager counts by default. See spec/winrm.md 9.
const eventWindow = 24 * time.Hour

// maxKinds bounds how many kinds of events are kept, mostKinds how many are told apart.
const (
	maxKinds  = 48
	mostKinds = 2048
)

// gatherEvents counts the errors and warnings of a day in the logs that Server Manager
// looks at, by the clock of the machine.
func gatherEvents(ctx context.Context, c *collection) error {
	since := c.now().Add(-eventWindow)
	if f := c.next.Facts; f != nil && f.ClockOffset != nil {
		since = since.Add(time.Duration(*f.ClockOffset * float64(time.Second)))
	}
	t := &EventTile{}
	kinds := map[EventKind]*EventKind{}
	err := c.each(ctx, eventLimit, fmt.Sprintf("SELECT EventType, Logfile, SourceName, EventCode, TimeGenerated FROM Win32_NTLogEvent WHERE (Logfile = 'Application' OR Logfile = 'Setup' OR Logfile = 'System')"+
		" AND (EventType = 1 OR EventType = 2) AND TimeGenerated >= '%s'", cim.AtTime(since.UTC())), maxEvents, func(i *cim.Instance) {
		failed := numberOf(i, "EventType") == 1
		if failed {
			t.Errors++
		} else {
			t.Warnings++
		}
		kind := EventKind{Log: textOf(i, "Logfile"), Error: failed, Source: textOf(i, "SourceName"), ID: numberOf(i, "EventCode")}
		k := kinds[kind]
		if k == nil && len(kinds) == mostKinds {
			t.KindsMore = true
			return
		}
		if k == nil {
			k = &EventKind{kind.Log, kind.Error, kind.Source, kind.ID, 0, time.Time{}}
			kinds[kind] = k
		}
		k.Count++
		if at, ok := momentOf(i, "TimeGenerated"); ok && at.After(k.Newest) {
			k.Newest = at.UTC()
		}
	})
	if errors.Is(err, cim.ErrTooMuchData) {
		t.More, err = true, nil
	}
	if err != nil {
		return err
	}
	for _, k := range kinds {
		t.Kinds = append(t.Kinds, *k)
	}
	slices.SortFunc(t.Kinds, func(a, b EventKind) int {
		if a.Error != b.Error {
			return map[bool]int{true: -1, false: 1}[a.Error]
		}
		return cmp.Or(b.Newest.Compare(a.Newest), cmp.Compare(a.ID, b.ID), strings.Compare(a.Log+a.Source, b.Log+b.Source))
	})
	if len(t.Kinds) > maxKinds {
		t.Kinds, t.KindsMore = slices.Clone(t.Kinds[:maxKinds]), true
	}
	c.next.Events = t
	return nil
}

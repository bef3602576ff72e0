package host

import (
	"context"
	"time"

	"github.com/casementhq/casement/cim"
)

type clockRow struct{ time.Time }

var clockColumns = []column[clockRow]{
	clockPart("Year", func(r *clockRow) int { return r.Year() }),
	clockPart("Quarter", func(r *clockRow) int { return (int(r.Month()) + 2) / 3 }),
	clockPart("Month", func(r *clockRow) int { return int(r.Month()) }),
	clockPart("Day", func(r *clockRow) int { return r.Day() }),
	clockPart("DayOfWeek", func(r *clockRow) int { return int(r.Weekday()) }),
	clockPart("WeekInMonth", weekInMonth),
	clockPart("Hour", func(r *clockRow) int { return r.Hour() }),
	clockPart("Minute", func(r *clockRow) int { return r.Minute() }),
	clockPart("Second", func(r *clockRow) int { return r.Second() }),
}

func clockPart(name string, get func(*clockRow) int) column[clockRow] {
	return column[clockRow]{name: name, get: func(r *clockRow) cim.Value { return cim.U32(uint32(get(r))) }}
}

// weekInMonth counts weeks that begin on Sunday; the week of the first day of the month is 1.
func weekInMonth(r *clockRow) int {
	first := time.Date(r.Year(), r.Month(), 1, 0, 0, 0, 0, time.UTC)
	return (r.Day()-1+int(first.Weekday()))/7 + 1
}

var localTimeTable = &table[clockRow]{name: "Win32_LocalTime", columns: clockColumns,
	gather: func(_ context.Context, p *Provider, _ uint32, _ query, f func(*clockRow) error) error {
		return f(&clockRow{p.now().In(p.location())})
	}}

var utcTimeTable = &table[clockRow]{name: "Win32_UTCTime", columns: clockColumns,
	gather: func(_ context.Context, p *Provider, _ uint32, _ query, f func(*clockRow) error) error {
		return f(&clockRow{p.now().UTC()})
	}}

// watchClock calls f with the clock each time that its second changes. A clock that was set has a second that is not
// the next one.
func (p *Provider) watchClock(ctx context.Context, c *cim.Class, q query, f func(now, before *cim.Instance) error) error {
	read := func() (i *cim.Instance, err error) {
		err = p.list(ctx, c, q, func(one *cim.Instance) error {
			i = one.Clone()
			return nil
		})
		return i, err
	}
	before, err := read()
	if err != nil || before == nil {
		return err
	}
	for {
		sleep := time.NewTimer(time.Second - time.Duration(p.now().Nanosecond()))
		select {
		case <-sleep.C:
		case <-ctx.Done():
			sleep.Stop()
			return ctx.Err()
		}
		now, err := read()
		if err != nil {
			return err
		}
		if now == nil || now.Equal(before) {
			continue
		}
		if err := f(now, before); err != nil {
			return err
		}
		before = now
	}
}

package host

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// zoneFile is the name and the content of the time zone of the machine; the name may be empty.
func (p *Provider) zoneFile() (name string, data []byte) {
	path := filepath.Join(p.root, "etc/localtime")
	if target, err := os.Readlink(path); err == nil {
		if _, after, ok := strings.Cut(target, "zoneinfo/"); ok {
			name = after
		}
	}
	if name == "" {
		name = p.read("etc/timezone")
	}
	data, err := os.ReadFile(path)
	if err != nil && name != "" && !strings.Contains(name, "..") {
		data, _ = os.ReadFile(filepath.Join(p.root, "usr/share/zoneinfo", name))
	}
	return name, data
}

type zoneRow struct {
	name string
	rule posixZone
}

type zoneColumn = column[zoneRow]

// change makes the columns of one of the two changes of a year. The day is the week of the month, 5 meaning the last
// one, and the year 0: the change comes again every year.
func change(prefix string, get func(*zoneRow) *zoneChange) []zoneColumn {
	u32 := func(name string, f func(*zoneChange) int) zoneColumn {
		return zoneColumn{name: prefix + name, get: func(r *zoneRow) cim.Value {
			c := get(r)
			if c == nil {
				return cim.Value{}
			}
			return cim.U32(uint32(f(c)))
		}}
	}
	return []zoneColumn{
		u32("Month", func(c *zoneChange) int { return c.month }),
		u32("Day", func(c *zoneChange) int { return c.week }),
		u32("Hour", func(c *zoneChange) int { return c.seconds / 3600 }),
		u32("Minute", func(c *zoneChange) int { return c.seconds / 60 % 60 }),
		u32("Second", func(c *zoneChange) int { return c.seconds % 60 }),
		u32("Millisecond", func(*zoneChange) int { return 0 }),
		u32("Year", func(*zoneChange) int { return 0 }),
		{name: prefix + "DayOfWeek", get: func(r *zoneRow) cim.Value {
			c := get(r)
			if c == nil {
				return cim.Value{}
			}
			return cim.U8(uint8(c.weekday))
		}},
	}
}

var zoneTable = &table[zoneRow]{name: "Win32_TimeZone", gather: gatherZone, columns: append(append([]zoneColumn{
	{name: "StandardName", get: func(r *zoneRow) cim.Value { return strOrNull(r.rule.standard) }},
	{name: "DaylightName", get: func(r *zoneRow) cim.Value { return strOrNull(r.rule.daylight) }},
	{name: "Caption", get: zoneCaption},
	{name: "Description", get: zoneCaption},
	{name: "SettingID", get: func(r *zoneRow) cim.Value { return strOrNull(r.name) }},
	{name: "Bias", get: func(r *zoneRow) cim.Value { return cim.S32(int32(r.rule.offset / 60)) }},
	{name: "StandardBias", get: fixedValue[zoneRow](cim.U32(0))},
	{name: "DaylightBias", get: func(r *zoneRow) cim.Value {
		if r.rule.daylight == "" {
			return cim.Value{}
		}
		return cim.S32(int32((r.rule.offset - r.rule.daylightOffset) / 60))
	}},
}, change("Daylight", func(r *zoneRow) *zoneChange { return r.rule.start })...),
	change("Standard", func(r *zoneRow) *zoneChange { return r.rule.end })...)}

// zoneCaption is "(UTC+01:00) Europe/Berlin".
func zoneCaption(r *zoneRow) cim.Value {
	offset := "(UTC"
	if r.rule.offset != 0 {
		offset += time.Unix(0, 0).In(time.FixedZone("", r.rule.offset)).Format("-07:00")
	}
	name := r.name
	if name == "" {
		name = r.rule.standard
	}
	return cim.Str(offset + ") " + name)
}

func gatherZone(_ context.Context, p *Provider, _ uint32, _ query, f func(*zoneRow) error) error {
	name, data := p.zoneFile()
	if len(data) == 0 { // no file: UTC, see localtime(5)
		return f(&zoneRow{name: name, rule: posixZone{standard: "UTC"}})
	}
	rule, ok := zoneFooter(data)
	if !ok {
		l, err := time.LoadLocationFromTZData(name, data)
		if err != nil {
			return nil
		}
		now := p.now().In(l)
		abbreviation, offset := now.Zone()
		rule = posixZone{standard: abbreviation, offset: offset}
	}
	return f(&zoneRow{name: name, rule: rule})
}

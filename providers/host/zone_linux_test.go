package host

import (
	"os"
	"testing"
	"time"
)

// The days on which the offset changes come from Go's time package, which reads the transitions and not the rule.
func TestTimeZonesAgainstTransitions(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "America/St_Johns", "Etc/UTC"} {
		data, err := os.ReadFile("/usr/share/zoneinfo/" + name)
		if err != nil {
			t.Skip("no time zones are installed")
		}
		l, err := time.LoadLocationFromTZData(name, data)
		if err != nil {
			t.Fatal(err)
		}
		p := New(Options{Root: root(t, map[string]string{"etc/localtime": "-> ../usr/share/zoneinfo/" + name, "usr/share/zoneinfo/" + name: string(data)})})
		i := only(t, p, "Win32_TimeZone", query{})
		if i.Get("SettingID").String() != name {
			t.Errorf("%s has the id %v", name, i.Get("SettingID"))
		}
		january := time.Date(2026, 1, 15, 12, 0, 0, 0, l)
		july := time.Date(2026, 7, 15, 12, 0, 0, 0, l)
		standard := january
		if january.IsDST() {
			standard = july
		}
		abbreviation, offset := standard.Zone()
		if bias, _ := i.Get("Bias").Int(); bias*60 != int64(offset) || i.Get("StandardName").String() != abbreviation {
			t.Errorf("%s: bias %d, name %v; want %d, %s", name, bias, i.Get("StandardName"), offset/60, abbreviation)
		}
		_, a := january.Zone()
		_, b := july.Zone()
		if a == b {
			expect(t, i, map[string]string{"DaylightName": "null", "DaylightMonth": "null", "DaylightBias": "null"})
			continue
		}
		for n, prefix := range []string{"Daylight", "Standard"} {
			month, week, weekday, hour := mustUint(i, prefix+"Month"), mustUint(i, prefix+"Day"), mustUint(i, prefix+"DayOfWeek"), mustUint(i, prefix+"Hour")
			at := nthWeekday(2026, time.Month(month), int(week), time.Weekday(weekday), int(hour))
			before, after := localWall(at.Add(-3*time.Hour), l), localWall(at.Add(3*time.Hour), l)
			if before.IsDST() == after.IsDST() || after.IsDST() != (n == 0) {
				t.Errorf("%s: no change to %s on %v", name, prefix, at)
			}
		}
	}
}

// nthWeekday is the day of a rule; the fifth week is the last one.
func nthWeekday(year int, month time.Month, week int, day time.Weekday, hour int) time.Time {
	t := time.Date(year, month, 1, hour, 0, 0, 0, time.UTC)
	for t.Weekday() != day {
		t = t.AddDate(0, 0, 1)
	}
	for n := 1; n < week && t.AddDate(0, 0, 7).Month() == month; n++ {
		t = t.AddDate(0, 0, 7)
	}
	return t
}

func localWall(t time.Time, l *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), 0, 0, 0, l)
}

func TestPosixZones(t *testing.T) {
	for s, want := range map[string]posixZone{
		"UTC0":         {standard: "UTC"},
		"<+0330>-3:30": {standard: "+0330", offset: 12600},
		"NST3:30NDT,M3.2.0,M11.1.0": {standard: "NST", daylight: "NDT", offset: -12600, daylightOffset: -9000,
			start: &zoneChange{3, 2, 0, 7200}, end: &zoneChange{11, 1, 0, 7200}},
		"IST-1GMT0,M10.5.0,M3.5.0/1": {standard: "IST", daylight: "GMT", offset: 3600, start: &zoneChange{10, 5, 0, 7200}, end: &zoneChange{3, 5, 0, 3600}},
		"AAA1BBB,J60,J300":           {standard: "AAA", daylight: "BBB", offset: -3600},
	} {
		got, ok := parseZone(s)
		same := ok && got.standard == want.standard && got.daylight == want.daylight && got.offset == want.offset && got.daylightOffset == want.daylightOffset &&
			(got.start == nil) == (want.start == nil) && (want.start == nil || *got.start == *want.start && *got.end == *want.end)
		if !same {
			t.Errorf("%q is %+v, want %+v", s, got, want)
		}
	}
	for _, s := range []string{"", "U", "UTC", "UTC0x", "<>0", "<A", "UTC999", "UTC0:0:0:0"} {
		if z, ok := parseZone(s); ok {
			t.Errorf("%q is %+v", s, z)
		}
	}
}

func FuzzZone(f *testing.F) {
	f.Add([]byte("TZif2\n<+01>-1CET,M3.5.0/26,M10.5.0\n"))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = zoneFooter(b) })
}

func TestLocalTime(t *testing.T) {
	now := time.Date(2026, 11, 20, 23, 59, 58, 5, time.UTC)
	p := New(Options{Root: root(t, nil), Now: func() time.Time { return now }})
	for _, class := range []string{"Win32_LocalTime", "Win32_UTCTime"} {
		expect(t, only(t, p, class, query{}), map[string]string{"Year": "2026", "Month": "11", "Day": "20", "DayOfWeek": "5", "Quarter": "4",
			"WeekInMonth": "3", "Hour": "23", "Minute": "59", "Second": "58", "Milliseconds": "null"})
	}
	expect(t, only(t, p, "Win32_TimeZone", query{}), map[string]string{"StandardName": "UTC", "Bias": "0", "Caption": "(UTC) UTC"})
}

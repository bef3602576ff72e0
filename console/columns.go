package console

import (
	"cmp"
	"math"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/casementhq/casement/pool"
)

// column is one of the table of servers. See spec/console.md 3.1.
type column struct {
	ID, Title string
	Shown     bool // at first
	Number    bool
	cell      func(e Entry, now time.Time) field
	// order gives what rows are sorted by: a text or a number. Unknown comes last.
	order func(e Entry) (text string, number float64)
}

func pathEscape(s string) string { return url.PathEscape(s) }

// facts are those of a server, never nil.
func (e Entry) facts() *pool.Facts {
	if e.Snapshot == nil || e.Snapshot.Facts == nil {
		return &pool.Facts{}
	}
	return e.Snapshot.Facts
}

func (e Entry) snapshot() *pool.Snapshot {
	if e.Snapshot == nil {
		return &pool.Snapshot{}
	}
	return e.Snapshot
}

// CPU is the load in percent, Memory what is in use, Disk the fullest volume; nil
// is not known.
func (e Entry) CPU() *float64 {
	if c := e.snapshot().Counters; c != nil {
		return c.CPU
	}
	return nil
}

// Memory is the part of the memory that is in use, in percent.
func (e Entry) Memory() *float64 {
	c, total := e.snapshot().Counters, e.facts().Memory
	if c == nil || c.Available == nil || total == 0 {
		return nil
	}
	v := 100 * (1 - float64(*c.Available)/float64(total))
	return &v
}

// DiskSpace is the size of all its volumes, in octets; 0 is not known.
func (e Entry) DiskSpace() (n uint64) {
	for _, d := range e.snapshot().Disks {
		n += d.Size
	}
	return n
}

// Disk is how full the fullest volume is, in percent.
func (e Entry) Disk() *float64 {
	var most *float64
	for _, d := range e.snapshot().Disks {
		if d.Size == 0 {
			continue
		}
		if v := 100 * (1 - float64(d.Free)/float64(d.Size)); most == nil || v > *most {
			most = &v
		}
	}
	return most
}

func number(v *float64) (string, float64) {
	if v == nil {
		return "", math.Inf(1)
	}
	return "", *v
}

func percentField(v *float64) field {
	if v == nil {
		return text(unknown)
	}
	return field{Text: percentText(*v), Value: v}
}

func timeField(t, now time.Time) field {
	f := field{Text: ago(t, now), Tip: timeTip(t)}
	if !t.IsZero() {
		f.Time = &t
	}
	return f
}

func byTime(t time.Time) (string, float64) {
	if t.IsZero() {
		return "", math.Inf(1)
	}
	return "", -float64(t.Unix())
}

func textColumn(id, title string, shown bool, get func(Entry) string) column {
	return column{ID: id, Title: title, Shown: shown,
		cell:  func(e Entry, _ time.Time) field { return text(cmpOr(get(e), unknown)) },
		order: func(e Entry) (string, float64) { return strings.ToLower(get(e)), 0 }}
}

func addressOf(e Entry, six bool) string {
	for _, a := range e.facts().Addresses {
		if ip, err := netip.ParseAddr(a); err == nil && ip.Is6() == six {
			return a
		}
	}
	return ""
}

// osText is an operating system without what all of them have.
func osText(e Entry) string {
	s := strings.TrimPrefix(e.facts().OS, "Microsoft ")
	return strings.TrimPrefix(s, "Windows Server ")
}

var levelOrder = map[pool.Level]float64{pool.LevelBlocked: 0, pool.LevelAttention: 1, pool.LevelInfo: 2, pool.LevelNone: 3, pool.LevelOK: 4}

// serverColumns are all columns of the table of servers.
var serverColumns = []column{
	{ID: "name", Title: "Name", Shown: true,
		cell:  func(e Entry, _ time.Time) field { return field{Text: e.Name, Link: "/servers/" + pathEscape(e.Name)} },
		order: func(e Entry) (string, float64) { return strings.ToLower(e.Name), 0 }},
	{ID: "state", Title: "Manageability", Shown: true,
		cell: func(e Entry, _ time.Time) field {
			return field{Text: string(e.State()), Level: string(e.Level()), Tip: stateTips[e.State()]}
		},
		order: func(e Entry) (string, float64) { return string(e.State()), levelOrder[e.Level()] }},
	{ID: "reason", Title: "Reason", Shown: true,
		cell: func(e Entry, _ time.Time) field {
			f := text(e.Reason())
			if f.Text != "" {
				f.Link = "/servers/" + pathEscape(e.Name) + "/doctor"
			}
			return f
		},
		order: func(e Entry) (string, float64) { return strings.ToLower(e.Reason()), 0 }},
	{ID: "contact", Title: "Last contact", Shown: true,
		cell: func(e Entry, now time.Time) field {
			f := timeField(e.Contact(), now)
			if e.Stale(now) && !e.Contact().IsZero() {
				f.Text = "as of " + clock(e.Contact())
				f.Time = nil
			}
			return f
		},
		order: func(e Entry) (string, float64) { return byTime(e.Contact()) }},
	textColumn("os", "OS", true, osText),
	{ID: "cpu", Title: "CPU", Shown: true, Number: true, cell: func(e Entry, _ time.Time) field { return percentField(e.CPU()) },
		order: func(e Entry) (string, float64) { return number(e.CPU()) }},
	{ID: "memory", Title: "Memory", Shown: true, Number: true, cell: func(e Entry, _ time.Time) field { return percentField(e.Memory()) },
		order: func(e Entry) (string, float64) { return number(e.Memory()) }},
	{ID: "disk", Title: "Disk", Shown: true, Number: true, cell: func(e Entry, _ time.Time) field { return percentField(e.Disk()) },
		order: func(e Entry) (string, float64) { return number(e.Disk()) }},
	textColumn("tags", "Tags", true, func(e Entry) string { return strings.Join(e.Tags, ", ") }),
	textColumn("ipv4", "IPv4", false, func(e Entry) string { return addressOf(e, false) }),
	textColumn("ipv6", "IPv6", false, func(e Entry) string { return addressOf(e, true) }),
	textColumn("domain", "Domain", false, func(e Entry) string { return e.facts().Domain }),
	textColumn("transport", "Transport", false, func(e Entry) string { return transportText(e.snapshot().Transport) }),
	textColumn("as", "Managed as", false, func(e Entry) string { return e.snapshot().Account }),
	{ID: "uptime", Title: "Uptime", Number: true,
		cell: func(e Entry, now time.Time) field {
			if e.facts().Booted.IsZero() {
				return text(unknown)
			}
			return text(tookText(now.Sub(e.facts().Booted)))
		},
		order: func(e Entry) (string, float64) { return byTime(e.facts().Booted) }},
	{ID: "events", Title: "Events 24 h", Number: true,
		cell: func(e Entry, _ time.Time) field {
			t := e.snapshot().Events
			if t == nil {
				return text(unknown)
			}
			f := field{Text: countText(eventsOf(t)), Tip: plural(t.Errors, "error") + ", " + plural(t.Warnings, "warning"), Link: "/servers/" + pathEscape(e.Name) + "/events"}
			if t.Critical != nil {
				f.Tip = countText(*t.Critical) + " critical, " + f.Tip
			}
			if t.More {
				f.Text = "over " + f.Text
			}
			return f
		},
		order: func(e Entry) (string, float64) {
			t := e.snapshot().Events
			if t == nil {
				return "", math.Inf(1)
			}
			return "", float64(-eventsOf(t))
		}},
	{ID: "services", Title: "Services alerts", Number: true,
		cell: func(e Entry, _ time.Time) field {
			t := e.snapshot().Services
			if t == nil {
				return text(unknown)
			}
			return field{Text: countText(len(t.Stopped)), Tip: strings.Join(t.Stopped, ", "), Link: "/servers/" + pathEscape(e.Name) + "/services"}
		},
		order: func(e Entry) (string, float64) {
			if t := e.snapshot().Services; t != nil {
				return "", float64(-len(t.Stopped))
			}
			return "", math.Inf(1)
		}},
	textColumn("restart", "Restart pending", false, func(e Entry) string {
		switch p := e.facts().RestartPending; {
		case p == nil:
			return ""
		case *p:
			return "yes"
		default:
			return "no"
		}
	}),
	textColumn("roles", "Roles", false, func(e Entry) string {
		var names []string
		for _, r := range e.snapshot().Roles {
			if r.Type == "Role" {
				names = append(names, cmpOr(r.DisplayName, r.Name))
			}
		}
		return strings.Join(names, ", ")
	}),
	{ID: "added", Title: "Added", cell: func(e Entry, now time.Time) field { return timeField(e.Added, now) },
		order: func(e Entry) (string, float64) { return byTime(e.Added) }},
	{ID: "clock", Title: "Clock offset", Number: true,
		cell: func(e Entry, _ time.Time) field {
			if o := e.facts().ClockOffset; o != nil {
				return text(signed(*o) + " s")
			}
			return text(unknown)
		},
		order: func(e Entry) (string, float64) { return number(e.facts().ClockOffset) }},
}

func transportText(t pool.Transport) string {
	switch t {
	case pool.WinRM:
		return "WinRM"
	case pool.DCOM:
		return "DCOM"
	case pool.Both:
		return "WinRM and DCOM"
	}
	return ""
}

func columnOf(id string) (column, bool) {
	for _, c := range serverColumns {
		if c.ID == id {
			return c, true
		}
	}
	return column{}, false
}

// compare orders two servers by a column; equal ones go by their names.
func (c column) compare(a, b Entry, down bool) int {
	at, an := c.order(a)
	bt, bn := c.order(b)
	known := func(t string, n float64) bool { return t != "" || !math.IsInf(n, 1) && n != 0 || c.Number }
	if ka, kb := known(at, an), known(bt, bn); ka != kb { // unknown comes last either way
		if ka {
			return -1
		}
		return 1
	}
	r := cmp.Or(cmp.Compare(an, bn), cmp.Compare(at, bt))
	if math.IsInf(an, 1) != math.IsInf(bn, 1) {
		return r
	}
	if down {
		r = -r
	}
	return cmp.Or(r, cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
}

// eventsOf are the events of a tile that were counted.
func eventsOf(t *pool.EventTile) int {
	n := t.Errors + t.Warnings
	if t.Critical != nil {
		n += *t.Critical
	}
	return n
}

package console

import (
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/console/internal/machine"
	"github.com/casementhq/casement/pool"
)

// performanceData is what the tab Performance shows.
type performanceData struct {
	Now    *machine.Performance
	Charts []chart
	Span   string
	Table  bool
	Off    bool   // the counters are not asked for
	Why    string // there are none
	Topic  string
	Alerts []pool.Alert
	Seen   time.Time // of the alerts
}

// perfSpans are how far back the charts go.
var perfSpans = []struct {
	ID    string
	Title string
	Span  time.Duration
}{{"1h", "1 h", time.Hour}, {"24h", "24 h", 24 * time.Hour}, {"7d", "7 d", 7 * 24 * time.Hour}}

// liveSample is how often a server is asked while somebody looks at its page.
const liveSample = 5 * time.Second

// MemoryUsed is the part of the memory that is in use, in percent, or nil.
func (d performanceData) MemoryUsed() *float64 { return memoryUsed(d.Now) }

func memoryUsed(p *machine.Performance) *float64 {
	if p == nil || p.Available == nil || p.Memory == nil || *p.Memory == 0 || *p.Available > *p.Memory {
		return nil
	}
	return usedPart(*p.Memory, *p.Available)
}

// CPUText and MemoryText are what is now.
func (d performanceData) CPUText() string { return cpuText(d.Now) }

// MemoryText is the memory that is in use.
func (d performanceData) MemoryText() string { return memoryText(d.Now) }

func cpuText(p *machine.Performance) string {
	if p == nil || p.CPU == nil {
		return unknown
	}
	return percentText(*p.CPU)
}

func memoryText(p *machine.Performance) string {
	v := memoryUsed(p)
	if v == nil {
		return unknown
	}
	return percentText(*v) + ", " + sizeText(*p.Memory-*p.Available) + " of " + sizeText(*p.Memory)
}

// Spans are the choices of how far back.
func (d performanceData) Spans() (list []choice) {
	for _, s := range perfSpans {
		list = append(list, choice{s.ID, s.Title, s.ID == d.Span})
	}
	return list
}

// With is the query with another span or another view.
func (d performanceData) With(span string, table bool) string {
	q := ""
	if span != "24h" {
		q = "&span=" + span
	}
	if table {
		q += "&view=table"
	}
	return "?" + strings.TrimPrefix(q, "&")
}

func (c *Console) registerPerformance() {
	c.serverTab("performance", "performance.html", c.loadPerformance)
	c.form("/servers/{name}/performance", Operator, c.switchCounters)
	c.page("GET /servers/{name}/performance/export", Reader, c.exportPerformance)
	c.live.follow("perf", source{role: Reader, run: c.runPerformance, may: c.ofServer, load: func(ctx context.Context, name string) (any, error) {
		done, err := c.asks.begin(following)
		if err != nil {
			return nil, err
		}
		defer done()
		var m map[string]any
		err = c.samplePerformance(ctx, name, func(one map[string]any) bool { m = one; return false })
		return m, err
	}})
}

// chartsOf are the charts of a server.
func (c *Console) chartsOf(e Entry, span string, now time.Time) (list []chart, chosen string) {
	at := perfSpans[1]
	for _, s := range perfSpans {
		if s.ID == span {
			at = s
		}
	}
	k, _ := c.criteria.of(allCard)
	cpu := chart{ID: "cpu", Title: "Processor", From: now.Add(-at.Span), To: now, Threshold: k.CPU, Points: c.history.points(e.Name, counterCPU, now.Add(-at.Span))}
	memory := chart{ID: "memory", Title: "Memory in use", From: cpu.From, To: now, Points: c.history.points(e.Name, counterMemory, cpu.From)}
	if total := e.facts().Memory; total > 0 && k.MemoryFree > 0 {
		memory.Threshold = 100 - k.MemoryFree
	}
	return []chart{cpu, memory}, at.ID
}

func (c *Console) loadPerformance(ctx context.Context, rq *request, e Entry, conn *casement.Connection) (any, bool, error) {
	now := time.Now()
	d := performanceData{Table: rq.URL.Query().Get("view") == "table", Off: e.NoCounters, Seen: e.snapshot().Full}
	d.Charts, d.Span = c.chartsOf(e, rq.URL.Query().Get("span"), now)
	for _, a := range e.snapshot().Alerts {
		if a.Resource == "CPU" || a.Resource == "Memory" {
			d.Alerts = append(d.Alerts, a)
		}
	}
	if d.Off {
		return d, false, nil
	}
	d.Topic = "perf:" + e.Name
	err := session(ctx, conn, "", func(s cim.Session) (err error) {
		d.Now, err = machine.PerformanceNow(ctx, s)
		return err
	})
	if d.Now != nil && d.Now.CPU == nil && d.Now.Available == nil {
		d.Why = strings.Join(d.Now.Missing, "; ")
	}
	if err == nil {
		c.history.sample(e.Name, now, [counters]*float64{d.Now.CPU, d.MemoryUsed()})
		d.Charts, d.Span = c.chartsOf(e, d.Span, time.Now())
	}
	return d, false, err
}

// runPerformance asks a server each five seconds while somebody looks.
func (c *Console) runPerformance(ctx context.Context, name string, tell func(any, error)) {
	for ctx.Err() == nil {
		err := c.samplePerformance(ctx, name, func(m map[string]any) bool {
			tell(m, nil)
			select {
			case <-ctx.Done():
				return false
			case <-time.After(liveSample):
				return true
			}
		})
		if ctx.Err() != nil {
			return
		}
		c.log.Debug("the performance of a server can no longer be followed", "server", name, "error", err)
		tell(map[string]any{"f": fields{"perf.how": text("Not live: " + name + " does not answer; tried again each 10 s")}}, nil)
		select {
		case <-ctx.Done():
		case <-time.After(liveAgain):
		}
	}
}

// samplePerformance asks a server as long as take wants more.
func (c *Console) samplePerformance(ctx context.Context, name string, take func(map[string]any) bool) error {
	e, ok := c.fleet.get(name)
	if !ok {
		return c.noServer(name)
	}
	if e.NoCounters {
		return &problem{Status: http.StatusConflict, Text: "The counters of " + e.Name + " are stopped."}
	}
	return c.followServer(ctx, e.Name, func(s cim.Session) error {
		for {
			asked, cancel := context.WithTimeout(ctx, serverPatience)
			p, err := machine.PerformanceNow(asked, s)
			cancel()
			if err != nil {
				return err
			}
			at := time.Now()
			used := memoryUsed(p)
			c.history.sample(e.Name, at, [counters]*float64{p.CPU, used})
			rows := []map[string]any{}
			for _, l := range p.Top {
				rows = append(rows, map[string]any{"key": l.Name + " " + strconv.FormatUint(l.Process, 10),
					"f": fields{"name": text(l.Name), "id": text(strconv.FormatUint(l.Process, 10)), "cpu": text(percentText(l.CPU)), "memory": text(sizeText(l.Memory))}})
			}
			if !take(map[string]any{"at": at.Unix(), "cpu": p.CPU, "memory": used, "rows": rows,
				"f": fields{"perf.cpu": text(cpuText(p)), "perf.memory": text(memoryText(p)), "perf.how": text("Live: asked each 5 s")}}) {
				return nil
			}
		}
	})
}

// switchCounters starts or stops asking a server for its counters.
func (c *Console) switchCounters(rq *request) (result, error) {
	e, err := c.server(rq)
	if err != nil {
		return result{}, err
	}
	do := rq.PostForm.Get("counters")
	if do != "start" && do != "stop" {
		return result{}, &problem{Status: http.StatusBadRequest, Title: "Not understood", Text: "Counters are started or stopped."}
	}
	entry := auditlog.Entry{Action: "server-counters", Targets: []string{e.Name}, Parameters: map[string]string{"do": do}}
	err = c.update(rq, entry, func(s *pool.Server) error {
		s.NoCounters = do == "stop"
		return nil
	})
	message := "Performance is asked of " + e.Name + " again: with each refresh, and each 5 s while somebody looks."
	if do == "stop" {
		message = "Performance is no longer asked of " + e.Name + ". What is known stays for a week."
	}
	return result{Message: message, Location: serverPath(e.Name, "performance")}, err
}

// exportPerformance writes what the charts show.
func (c *Console) exportPerformance(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	charts, span := c.chartsOf(e, rq.URL.Query().Get("span"), time.Now())
	return c.act(rq, auditlog.Entry{Action: "export", Targets: []string{e.Name}, Parameters: map[string]string{"what": "performance", "span": span}}, func(*auditlog.Entry) error {
		rq.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rq.Header().Set("Content-Disposition", `attachment; filename="performance.csv"`)
		w := csv.NewWriter(rq)
		_ = w.Write([]string{"Time", "Counter", "Percent"}) //nolint:errcheck // who asked has gone
		for _, k := range charts {
			for _, p := range k.Points {
				_ = w.Write([]string{p.At.Format(time.RFC3339), k.Title, strconv.FormatFloat(p.Value, 'f', -1, 64)}) //nolint:errcheck // as above
			}
		}
		w.Flush()
		return nil
	})
}

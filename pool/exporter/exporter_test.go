package exporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/metrics"

	casement "github.com/casementhq/casement"
)

const volumes = `{"interval": "1m", "timeout": "5s", "queries": [
  {"wql": "SELECT Name, FreeSpace, Ready, Since FROM Win32_Volume",
   "labels": {"volume": "Name"},
   "metrics": [
    {"name": "volume_free_bytes", "help": "Free.", "value": "FreeSpace", "factor": 1024},
    {"name": "volume_ready", "help": "Ready.", "value": "Ready"},
    {"name": "volume_mounted_timestamp_seconds", "help": "When.", "value": "Since"}]},
  {"namespace": "root\\things", "wql": "SELECT * FROM Thing", "labels": {"kind": "Kind"}, "metrics": [{"name": "things", "help": "How many."}]}]}`

func read(t *testing.T, text string) *File {
	t.Helper()
	f, err := ReadFile(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A file that is wrong is refused as a whole, with what is wrong.
func TestReadFile(t *testing.T) {
	f := read(t, volumes)
	if f.interval != time.Minute || f.timeout != 5*time.Second || f.Queries[0].Namespace != `root\cimv2` {
		t.Errorf("%+v", f)
	}
	metric := func(m string) string {
		return `{"queries": [{"wql": "SELECT A, B FROM C", "labels": {"a": "A"}, "metrics": [` + m + `]}]}`
	}
	for text, want := range map[string]string{
		"{\n\"queries\": [\n{,": "line 3", "": "EOF", `{"queries": []}`: "0 queries", `{"other": 1}`: "unknown field",
		`{"interval": "1s", "queries": []}`: "the interval", `{"interval": "1m", "timeout": "2m", "queries": []}`: "the timeout",
		volumes + "x": "something follows",
		`{"queries": [{"wql": "SELECT FROM", "metrics": []}]}`:                                                        "query 1",
		`{"queries": [{"wql": "SELECT A FROM C", "metrics": []}]}`:                                                    "0 metrics",
		`{"queries": [{"wql": "SELECT A FROM C", "labels": {"server": "A"}, "metrics": [{"name":"x1","help":"h"}]}]}`: "cannot be a label",
		`{"queries": [{"wql": "SELECT A FROM C", "labels": {"b": "B"}, "metrics": [{"name":"x1","help":"h"}]}]}`:      "the property B is not selected",
		metric(`{"name": "x-1", "help": "h"}`):                                                                        "cannot be a metric",
		metric(`{"name": "casement_server_up", "help": "h"}`):                                                         "cannot be a metric",
		metric(`{"name": "up", "help": "h"}`):                                                                         "cannot be a metric",
		metric(`{"name": "x1"}`):                                                                                      "help",
		metric(`{"name": "x1", "help": "h", "type": "summary"}`):                                                      "is not a type",
		metric(`{"name": "x1", "help": "h", "type": "counter", "value": "A"}`):                                        "end with _total",
		metric(`{"name": "x_total", "help": "h", "value": "A"}`):                                                      "end with _total",
		metric(`{"name": "x_total", "help": "h", "type": "counter"}`):                                                 "is a gauge",
		metric(`{"name": "x1", "help": "h", "value": "D"}`):                                                           "the property D is not selected",
		metric(`{"name": "x1", "help": "h"}, {"name": "x1", "help": "h"}`):                                            "twice",
		`{"queries": [` + strings.Repeat(`{},`, 60) + `{}]}`:                                                          "61 queries",
		strings.Repeat(" ", maxFile+1):                                                                                "larger",
	} {
		if _, err := ReadFile(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: %v, want %s", text, err, want)
		}
	}
}

var (
	volume = cim.NewClass("Win32_Volume", nil).Property("Name", cim.String).Property("FreeSpace", cim.Uint64).Property("Ready", cim.Boolean).Property("Since", cim.Datetime).Build(`root\cimv2`)
	thing  = cim.NewClass("Thing", nil).Property("Kind", cim.Untyped).Build(`root\cimv2`)
)

// farm answers as servers of several kinds do.
type farm struct{}

func (f farm) Ask(ctx context.Context, server, namespace, _ string, row func(*cim.Instance) bool) error {
	class := volume
	if namespace != `root\cimv2` {
		class = thing
	}
	give := func(values ...cim.Value) bool { return row(cim.MakeInstance(class, values)) }
	switch {
	case server == "dead":
		return errors.New("no route to host")
	case server == "silent":
		<-ctx.Done()
		return ctx.Err()
	case server == "flood":
		for n := 0; ; n++ {
			if class == thing && !give(cim.Text(fmt.Sprint(n))) || class == volume && !give(cim.Str(fmt.Sprint(n)), cim.U64(1), cim.Bool(true), cim.Null(cim.Datetime)) {
				return nil
			}
		}
	case server == "odd" && class == volume:
		give(cim.Str("a\nb\x1b[31m"+strings.Repeat("ä", 300)), cim.Null(cim.Uint64), cim.Null(cim.Boolean), cim.Null(cim.Datetime))
		give(cim.Null(cim.String), cim.U64(1), cim.Bool(false), cim.Null(cim.Datetime))
		give(cim.Null(cim.String), cim.U64(2), cim.Bool(true), cim.Null(cim.Datetime))
		return nil
	case class == volume:
		give(cim.Str("C:"), cim.U64(10), cim.Bool(true), cim.Time(cim.AtTime(time.Unix(1_700_000_000, 0))))
		give(cim.Str("D:"), cim.U64(20), cim.Bool(false), cim.Null(cim.Datetime))
		return nil
	case server == "half":
		return &cim.Error{Status: cim.ErrAccessDenied}
	default:
		give(cim.Text("x"))
		give(cim.Text("y"))
		give(cim.Text("x"))
		return nil
	}
}

func text(x *Exporter) []string {
	var out []string
	for s := range x.Samples {
		f := x.Families()[s.Family]
		if s.Family == familySeconds || s.Family == familyWhen {
			continue
		}
		out = append(out, fmt.Sprintf("%s%q %v", f.Name, s.Labels, s.Value))
	}
	slices.Sort(out)
	return out
}

// What servers answer becomes samples, and those that answer badly harm only
// themselves.
func TestExporter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var servers atomic.Pointer[[]string]
		servers.Store(&[]string{"good", "half", "dead", "silent", "odd"})
		x := New(read(t, volumes), func() []string { return *servers.Load() }, farm{}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { x.Run(ctx); close(done) }()
		time.Sleep(30 * time.Second)
		want := []string{
			`casement_server_failed_queries["dead"] 2`, `casement_server_failed_queries["good"] 0`, `casement_server_failed_queries["half"] 1`,
			`casement_server_failed_queries["odd"] 0`, `casement_server_failed_queries["silent"] 2`,
			`casement_server_samples_cut["dead"] 0`, `casement_server_samples_cut["good"] 0`, `casement_server_samples_cut["half"] 0`,
			`casement_server_samples_cut["odd"] 1`, `casement_server_samples_cut["silent"] 0`,
			`casement_server_up["dead"] 0`, `casement_server_up["good"] 1`, `casement_server_up["half"] 1`, `casement_server_up["odd"] 1`, `casement_server_up["silent"] 0`,
			`things["good" "x"] 2`, `things["good" "y"] 1`, `things["odd" "x"] 2`, `things["odd" "y"] 1`,
			`volume_free_bytes["good" "C:"] 10240`, `volume_free_bytes["good" "D:"] 20480`, `volume_free_bytes["half" "C:"] 10240`, `volume_free_bytes["half" "D:"] 20480`,
			`volume_free_bytes["odd" ""] 1024`,
			`volume_mounted_timestamp_seconds["good" "C:"] 1.7e+09`, `volume_mounted_timestamp_seconds["half" "C:"] 1.7e+09`,
			`volume_ready["good" "C:"] 1`, `volume_ready["good" "D:"] 0`, `volume_ready["half" "C:"] 1`, `volume_ready["half" "D:"] 0`, `volume_ready["odd" ""] 0`,
		}
		slices.Sort(want)
		if got := text(x); !slices.Equal(got, want) {
			t.Errorf("got\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
		}
		servers.Store(&[]string{"good"})
		time.Sleep(time.Minute)
		if got := text(x); len(got) != 3+2+2+1+2 {
			t.Errorf("servers that left the pool are still told: %s", strings.Join(got, "\n "))
		}
		cancel()
		<-done
	})
}

// A label is one line, printable and short.
func TestLabelText(t *testing.T) {
	got := labelText(cim.Str("a\nb\x1b[31m" + strings.Repeat("ä", 300)))
	if !strings.HasPrefix(got, "a b [31mää") || len(got) > maxLabel || len(got) < maxLabel-1 {
		t.Errorf("%d octets: %q", len(got), got)
	}
}

// A server that floods is cut off, and takes a bounded part of the scrape.
func TestFlood(t *testing.T) {
	x := New(read(t, volumes), func() []string { return []string{"flood"} }, farm{}, slog.New(slog.DiscardHandler))
	x.round(t.Context())
	n := 0
	for s := range x.Samples {
		n++
		if s.Family == familyCut && s.Value != 1 {
			t.Error("nobody is told")
		}
	}
	if n > maxSamples+int(ownFamilies) {
		t.Errorf("%d samples", n)
	}
}

// Queries of a real service become what a real scrape reads.
func TestScrapeOfAService(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the classes are those of Linux")
	}
	s := casementtest.New(t, casementtest.Options{})
	c, err := casement.Dial(t.Context(), s.HTTP, casement.Options{User: s.User, Password: s.Password, HostsFile: "-"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	file := read(t, `{"queries": [
		{"wql": "SELECT NumberOfProcesses, LastBootUpTime, Caption FROM Win32_OperatingSystem", "labels": {"system": "Caption"}, "metrics": [
			{"name": "os_processes", "help": "Processes.", "value": "NumberOfProcesses"}, {"name": "os_boot_timestamp_seconds", "help": "Boot.", "value": "LastBootUpTime"}]},
		{"wql": "SELECT State FROM Win32_Service", "labels": {"state": "State"}, "metrics": [{"name": "os_services", "help": "Services."}]}]}`)
	x := New(file, func() []string { return []string{"here"} }, connection{c}, slog.New(slog.DiscardHandler))
	x.round(t.Context())
	r := metrics.New("")
	if err := r.Families(x.Families(), x.Samples); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(r.Handler())
	defer web.Close()
	answer, err := http.Get(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	for _, line := range []string{`os_processes{server="here",system="`, `os_boot_timestamp_seconds{server="here",system="`, `casement_server_up{server="here"} 1`, "# TYPE os_processes gauge"} {
		if !strings.Contains(string(body), "\n"+line) {
			t.Errorf("no %s in\n%s", line, body)
		}
	}
}

type connection struct{ *casement.Connection }

func (c connection) Ask(ctx context.Context, _, namespace, query string, row func(*cim.Instance) bool) error {
	e, err := c.Query(ctx, namespace, query)
	if err != nil {
		return err
	}
	return Rows(ctx, e, row)
}

func FuzzReadFile(f *testing.F) {
	f.Add(volumes)
	f.Add(`{"queries":[{"wql":"SELECT * FROM a","metrics":[{"name":"x1","help":"h","value":"b"}]}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		file, err := ReadFile(strings.NewReader(s))
		if err != nil {
			return
		}
		x := New(file, func() []string { return []string{"good"} }, farm{}, slog.New(slog.DiscardHandler))
		if err := metrics.New("").Families(x.Families(), x.Samples); err != nil {
			t.Fatal(err)
		}
	})
}

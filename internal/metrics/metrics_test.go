package metrics

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape asks as Prometheus does, over a socket, and reads the answer.
func scrape(t *testing.T, r *Registry) map[string]*dto.MetricFamily {
	t.Helper()
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx, l, slog.New(slog.DiscardHandler)) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	answer, err := http.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v\n%s", answer.Status, err, text)
	}
	problems, err := promlint.New(strings.NewReader(string(text))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	found, err := parser.TextToMetricFamilies(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// line is a metric as a person reads it: name{label="value"} value.
func lines(f *dto.MetricFamily) []string {
	var out []string
	for _, m := range f.GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
		}
		value := m.GetGauge().GetValue() + m.GetCounter().GetValue()
		if h := m.GetHistogram(); h != nil {
			value = float64(h.GetSampleCount())
		}
		out = append(out, fmt.Sprintf("%s{%s} %v", f.GetName(), strings.Join(labels, ","), value))
	}
	slices.Sort(out)
	return out
}

func want(t *testing.T, all map[string]*dto.MetricFamily, name string, want ...string) {
	t.Helper()
	if got := lines(all[name]); !slices.Equal(got, want) {
		t.Errorf("got\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
}

func TestScrape(t *testing.T) {
	r := New("1.2.3")
	s := r.Service()
	s.Connection(true)
	s.Connection(true)
	s.Connection(false)
	s.SignIn("winrm", true)
	s.SignIn("dcom", false)
	s.Request("Enumerate", 0, 20*time.Millisecond)
	s.Request("Enumerate", 0x80338029, time.Second)
	s.Request("Get", 0x80338029, time.Second)
	r.Uses(func() InUse { return InUse{Connections: 4, Operations: 3, Shells: 2, ShellUsers: 1} })
	if err := r.Families([]Family{{Name: "disk_free_bytes", Help: "Free.", Labels: []string{"server", "volume"}}, {Name: "writes_total", Help: "Writes.", Counter: true, Labels: []string{"server"}}},
		func(yield func(Sample) bool) {
			_ = yield(Sample{0, []string{"a", "C:\"\n"}, 1.5}) && yield(Sample{0, []string{"b", "C:"}, 2}) && yield(Sample{1, []string{"a"}, 3})
		}); err != nil {
		t.Fatal(err)
	}
	all := scrape(t, r)
	want(t, all, "casement_winrm_connections_total", `casement_winrm_connections_total{result="admitted"} 2`, `casement_winrm_connections_total{result="refused"} 1`)
	want(t, all, "casement_sign_ins_total", `casement_sign_ins_total{result="failure",transport="dcom"} 1`, `casement_sign_ins_total{result="failure",transport="winrm"} 0`,
		`casement_sign_ins_total{result="success",transport="dcom"} 0`, `casement_sign_ins_total{result="success",transport="winrm"} 1`)
	want(t, all, "casement_winrm_requests_total", `casement_winrm_requests_total{operation="Enumerate"} 2`, `casement_winrm_requests_total{operation="Get"} 1`)
	want(t, all, "casement_winrm_request_duration_seconds", `casement_winrm_request_duration_seconds{operation="Enumerate"} 2`, `casement_winrm_request_duration_seconds{operation="Get"} 1`)
	want(t, all, "casement_winrm_faults_total", `casement_winrm_faults_total{code="0x80338029"} 2`, `casement_winrm_faults_total{code="other"} 0`)
	want(t, all, "casement_winrm_connections", `casement_winrm_connections{} 4`)
	want(t, all, "casement_winrm_operations", `casement_winrm_operations{} 3`)
	want(t, all, "casement_winrm_shells", `casement_winrm_shells{} 2`)
	want(t, all, "disk_free_bytes", `disk_free_bytes{server="a",volume="C:\"\n"} 1.5`, `disk_free_bytes{server="b",volume="C:"} 2`)
	want(t, all, "writes_total", `writes_total{server="a"} 3`)
	for _, name := range []string{"go_goroutines", "process_open_fds", "casement_build_info"} {
		if all[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

// What callers can choose does not make lines without end, and counting takes no
// memory.
func TestServiceBounds(t *testing.T) {
	r := New("")
	s := r.Service()
	for code := range uint32(1000) {
		s.Request("Get", 0x80040000+code, 0)
	}
	all := scrape(t, r)
	codes := all["casement_winrm_faults_total"].GetMetric()
	total := 0.0
	for _, m := range codes {
		total += m.GetCounter().GetValue()
	}
	if len(codes) != mostCodes+1 || total != 1000 {
		t.Errorf("%d codes with %v faults", len(codes), total)
	}
	var o interface {
		Request(string, uint32, time.Duration)
		Connection(bool)
		SignIn(string, bool)
	} = s
	if n := testing.AllocsPerRun(100, func() {
		o.Request("Get", 0, time.Millisecond)
		o.Connection(true)
		o.SignIn("winrm", true)
	}); n > 0 {
		t.Errorf("counting a request takes %v allocations", n)
	}
}

// Metrics are for this machine: no other address, and no other name for it, which a
// page in a browser could have.
func TestListenLoopbackOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "10.0.0.1:0", "example.com:0", "[::]:0", "127.0.0.1", "", "[::ffff:10.0.0.1]:0"} {
		if l, err := Listen(t.Context(), address); err == nil {
			l.Close()
			t.Errorf("%q is listened on", address)
		}
	}
	r := New("")
	l, err := Listen(t.Context(), "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx, l, slog.New(slog.DiscardHandler)) }()
	for host, code := range map[string]int{"localhost": 200, l.Addr().String(): 200, "[::1]:9985": 200, "rebound.example": 403, "127.0.0.1.example:9985": 403} {
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.Addr().String()+"/metrics", nil)
		request.Host = host
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != code {
			t.Errorf("under the name %s: %s", host, answer.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func BenchmarkRequest(b *testing.B) {
	s := New("").Service()
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			s.Request("Enumerate", 0, time.Millisecond)
		}
	})
}

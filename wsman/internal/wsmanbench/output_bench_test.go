//go:build unix

package wsmanbench

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// masterzen builds the peer, unpatched, from its own module.
func masterzen(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "masterzen")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = filepath.Join("..", "..", "..", "test", "interop", "masterzen")
	if out, err := build.CombinedOutput(); err != nil {
		b.Skip("masterzen/winrm does not build here: " + strings.TrimSpace(string(out)))
	}
	return binary
}

type work struct {
	size, chunk, commands int
	sealed                bool
}

// measure lets a client process do some work.
func measure(b *testing.B, binary string, s server, w work) (r run) {
	b.Helper()
	sealed := "0"
	if w.sealed {
		sealed = "1"
	}
	for try := 0; ; try++ {
		cmd := exec.Command(binary, "bench") // #nosec G204 -- built above
		cmd.Env = append(os.Environ(), role+"=client", "CASEMENT_BENCH_URL="+s.URL, "CASEMENT_BENCH_USER="+s.User,
			"CASEMENT_BENCH_PASSWORD="+s.Password, "CASEMENT_BENCH_SEALED="+sealed, "CASEMENT_BENCH_SIZE="+strconv.Itoa(w.size),
			"CASEMENT_BENCH_CHUNK="+strconv.Itoa(w.chunk), "CASEMENT_BENCH_COMMANDS="+strconv.Itoa(w.commands))
		var errOut strings.Builder
		cmd.Stderr = &errOut
		out, err := cmd.Output()
		if err == nil {
			check(b, json.Unmarshal(out, &r))
			return r
		}
		// masterzen/winrm now and then sends a sealed message over another
		// connection than the one that it has proved.
		if !strings.HasSuffix(binary, "masterzen") || try == 5 {
			b.Fatalf("%s: %v: %s", filepath.Base(binary), err, errOut.String())
		}
	}
}

// sample is what came of many rounds: medians, and the highest peak.
type sample struct {
	wall, cpu, mallocs, peak float64
}

// compare lets both clients do the same work in turns, from the same server.
// faster and cheaper are the medians of the ratios within each round.
func compare(b *testing.B, peer string, w work) (ours, theirs sample, faster, cheaper float64) {
	b.Helper()
	exe, err := os.Executable()
	check(b, err)
	s := start(b, role+"=winrs")
	var a, z []run
	var walls, cpus []float64
	for b.Loop() {
		mine, other := measure(b, exe, s.server, w), measure(b, peer, s.server, w)
		a, z = append(a, mine), append(z, other)
		walls = append(walls, float64(other.Wall)/float64(mine.Wall))
		cpus = append(cpus, float64(other.CPU)/float64(mine.CPU))
	}
	return summary(a), summary(z), median(walls), median(cpus)
}

func summary(list []run) (s sample) {
	var wall, cpu, mallocs []float64
	for _, r := range list {
		wall, cpu, mallocs = append(wall, r.Wall.Seconds()), append(cpu, r.CPU.Seconds()), append(mallocs, float64(r.Mallocs))
		s.peak = max(s.peak, float64(r.MaxRSS))
	}
	s.wall, s.cpu, s.mallocs = median(wall), median(cpu), median(mallocs)
	return s
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// BenchmarkOutput fetches 50 MB of command output from a canned server, beside
// masterzen/winrm in a process of its own. The goals are 3 times its rate
// unsealed and 1.5 times sealed, in constant memory.
func BenchmarkOutput(b *testing.B) {
	peer := masterzen(b)
	for _, v := range []struct {
		name string
		work work
	}{
		{"plain-32k", work{50e6, 32 << 10, 1, false}},
		{"sealed-32k", work{50e6, 32 << 10, 1, true}},
		{"plain-256k", work{50e6, 256 << 10, 1, false}},
		{"sealed-256k", work{50e6, 256 << 10, 1, true}},
	} {
		b.Run(v.name, func(b *testing.B) {
			w := v.work
			if quick() {
				w.size = 1e6
			}
			ours, theirs, faster, cheaper := compare(b, peer, w)
			mb := float64(w.size) / 1e6
			b.ReportMetric(mb/ours.wall, "MB/s")
			b.ReportMetric(mb/theirs.wall, "peer-MB/s")
			b.ReportMetric(faster, "x-peer")
			b.ReportMetric(ours.cpu*1e3/mb, "cpu-ms/MB")
			b.ReportMetric(theirs.cpu*1e3/mb, "peer-cpu-ms/MB")
			b.ReportMetric(cheaper, "x-peer-cpu")
			b.ReportMetric(ours.mallocs/mb, "client-allocs/MB")
			b.ReportMetric(theirs.mallocs/mb, "peer-allocs/MB")
			b.ReportMetric(ours.peak/1e6, "peak-MB")
			b.ReportMetric(theirs.peak/1e6, "peer-peak-MB")
		})
	}
}

// BenchmarkSmallCommand makes a shell, runs a command of 16 bytes of output,
// and deletes the shell, beside masterzen/winrm. The goal is a third of its time.
func BenchmarkSmallCommand(b *testing.B) {
	peer := masterzen(b)
	for _, v := range []struct {
		name   string
		sealed bool
	}{{"plain", false}, {"sealed", true}} {
		b.Run(v.name, func(b *testing.B) {
			w := work{16, 16, 300, v.sealed}
			if quick() {
				w.commands = 10
			}
			ours, theirs, faster, cheaper := compare(b, peer, w)
			n := float64(w.commands)
			b.ReportMetric(ours.wall*1e6/n, "µs/cmd")
			b.ReportMetric(theirs.wall*1e6/n, "peer-µs/cmd")
			b.ReportMetric(faster, "x-peer")
			b.ReportMetric(ours.cpu*1e6/n, "cpu-µs/cmd")
			b.ReportMetric(theirs.cpu*1e6/n, "peer-cpu-µs/cmd")
			b.ReportMetric(cheaper, "x-peer-cpu")
			b.ReportMetric(ours.mallocs/n, "client-allocs/cmd")
			b.ReportMetric(theirs.mallocs/n, "peer-allocs/cmd")
		})
	}
}

// TestConstantMemory fetches 4 and 30 MB: the peak of the process may not grow
// with the output.
func TestConstantMemory(t *testing.T) {
	exe, err := os.Executable()
	check(t, err)
	s := start(t, role+"=winrs")
	peak := func(size int) int64 {
		cmd := exec.Command(exe) // #nosec G204 -- this very program
		cmd.Env = append(os.Environ(), role+"=client", "CASEMENT_BENCH_URL="+s.URL, "CASEMENT_BENCH_USER="+s.User,
			"CASEMENT_BENCH_PASSWORD="+s.Password, "CASEMENT_BENCH_SEALED=1", "CASEMENT_BENCH_COMMANDS=1",
			"CASEMENT_BENCH_SIZE="+strconv.Itoa(size), "CASEMENT_BENCH_CHUNK="+strconv.Itoa(256<<10))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		check(t, err)
		var r run
		check(t, json.Unmarshal(out, &r))
		return r.MaxRSS
	}
	small, large := peak(4e6), peak(30e6)
	t.Logf("peak: %d bytes for 4 MB of output, %d for 30 MB", small, large)
	if large > small+12<<20 {
		t.Errorf("the peak grew from %d to %d bytes", small, large)
	}
}

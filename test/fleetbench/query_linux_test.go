package fleetbench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/fleetsim"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

func init() {
	for name, o := range map[string]casement.Options{
		"untyped": {Untyped: true}, "typed": {}, "shared": {Classes: &wsmanclient.Classes{}},
	} {
		clients[name] = func(t target) (client, error) {
			c, err := dial(t, o)
			return &querying{c, t.Hosts}, err
		}
	}
}

// querying asks for the name of the system, which is that of the host.
type querying struct {
	ours
	hosts []fleetsim.Host
}

func (c *querying) ask(ctx context.Context, n int) error {
	rows, err := c.ours[n].Query(ctx, `root\cimv2`, "SELECT CSName FROM Win32_OperatingSystem")
	if err != nil {
		return err
	}
	all, err := cim.Collect(ctx, rows)
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return fmt.Errorf("%d rows", len(all))
	}
	if name, _ := all[0].Get("CSName").Str(); name != c.hosts[n].Name {
		return fmt.Errorf("the row of %s says %s", c.hosts[n].Name, name)
	}
	return nil
}

// BenchmarkBesidePywinrm asks hosts a small query by a client that is new, and
// then over the kept connections, sealed by NTLM: ours, with values as text as
// pywinrm has them, and pywinrm with a pool of 32 threads, in turns. The goal is
// ten times as many for each second of processor time.
func BenchmarkBesidePywinrm(b *testing.B) {
	peer := pywinrm(b)
	hosts := size(b, 20, 200)
	fleet := spawn(b, fleetsim.Options{Hosts: hosts})
	var cold, warm [2]best
	for b.Loop() {
		kids := [2]*child{start(b, "untyped", targetOf(fleet)), startCommand(b, peer(), targetOf(fleet))}
		for i, c := range kids {
			cold[i].take(c.poll())
			for range 3 {
				warm[i].take(c.poll())
			}
		}
	}
	for i, name := range [2]string{"", "pywinrm-"} {
		cold[i].report(b, hosts, name+"cold")
		warm[i].report(b, hosts, name+"warm")
	}
	b.ReportMetric(cold[1].cpu.Seconds()/cold[0].cpu.Seconds(), "x-pywinrm-cold-cpu")
	b.ReportMetric(warm[1].cpu.Seconds()/warm[0].cpu.Seconds(), "x-pywinrm-warm-cpu")
	b.ReportMetric(cold[1].took.Seconds()/cold[0].took.Seconds(), "x-pywinrm-cold")
	b.ReportMetric(warm[1].took.Seconds()/warm[0].took.Seconds(), "x-pywinrm-warm")
}

// BenchmarkClasses asks hosts a small query whose values have types: each client
// with definitions of its own, and with definitions that all share.
func BenchmarkClasses(b *testing.B) {
	for _, name := range []string{"typed", "shared", "untyped"} {
		b.Run(name, func(b *testing.B) {
			hosts := size(b, 20, 1000)
			fleet := spawn(b, fleetsim.Options{Hosts: hosts})
			var cold, warm best
			heap := 0.0
			for b.Loop() {
				c := start(b, name, targetOf(fleet))
				before := c.usage()
				cold.take(c.poll())
				heap = (float64(c.usage().Heap) - float64(before.Heap)) / float64(hosts)
				warm.take(c.poll())
			}
			cold.report(b, hosts, "cold")
			warm.report(b, hosts, "warm")
			b.ReportMetric(heap/1e3, "heap-kB/host")
		})
	}
}

// best is the least that a round took and cost.
type best struct{ took, cpu time.Duration }

func (m *best) take(r round) {
	if m.took == 0 || r.Took < m.took {
		m.took = r.Took
	}
	if m.cpu == 0 || r.CPU < m.cpu {
		m.cpu = r.CPU
	}
}

// report tells hosts by the clock and the processor time for each.
func (m *best) report(b *testing.B, hosts int, name string) {
	b.ReportMetric(float64(hosts)/m.took.Seconds(), name+"/s")
	b.ReportMetric(float64(m.cpu.Nanoseconds())/float64(hosts)/1e3, name+"-cpu-µs/host")
}

// pywinrm makes the command of pywinrm_peer.py. Without pywinrm the benchmark is
// skipped, and in CI it fails.
func pywinrm(b *testing.B) func() *exec.Cmd {
	b.Helper()
	python, err := filepath.Abs(filepath.Join("..", "..", ".venv", "bin", "python"))
	check(b, err)
	if out, err := exec.CommandContext(b.Context(), python, "-c", "import winrm").CombinedOutput(); err != nil { // #nosec G204 -- the peers' interpreter
		text := "pywinrm is not in .venv; `make test` makes it from test/requirements.txt: " + strings.TrimSpace(string(out))
		if os.Getenv("CI") != "" {
			b.Fatal(text)
		}
		b.Skip(text)
	}
	return func() *exec.Cmd {
		return exec.CommandContext(context.WithoutCancel(b.Context()), python, "pywinrm_peer.py") // #nosec G204 -- the peers' interpreter
	}
}

//go:build unix

package casement_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

const (
	manyInstances  = 10_000
	manyProperties = 20
)

// wide is a static class of many instances: a key, texts and numbers.
func wide(tb testing.TB) cim.Opener {
	tb.Helper()
	build := cim.NewClass("Bench_Wide", nil).Dynamic().Key("ID", cim.Uint32)
	for n := 1; n < manyProperties; n++ {
		build.Property("P"+strconv.Itoa(n), []cim.Type{cim.String, cim.Uint32, cim.Uint64, cim.Boolean}[n%4])
	}
	class := build.Build(`root\cimv2`)
	p := static.New(class)
	for id := range uint32(manyInstances) {
		values := []cim.Value{cim.U32(id)}
		for n := uint32(1); n < manyProperties; n++ {
			values = append(values, []cim.Value{cim.Str(fmt.Sprint("text ", id, " of ", n)), cim.U32(id * n), cim.U64(uint64(id) << 20), cim.Bool(id&n == 0)}[n%4])
		}
		if err := p.Add(cim.MakeInstance(class, values)); err != nil {
			tb.Fatal(err)
		}
	}
	m := cimom.New(cimom.Options{Server: "HOST"})
	tb.Cleanup(func() { m.Close() })
	if err := m.Register(p); err != nil {
		tb.Fatal(err)
	}
	return m
}

// BenchmarkTransports reads 10,000 instances of 20 properties from a whole service by each transport, sealed and not, and by impacket's client.
// Client and service are one process, but for impacket, which tells its own time; it reads fewer.
func BenchmarkTransports(b *testing.B) {
	s := casementtest.New(b, casementtest.Options{
		Opener: wide(b), Settings: map[string]string{"Service/AllowUnencrypted": "true", "Service/Auth/Basic": "true"},
	})
	account := casement.Options{User: s.User, Password: s.Password}
	set := settings.Client{AllowUnencrypted: true, NetworkDelayms: 5000, URLPrefix: "wsman", Auth: settings.Auth{Basic: true}}
	inTheClear := account
	inTheClear.Scheme, inTheClear.Unencrypted, inTheClear.Settings = wsmanclient.Basic, true, func() *settings.Client { return &set }
	at := func(level wmi.AuthenticationLevel) casement.Options {
		o := account
		o.DCOM.AuthenticationLevel = level
		return o
	}
	for _, way := range []struct {
		name, target string
		o            casement.Options
	}{
		{"dcom-sealed", "dcom://" + s.DCOM, at(wmi.AuthenticationPktPrivacy)},
		{"dcom-signed", "dcom://" + s.DCOM, at(wmi.AuthenticationPktIntegrity)},
		{"dcom-packet", "dcom://" + s.DCOM, at(wmi.AuthenticationPkt)},
		{"winrm-sealed", s.HTTP, account},
		{"winrm-clear", s.HTTP, inTheClear},
	} {
		b.Run(way.name, func(b *testing.B) {
			session, err := dial(b, way.target, way.o).Session(b.Context(), "")
			if err != nil {
				b.Fatal(err)
			}
			defer session.Close()
			read := func() {
				e, err := session.Query(b.Context(), "SELECT * FROM Bench_Wide", cim.QueryOptions{Batch: 200})
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				got := 0
				for !errors.Is(err, io.EOF) {
					var list []*cim.Instance
					if list, err = e.Next(b.Context(), 0); err != nil && !errors.Is(err, io.EOF) {
						b.Fatal(err)
					}
					got += len(list)
				}
				if got != manyInstances {
					b.Fatalf("%d instances", got)
				}
			}
			read()
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				read()
			}
			report(b, b.N*manyInstances, b.Elapsed(), processorTime(b)-before)
		})
	}
	for _, level := range []string{"privacy", "integrity"} {
		b.Run("impacket-"+level, func(b *testing.B) { impacketRate(b, s, level) })
	}
}

func report(b *testing.B, instances int, wall, cpu time.Duration) {
	b.ReportMetric(float64(instances)/wall.Seconds(), "instances/s")
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(instances)/1e3, "cpu-µs/instance")
}

// processorTime is that of this process.
func processorTime(tb testing.TB) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// impacketRate reads the first 300 of the same instances with impacket, 100 for each Next.
func impacketRate(b *testing.B, s *casementtest.Server, level string) {
	absent := b.Skip
	if os.Getenv("CASEMENT_CI") == "1" {
		absent = b.Fatal
	}
	python := filepath.Join(".venv", "bin", "python")
	if exec.Command(python, "-c", "import impacket").Run() != nil {
		absent("impacket is not in .venv; `make test` makes it from test/requirements.txt")
	}
	host, port, _ := strings.Cut(s.DCOM, ":")
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	instances, wall, cpu := 0, 0.0, 0.0
	for b.Loop() {
		cmd := exec.CommandContext(ctx, python, "testdata/impacket_rate.py", host+"["+port+"]", s.User, level, "SELECT * FROM Bench_Wide WHERE ID < 300")
		cmd.Env = append(os.Environ(), "CASEMENT_PASSWORD="+s.Password, "PYTHONWARNINGS=ignore", "PYTHONDONTWRITEBYTECODE=1")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		var told struct {
			Instances, Properties int
			Wall, CPU             float64
		}
		if err := json.Unmarshal(out, &told); err != nil || told.Instances != 300 || told.Properties != manyProperties {
			b.Fatalf("impacket says %q, %v", out, err)
		}
		instances += told.Instances
		wall += told.Wall
		cpu += told.CPU
	}
	report(b, instances, time.Duration(wall*1e9), time.Duration(cpu*1e9))
	b.ReportMetric(0, "ns/op") // most of it is the start of Python
}

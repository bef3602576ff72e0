package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/masterzen/winrm"
)

// bench is the peer's side of a benchmark: COMMANDS commands of SIZE bytes of
// output each, every one in a shell of its own, after one that is not counted.
// It prints what they took as one JSON line.
func bench() error {
	var size, chunk, commands int
	for name, to := range map[string]*int{"SIZE": &size, "CHUNK": &chunk, "COMMANDS": &commands} {
		n, err := strconv.Atoi(os.Getenv("CASEMENT_BENCH_" + name))
		if err != nil {
			return err
		}
		*to = n
	}
	client, err := benchClient()
	if err != nil {
		return err
	}
	if err := oneCommand(client, 16, 16); err != nil {
		return err
	}
	cpu, mallocs, _ := used()
	began := time.Now()
	for range commands {
		if err := oneCommand(client, size, chunk); err != nil {
			return err
		}
	}
	wall := time.Since(began)
	cpuAfter, mallocsAfter, peak := used()
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"Wall": wall, "CPU": cpuAfter - cpu, "Mallocs": mallocsAfter - mallocs, "MaxRSS": peak})
}

func benchClient() (*winrm.Client, error) {
	u, err := url.Parse(os.Getenv("CASEMENT_BENCH_URL"))
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return nil, err
	}
	endpoint := winrm.NewEndpoint(u.Hostname(), port, false, true, nil, nil, nil, time.Minute)
	params := *winrm.DefaultParameters
	if os.Getenv("CASEMENT_BENCH_SEALED") == "1" {
		enc, err := winrm.NewEncryption("ntlm")
		if err != nil {
			return nil, err
		}
		params.TransportDecorator = func() winrm.Transporter { return enc }
	}
	return winrm.NewClientWithParameters(endpoint, os.Getenv("CASEMENT_BENCH_USER"), os.Getenv("CASEMENT_BENCH_PASSWORD"), &params)
}

// count counts output.
type count int

func (c *count) Write(p []byte) (int, error) {
	*c += count(len(p))
	return len(p), nil
}

func oneCommand(client *winrm.Client, size, chunk int) error {
	var n count
	code, err := client.RunWithContext(context.Background(), fmt.Sprintf("output %d %d", size, chunk), &n, io.Discard)
	if err == nil && (int(n) != size || code != 0) {
		err = fmt.Errorf("%d bytes and code %d instead of %d", n, code, size)
	}
	return err
}

// used is the processor time, the allocations and the peak of memory in bytes.
func used() (cpu time.Duration, mallocs uint64, peak int64) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), m.Mallocs, int64(r.Maxrss) << 10
}

//go:build unix

package wsmanbench

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// role is the environment variable that makes the test binary one of the
// processes of a benchmark instead.
const role = "CASEMENT_BENCH_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "canned":
		serveUntilEOF(cannedHTTP())
	case "service":
		serveUntilEOF(wholeService(os.Getenv("CASEMENT_BENCH_PROVIDER")))
	case "winrs":
		serveUntilEOF(cannedWinRS())
	case "client":
		runClient()
	default:
		fmt.Fprintln(os.Stderr, "unknown role")
		os.Exit(2)
	}
}

// usage is what a process has used so far.
type usage struct {
	CPU     time.Duration // user and system
	Mallocs uint64
	MaxRSS  int64 // bytes
	Live    int   // goroutines
}

func used() usage {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	rss := int64(r.Maxrss) //nolint:unconvert // 32 bits on some systems
	if runtime.GOOS != "darwin" {
		rss <<= 10
	}
	return usage{CPU: cpuTime(), Mallocs: m.Mallocs, MaxRSS: rss, Live: runtime.NumGoroutine()}
}

// cpuTime is the processor time of this process.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// server is what a server process tells first.
type server struct {
	URL, User, Password string
}

// serveUntilEOF tells where the server is, and its usage for each line that
// comes in, until the parent goes.
func serveUntilEOF(s server, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	_ = out.Encode(s)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		_ = out.Encode(used())
	}
	if closeService != nil {
		closeService()
	}
	os.Exit(0)
}

var closeService func()

// child is a server process.
type child struct {
	server
	tb  testing.TB
	in  io.WriteCloser
	out *json.Decoder
}

// start runs this test binary as a server until the benchmark ends.
func start(tb testing.TB, env ...string) *child {
	tb.Helper()
	exe, err := os.Executable()
	check(tb, err)
	cmd := exec.Command(exe) // #nosec G204 -- this very program
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	c := &child{tb: tb}
	c.in, err = cmd.StdinPipe()
	check(tb, err)
	out, err := cmd.StdoutPipe()
	check(tb, err)
	check(tb, cmd.Start())
	tb.Cleanup(func() {
		_ = c.in.Close()
		_ = cmd.Wait()
	})
	c.out = json.NewDecoder(out)
	check(tb, c.out.Decode(&c.server))
	return c
}

func (c *child) usage() (u usage) {
	c.tb.Helper()
	_, err := io.WriteString(c.in, "\n")
	check(c.tb, err)
	check(c.tb, c.out.Decode(&u))
	return u
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// quick says that the benchmarks run only to show that they do.
func quick() bool {
	f := flag.Lookup("test.benchtime")
	return f != nil && f.Value.String() == "1x"
}

func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

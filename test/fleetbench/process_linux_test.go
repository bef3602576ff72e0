package fleetbench

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/internal/fleetsim"
)

// role is the environment variable that makes the test binary a client instead.
const role = "CASEMENT_FLEETBENCH_CLIENT"

func TestMain(m *testing.M) {
	fleetsim.Main()
	if name := os.Getenv(role); name != "" {
		if err := serveJobs(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// target is the fleet that a client asks.
type target struct {
	Hosts                      []fleetsim.Host
	User, Password, Thumbprint string
}

func targetOf(p *fleetsim.Process) target {
	return target{p.Hosts, p.User, p.Password, p.Thumbprint}
}

// client asks one host at a time; each host has one goroutine at a time.
type client interface {
	// ask asks host n and keeps the connection.
	ask(ctx context.Context, n int) error
	close()
}

// clients are the clients by name.
var clients = map[string]func(target) (client, error){}

// workers is how many hosts are asked at the same time.
const workers = 64

// round is one pass over all hosts.
type round struct {
	Took   time.Duration // by the clock
	Alive  time.Duration // until all hosts that live had been asked, where that is told
	CPU    time.Duration // of the client's process
	Failed int
	Error  string         // of one that failed
	Usage  fleetsim.Usage // afterwards, where it was asked for
}

// serveJobs is the process of a client: a target comes in, then a round is made
// for each "poll" and the usage told for each "usage".
func serveJobs(name string) error {
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	var t target
	if err := in.Decode(&t); err != nil {
		return err
	}
	c, err := clients[name](t)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		var job string
		if err := in.Decode(&job); err != nil {
			return nil //nolint:nilerr // the parent has had enough
		}
		r := round{}
		if job == "usage" {
			r.Usage = fleetsim.Measure()
		} else if p, ok := c.(interface{ poll() round }); ok {
			r = p.poll()
		} else {
			r = poll(c, len(t.Hosts))
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}

// poll asks every host once.
func poll(c client, hosts int) (r round) {
	var next atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	cpu, began := fleetsim.CPU(), time.Now()
	for range min(workers, hosts) {
		wg.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= hosts {
					return
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				if err := c.ask(ctx, n); err != nil {
					mu.Lock()
					r.Failed++
					r.Error = fmt.Sprintf("host %d: %v", n, err)
					mu.Unlock()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	r.Took, r.CPU = time.Since(began), fleetsim.CPU()-cpu
	return r
}

// child is the process of a client.
type child struct {
	tb  testing.TB
	in  *json.Encoder
	out *json.Decoder
}

func start(tb testing.TB, name string, t target) *child {
	tb.Helper()
	exe, err := os.Executable()
	check(tb, err)
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), exe) // #nosec G204 -- this very program, which ends with its input
	cmd.Env = append(os.Environ(), role+"="+name)
	return startCommand(tb, cmd, t)
}

func startCommand(tb testing.TB, cmd *exec.Cmd, t target) *child {
	tb.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(tb, err)
	out, err := cmd.StdoutPipe()
	check(tb, err)
	check(tb, cmd.Start())
	tb.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	c := &child{tb, json.NewEncoder(in), json.NewDecoder(out)}
	check(tb, c.in.Encode(t))
	return c
}

func (c *child) do(job string) (r round) {
	c.tb.Helper()
	check(c.tb, c.in.Encode(job))
	check(c.tb, c.out.Decode(&r))
	if r.Failed > 0 {
		c.tb.Fatalf("%d hosts failed, one of them: %s", r.Failed, r.Error)
	}
	return r
}

func (c *child) poll() round           { c.tb.Helper(); return c.do("poll") }
func (c *child) usage() fleetsim.Usage { c.tb.Helper(); return c.do("usage").Usage }

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

// size is how many hosts a benchmark has: few where it is quick, and else full,
// or what CASEMENT_FLEET says.
func size(tb testing.TB, few, full int) int {
	tb.Helper()
	if text := os.Getenv("CASEMENT_FLEET"); text != "" {
		n, err := strconv.Atoi(text)
		check(tb, err)
		return n
	}
	if quick() {
		return few
	}
	return full
}

func spawn(tb testing.TB, o fleetsim.Options) *fleetsim.Process {
	tb.Helper()
	p, err := fleetsim.Spawn(context.WithoutCancel(tb.Context()), o) // Close ends it, in good order
	check(tb, err)
	tb.Cleanup(func() { _ = p.Close() })
	return p
}

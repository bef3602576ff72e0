package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fleet is simulated hosts in a process of their own, which ends with the test. See
// internal/fleetsim.
type fleet struct {
	t              *testing.T
	Hosts          []struct{ Name, URL, Kind string } // HOST00001, http://127.96.0.1:40001/wsman, healthy
	User, Password string                             // the same everywhere

	in  io.WriteCloser
	out *json.Decoder
}

// simulate starts hosts: each has 60 services, of which Spooler, Fax, which needs it, and
// W32Time run, two disks and some events. More are options of internal/fleetsim, as in
// "Dead":0.01.
func simulate(t *testing.T, hosts int, more ...string) *fleet {
	t.Helper()
	path := filepath.Join(filepath.Dir(binary(t)), "simulator")
	if _, err := os.Stat(path); err != nil {
		cmd := exec.Command("go", "build", "-trimpath", "-o", path, "./internal/fleetsim/simulator")
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	f := &fleet{t: t}
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), fmt.Sprintf(`CASEMENT_FLEETSIM={%s}`, strings.Join(append(more, fmt.Sprintf(`"Hosts":%d`, hosts)), ",")))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	f.in, f.out = in, json.NewDecoder(out)
	if err := f.out.Decode(f); err != nil {
		t.Fatalf("the simulated hosts do not start: %v", err)
	}
	return f
}

// join writes the hosts into the pool of a machine, with a credential for all of it. The
// tags are those of each.
func (f *fleet) join(m *machine, tags ...string) {
	f.t.Helper()
	type server struct {
		Name     string   `json:"name"`
		Address  string   `json:"address"`
		Endpoint string   `json:"endpoint"`
		Tags     []string `json:"tags,omitempty"`
	}
	var list []server
	for _, h := range f.Hosts {
		u, err := url.Parse(h.URL)
		if err != nil {
			f.t.Fatal(err)
		}
		list = append(list, server{h.Name, u.Hostname(), h.URL, tags})
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(list); err != nil {
		f.t.Fatal(err)
	}
	file := filepath.Join(m.dir, "fleet.json")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		f.t.Fatal(err)
	}
	m.must(f.Password+"\n", "pool", "credential", "add", "fleet", "--user", f.User, "--for", "all", "--password-stdin", m.state())
	m.must("", "pool", "import", file, m.state())
}

// kill ends a host at once, revive starts it again, hold lets it take what its services
// are told and never answer, log writes an error into its log.
func (f *fleet) kill(name string)   { f.t.Helper(); f.tell("kill", name) }
func (f *fleet) revive(name string) { f.t.Helper(); f.tell("revive", name) }
func (f *fleet) hold(name string)   { f.t.Helper(); f.tell("hold", name) }

func (f *fleet) log(name string) { f.t.Helper(); f.tell("log", name) }

func (f *fleet) tell(verb, name string) {
	f.t.Helper()
	if _, err := fmt.Fprintln(f.in, verb, name); err != nil {
		f.t.Fatal(err)
	}
	var problem string
	if err := f.out.Decode(&problem); err != nil || problem != "" {
		f.t.Fatalf("%s %s: %v %s", verb, name, err, problem)
	}
}

// stops is how often a service of a host was told to stop.
func (f *fleet) stops(host, service string) (n int) {
	f.t.Helper()
	if _, err := fmt.Fprintln(f.in, "stops", host, service); err != nil {
		f.t.Fatal(err)
	}
	if err := f.out.Decode(&n); err != nil {
		f.t.Fatal(err)
	}
	return n
}

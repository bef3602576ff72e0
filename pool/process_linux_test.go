package pool

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool/internal/bus/bustest"
)

func init() { parts["write"], parts["serve"] = playWriter, playWorker }

// optionsFromEnvironment are those of a part's pool.
func optionsFromEnvironment() Options {
	get := func(name string) string { return os.Getenv("CASEMENT_POOL_" + name) }
	return Options{Dir: get("DIR"), NATS: get("NATS"), Cert: get("CERT"), Key: get("KEY"), CA: get("CA"), silence: 3 * time.Second}
}

// process is a part that runs; it is killed with the test.
type process struct {
	*exec.Cmd

	lines <-chan string
}

func startPart(t *testing.T, part string, environment ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(append(os.Environ(), "CASEMENT_POOL_PART="+part), environment...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100_000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	p := &process{c, lines}
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.Process.Kill() // SIGKILL; it may be gone
	_ = p.Wait()
}

// wait gives the rest of the first line that begins so.
func (p *process) wait(t *testing.T, begin string) string {
	t.Helper()
	for limit := time.After(30 * time.Second); ; {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the process ended before it said %q", begin)
			}
			if rest, found := strings.CutPrefix(line, begin); found {
				return rest
			}
		case <-limit:
			t.Fatalf("the process never said %q", begin)
		}
	}
}

const secretOfTheTest = "Tr0ub4dor&3-in-clear"

// playWriter writes without end, and says what was acknowledged.
func playWriter() error {
	ctx := context.Background()
	p, err := Open(ctx, optionsFromEnvironment())
	if err != nil {
		return err
	}
	fmt.Println("open")
	for n := 0; ; n++ {
		name := fmt.Sprintf("s%s-%d", os.Getenv("CASEMENT_POOL_ROUND"), n)
		if err := p.Add(ctx, []Server{{Name: name}}); err != nil {
			return err
		}
		fmt.Println("server", name)
		if err := p.SetCredential(ctx, Credential{Name: "c" + name, User: "u"}, []byte(secretOfTheTest)); err != nil {
			return err
		}
		fmt.Println("credential", "c"+name)
		if err := p.Update(ctx, name, func(s *Server) error { s.Credential = "c" + name; return nil }); err != nil {
			return err
		}
		fmt.Println("bound", name)
		w, err := p.Start(ctx, Action{Kind: KindRefresh}, []string{name}, "test")
		if err != nil {
			return err
		}
		fmt.Println("work", w.ID)
	}
}

// A process that writes is killed at any moment: what it was told to be kept is
// there, and no file has the password in it. The soak does it longer.
func TestKilledWriterLosesNothing(t *testing.T) {
	rounds := 4
	if os.Getenv("CASEMENT_SOAK") != "" {
		rounds = 100
	}
	dir := testFolder(t)
	kept := map[string]bool{}
	for round := range rounds {
		w := startPart(t, "write", "CASEMENT_POOL_DIR="+dir, fmt.Sprint("CASEMENT_POOL_ROUND=", round))
		w.wait(t, "open")
		time.Sleep(time.Duration(40+67*round%300) * time.Millisecond)
		w.kill()
		for line := range w.lines {
			kept[line] = true
		}
		checkKept(t, dir, kept)
	}
	if len(kept) < rounds {
		t.Errorf("only %d writes in %d rounds", len(kept), rounds)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secretOfTheTest)) {
			t.Errorf("%s has the password in it", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d writes, %d kills", len(kept), rounds)
}

func checkKept(t *testing.T, dir string, kept map[string]bool) {
	t.Helper()
	p, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close() //nolint:errcheck // it is only read
	waiting, err := p.tasks.Waiting(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	works := 0
	for line := range kept {
		kind, name, _ := strings.Cut(line, " ")
		switch kind {
		case "server":
			_, err = p.Get(name)
		case "bound":
			var e Entry
			if e, err = p.Get(name); err == nil {
				if as, _, serr := p.secret(t.Context(), e.Server); serr != nil || as.Password != secretOfTheTest {
					err = fmt.Errorf("its password is lost: %w", serr)
				}
			}
		case "credential":
			_, err = p.credential(t.Context(), name)
		case "work":
			works++
			_, _, err = p.work(t.Context(), name)
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if waiting < works {
		t.Errorf("%d tasks wait of %d works", waiting, works)
	}
}

// playWorker does the pool's work until it is killed.
func playWorker() error {
	p, err := Open(context.Background(), optionsFromEnvironment())
	if err != nil {
		return err
	}
	key, err := p.Key()
	if err != nil {
		return err
	}
	fmt.Println("key", key)
	return p.Serve(context.Background(), ServeOptions{})
}

// The process that holds the folder and works is killed in mid-work. Another goes
// on: each server has one result, no command ran twice, and what had begun is unknown.
func TestKilledHolder(t *testing.T) {
	host := casementtest.New(t, casementtest.Options{})
	host.Set("Winrs/MaxShellsPerUser", "200") // those of the killed one stay for a while
	dir := testFolder(t)
	files, err := os.MkdirTemp("", "ran") // whose parents others may pass, unlike T.TempDir's
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(files)
	if err := os.Chmod(files, 0o777); err != nil { //nolint:gosec // commands may run as another user
		t.Fatal(err)
	}
	worker := startPart(t, "serve", "CASEMENT_POOL_DIR="+dir)
	worker.wait(t, "key ")
	p, err := Open(t.Context(), Options{Dir: dir, silence: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close() //nolint:errcheck // nothing is lost
	if p.Holder() {
		t.Fatal("the worker does not hold the folder")
	}
	targets := fillPool(t, p, host, 40)
	w := startTest(t, p, KindRun, RunParameters{Command: "mktemp " + files + "/ran.XXXXXX && sleep 0.5"}, targets...)
	if _, _, err := p.Wait(t.Context(), w.ID, func(w Work, _ []Result) bool { return w.Tally.Running > 3 && w.Tally.Done > 0 }); err != nil {
		t.Fatal(err)
	}
	worker.kill()
	serveTest(t, p, ServeOptions{WhileHolder: true})
	w, results := endedWork(t, p, w.ID)
	ran, err := filepath.Glob(files + "/ran.*")
	if err != nil {
		t.Fatal(err)
	}
	if w.Tally.Done+w.Tally.Unknown != len(targets) || w.Tally.Unknown == 0 {
		t.Errorf("%+v\n%+v", w.Tally, results)
	}
	if len(ran) < w.Tally.Done || len(ran) > len(targets) {
		t.Errorf("%d commands ran; %+v", len(ran), w.Tally)
	}
	t.Logf("%+v, %d commands ran", w.Tally, len(ran))
}

// fillPool adds entries that all lead to one host, and its credential.
func fillPool(t *testing.T, p *Pool, host *casementtest.Server, n int) []string {
	t.Helper()
	if err := p.SetCredential(t.Context(), Credential{Name: "all", User: host.User, For: []string{ForAll}}, []byte(host.Password)); err != nil {
		t.Fatal(err)
	}
	list := make([]Server, n)
	targets := make([]string, n)
	for i := range list {
		targets[i] = fmt.Sprintf("host%02d", i)
		list[i] = Server{Name: targets[i], Address: "127.0.0.1", Endpoint: host.HTTP, Transport: WinRM}
	}
	if err := p.Add(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	return targets
}

// Two workers on a cluster, one of which is killed in mid-refresh: every server
// has one result and its state, and the workers open the credential because they
// were admitted.
func TestKilledWorkerOfACluster(t *testing.T) {
	cluster := bustest.Start(t)
	host := casementtest.New(t, casementtest.Options{})
	open := func(cert, key string) (*Pool, error) {
		return Open(t.Context(), Options{Dir: testFolder(t), NATS: cluster.URL, Cert: cert, Key: key, CA: cluster.CA, silence: 3 * time.Second})
	}
	if p, err := open(cluster.StrangerCert, cluster.StrangerKey); err == nil {
		p.Close() //nolint:errcheck // it should not be
		t.Error("a stranger was let in")
	}
	admin, err := open(cluster.Cert, cluster.Key)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close() //nolint:errcheck // nothing is lost
	targets := fillPool(t, admin, host, 24)
	var workers []*process
	for range 2 {
		w := startPart(t, "serve", "CASEMENT_POOL_DIR="+testFolder(t), "CASEMENT_POOL_NATS="+cluster.URL, "CASEMENT_POOL_CERT="+cluster.Cert, "CASEMENT_POOL_KEY="+cluster.Key, "CASEMENT_POOL_CA="+cluster.CA)
		if err := admin.AdmitWorker(t.Context(), w.wait(t, "key "), "", "test"); err != nil {
			t.Fatal(err)
		}
		workers = append(workers, w)
	}
	mine := func(r Result) bool { return strings.HasSuffix(r.Worker, fmt.Sprint("/", workers[0].Process.Pid)) }
	w := startTest(t, admin, KindRefresh, RefreshParameters{}, targets...)
	_, results, err := admin.Wait(t.Context(), w.ID, func(_ Work, results []Result) bool {
		for _, r := range results {
			if r.State == Running && mine(r) {
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	workers[0].kill()
	running := 0
	for _, r := range results {
		if r.State == Running && mine(r) {
			running++
		}
	}
	if running == 0 {
		t.Fatal("nothing ran when the worker was killed; the test proves nothing")
	}
	w, results = endedWork(t, admin, w.ID)
	if w.Tally.Done != len(targets) {
		t.Errorf("%+v\n%+v", w.Tally, results)
	}
	for _, name := range targets {
		if e, err := admin.Get(name); err != nil || e.Snapshot == nil || e.Snapshot.State.Level() == LevelBlocked {
			t.Errorf("%s: %+v, %v", name, e.Snapshot, err)
		}
		if _, err := admin.results.Get(t.Context(), w.ID+"."+keyOf(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%d of %d were running at the killed worker", running, len(targets))
	if _, err := Open(t.Context(), Options{Dir: testFolder(t), NATS: cluster.URL}); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Errorf("a cluster without TLS: %v", err)
	}
}

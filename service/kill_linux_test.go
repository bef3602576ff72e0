package service

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// killTime is how long services are killed: seconds in a test, a minute in
// `make soak`.
func killTime() time.Duration {
	if os.Getenv("CASEMENT_SOAK") != "" {
		return time.Minute
	}
	return 6 * time.Second
}

// TestKilledService kills a service at random moments while its settings,
// accounts and certificates change, the first time while it makes its folder:
// the next one always starts, with whole settings.
func TestKilledService(t *testing.T) {
	if dir := os.Getenv("CASEMENT_TEST_KILLED"); dir != "" {
		changeForever(t, dir)
		return
	}
	if testing.Short() {
		t.Skip("-short: kills services for seconds")
	}
	base, err := os.MkdirTemp("", "casement-") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	changed := 0
	start := time.Now()
	for round := 0; time.Since(start) < killTime() || changed < 3 && time.Since(start) < killTime()+30*time.Second; round++ { // a busy machine starts slowly
		dir := filepath.Join(base, fmt.Sprint(round/8)) // now and then a new folder
		out := runAndKill(t, dir)
		if out != "" {
			t.Fatalf("round %d: the service said %s", round, out)
		}
		changed = max(changed, checkState(t, round, dir))
	}
	if changed < 3 {
		t.Fatalf("no service lived long enough to change anything (%d)", changed)
	}
}

func runAndKill(t *testing.T, dir string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestKilledService$", "-test.timeout=20s")
	cmd.Env = append(os.Environ(), "CASEMENT_TEST_KILLED="+dir)
	var said strings.Builder
	cmd.Stderr = &said
	alive, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(alive, make([]byte, 1)) // it begins
	time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
	_ = cmd.Process.Kill()
	rest, _ := io.ReadAll(alive)
	_ = cmd.Wait()
	return said.String() + string(rest)
}

// checkState opens what a killed service left, as the next service does.
func checkState(t *testing.T, round int, dir string) int {
	t.Helper()
	s, err := OpenState(dir, StateOptions{Create: true, Service: true})
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	defer s.Close()
	live := s.Snapshot()
	if len(live.Problems) > 0 {
		t.Fatalf("round %d: %v", round, live.Problems)
	}
	one, _ := s.Hive.Get(settings.KeyCasement, "one")
	two, _ := s.Hive.Get(settings.KeyCasement+`\Deep`, "two")
	n, _ := one.Uint()
	if m, _ := two.Uint(); n != m {
		t.Fatalf("round %d: half an update: %d and %d", round, n, m)
	}
	if _, err := s.Accounts.Users(); err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	if _, err := s.Certificates.All(); err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	bootstrap(t, s, freePorts)
	svc, err := New(s, Options{})
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	l, err := listenUnix(filepath.Join(s.Dir, socketName))
	if err != nil {
		t.Fatalf("round %d: the socket of the killed service is in the way: %v", round, err)
	}
	l.Close()
	svc.WinRM.Close()
	if err := svc.Close(); err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	return int(n) // #nosec G115 -- small
}

// changeForever is the service that gets killed.
func changeForever(t *testing.T, dir string) {
	fmt.Print("!")
	s, err := OpenState(dir, StateOptions{Create: true, Service: true})
	if err != nil {
		fatal(err)
	}
	if _, err := s.Bootstrap(freePorts); err != nil {
		fatal(err)
	}
	svc, err := New(s, Options{})
	if err != nil {
		fatal(err)
	}
	go func() { fatal(svc.Serve(t.Context(), nil)) }()
	v, _ := s.Hive.Get(settings.KeyCasement, "one")
	n, _ := v.Uint()
	for n++; ; n++ {
		err := s.Hive.Update(func(tx *registry.Tx) error {
			return errors.Join(tx.Set(settings.KeyCasement, "one", registry.QWORD(n)), tx.Set(settings.KeyCasement+`\Deep`, "two", registry.QWORD(n)))
		})
		name := fmt.Sprintf("user%d", n%5)
		if _, e := s.Accounts.AddUser(accounts.NewUser{Name: name, Password: name}); errors.Is(e, accounts.ErrExists) {
			err = errors.Join(err, s.Accounts.DeleteUser(name))
		} else {
			err = errors.Join(err, e)
		}
		if n%10 == 0 {
			_, e := s.Certificates.SelfSigned(time.Now(), []string{"x"}, nil)
			err = errors.Join(err, e)
		}
		if err = errors.Join(err, putTimeout(t, dir, 60000+n%1000)); err != nil {
			fatal(err)
		}
	}
}

// putTimeout changes a setting as a tool beside the service does.
func putTimeout(t *testing.T, dir string, ms uint64) error {
	dial, closeAll, err := Local(t.Context(), dir, nil)
	if err != nil {
		return err
	}
	client, err := wsmanclient.New("http://localhost/wsman", wsmanclient.Options{Local: true, DialContext: overPipe(dial)})
	if err != nil {
		return err
	}
	put := fmt.Sprintf(`<cfg:Config xmlns:cfg="http://schemas.microsoft.com/wbem/wsman/1/config"><cfg:MaxTimeoutms>%d</cfg:MaxTimeoutms></cfg:Config>`, ms)
	_, err = client.Put(t.Context(), wsman.EPR{ResourceURI: configURI}, []byte(put), nil)
	return errors.Join(err, client.Close(), closeAll())
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

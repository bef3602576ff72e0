package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
	"golang.org/x/sys/unix"
)

func TestAccountOrder(t *testing.T) {
	t.Setenv("CASEMENT_HOSTS", filepath.Join(t.TempDir(), "h.json"))
	t.Setenv("CASEMENT_USER", "")
	t.Setenv("CASEMENT_PASSWORD", "")
	cli(t, "from file\n", "casement", "hosts", "add", "h", "--user", "filed", "--password-stdin").want(t, 0)
	ask := func(user string, ring bool) (account, error) {
		return (&accountSource{s: Streams{In: strings.NewReader("x\n"), Err: new(bytes.Buffer)}, user: user, keyring: ring}).account("h")
	}
	check := func(what string, got account, err error, want account) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s: %v (%v)", what, got.user, err)
		}
	}
	got, err := ask("", false)
	check("the hosts file", got, err, account{"filed", "from file"})
	got, err = ask("FILED", false)
	check("the same user by name", got, err, account{"FILED", "from file"})
	if got, err := ask("other", false); err == nil || got.password != "" || !strings.Contains(err.Error(), "CASEMENT_PASSWORD") {
		t.Errorf("another user got %v (%v)", got.user, err)
	}
	keyring.MockInit()
	if err := keyring.Set(keyringService, "other@h", "from ring"); err != nil {
		t.Fatal(err)
	}
	got, err = ask("other", true)
	check("the keyring", got, err, account{"other", "from ring"})
	if _, err := ask("other", false); err == nil {
		t.Error("the keyring is used without --keyring")
	}
	t.Setenv("CASEMENT_PASSWORD", "from env")
	got, err = ask("", false)
	check("the environment's password", got, err, account{"filed", "from env"})
	t.Setenv("CASEMENT_USER", "enved")
	got, err = ask("", false)
	check("the environment", got, err, account{"enved", "from env"})
	got, err = ask("flagged", false)
	check("the flag", got, err, account{"flagged", "from env"})
	if got, err := (&accountSource{user: "x"}).account("."); err != nil || got != (account{}) {
		t.Errorf("this machine wants no account: %v %v", got, err)
	}
}

// pty is a pseudo-terminal: what is written to the master is typed.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// A password is asked for without echo, twice where it is new, and once for all hosts.
func TestPasswordPrompt(t *testing.T) {
	dir := state(t)
	master, slave := pty(t)
	screen := shown(master)
	typed := func(lines ...string) {
		go func() {
			for _, l := range lines {
				time.Sleep(100 * time.Millisecond) // after the echo is off
				master.WriteString(l + "\n")
			}
		}()
	}
	var out bytes.Buffer
	run := func(args ...string) int { return Main(args, Streams{In: slave, Out: &out, Err: slave}) }
	typed("typed secret", "typed secret")
	if code := run("casement", "user", "add", "alice"); code != 0 || !signsIn(t, dir, "alice", "typed secret") {
		t.Errorf("user add: exit code %d, %s", code, out.String())
	}
	typed("one secret", "two secret")
	if code := run("casement", "user", "passwd", "alice"); code != 1 || !signsIn(t, dir, "alice", "typed secret") {
		t.Errorf("user passwd with a slip: exit code %d", code)
	}
	a := &accountSource{s: Streams{In: slave, Out: &out, Err: slave}, user: "bob"}
	typed("bob's secret")
	for range 2 { // the second time the answer is known
		if got, err := a.account("h.example"); err != nil || got != (account{"bob", "bob's secret"}) {
			t.Errorf("%v %v", got.user, err)
		}
	}
	slave.WriteString("END OF TEST\n")
	seen := <-screen
	if strings.Contains(seen, "secret") || !strings.Contains(seen, "New password for alice: ") || !strings.Contains(seen, "differ") {
		t.Errorf("the screen shows %q", seen)
	}
}

// A copy shows how far it is on a terminal, and only there.
func TestProgressBar(t *testing.T) {
	server(t)
	dir, err := os.MkdirTemp("", "casement-bar-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "some file")
	if err := errors.Join(os.Chmod(dir, 0o777), os.WriteFile(file, make([]byte, 3<<20), 0o600)); err != nil {
		t.Fatal(err)
	}
	master, slave := pty(t)
	screen := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		buf := make([]byte, 4096)
		for !strings.Contains(all.String(), "END OF TEST") {
			n, err := master.Read(buf)
			all.Write(buf[:n])
			if err != nil {
				break
			}
		}
		screen <- all.String()
	}()
	var out bytes.Buffer
	if code := Main([]string{"casement", "cp", file, "srv:" + dir + "/copy"}, Streams{In: strings.NewReader(""), Out: &out, Err: slave}); code != 0 {
		t.Errorf("exit code %d", code)
	}
	slave.WriteString("END OF TEST\n")
	if seen := <-screen; !strings.Contains(seen, "some file") || !strings.Contains(seen, "3.1") {
		t.Errorf("the terminal shows %q", seen)
	}
	if r := cli(t, "", "casement", "cp", file, "srv:"+dir+"/copy2").want(t, 0); r.err != "" {
		t.Errorf("without a terminal: %q", r.err)
	}
}

// shown collects what a terminal shows until it shows END OF TEST.
func shown(master io.Reader) <-chan string {
	screen := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		buf := make([]byte, 1024)
		for {
			n, err := master.Read(buf)
			all.Write(buf[:n])
			if err != nil || strings.Contains(all.String(), "END OF TEST") {
				screen <- all.String()
				return
			}
		}
	}()
	return screen
}

package newcomer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/internal/testlog"
)

var maxTimeout = regexp.MustCompile(`MaxTimeoutms = (\d+)`)

// A kill at any moment of `winrm set`, of the tool or of the service behind
// it, leaves settings that load: the old value or the new one.
func TestKilledDuringSet(t *testing.T) {
	binary(t)
	p := self(t)
	state := filepath.Join(p.home, "state")
	defer forgetPolicy(state)
	value := func(what string) int {
		t.Helper()
		out := p.must(t, "winrm", "--state", state, "get", "winrm/config")
		m := maxTimeout.FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("%s: %s", what, out)
		}
		var n int
		fmt.Sscan(m[1], &n) //nolint:errcheck // digits
		return n
	}
	set := func(ctx context.Context, n int) (*testlog.Text, func() error) {
		cmd := p.command(ctx, "winrm", "--state", state, "set", "winrm/config", fmt.Sprintf(`@{MaxTimeoutms="%d"}`, n))
		out := &testlog.Text{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return out, cmd.Wait
	}
	p.start(t, up(state)...).end(syscall.SIGTERM)
	before, changed := value("at first"), 0
	for n, end := 60001, time.Now().Add(killTime()); time.Now().Before(end); n++ {
		ctx, cancel := context.WithCancel(t.Context())
		var m *machine
		if n%2 == 0 {
			m = p.start(t, "up", "--state", state)
		}
		out, wait := set(ctx, n)
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		if m != nil {
			if err := m.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-m.done
		} else {
			cancel()
		}
		err := wait()
		cancel()
		now := value("after a kill")
		if now != before && now != n || err == nil && now != n {
			t.Fatalf("MaxTimeoutms was %d, %d was set (%v: %s), and it is %d", before, n, err, out, now)
		}
		if now != before {
			changed++
		}
		before = now
	}
	t.Logf("%d settings took effect", changed)
	m := p.start(t, "up", "--state", state)
	if n := value("at last"); n != before {
		t.Errorf("the service has MaxTimeoutms %d, want %d", n, before)
	}
	m.end(syscall.SIGTERM)
}

func killTime() time.Duration {
	if os.Getenv("CASEMENT_SOAK") != "" {
		return time.Minute
	}
	return 5 * time.Second
}

// What needs elevation fails for a plain user with access denied, and changes
// nothing.
func TestPlainUserIsDenied(t *testing.T) {
	needRoot(t)
	p, stranger := self(t), ordinary(t)
	state := filepath.Join(p.home, "state")
	defer forgetPolicy(state)
	for _, running := range []bool{false, true} {
		if running {
			m := p.start(t, "up", "--state", state)
			defer m.end(syscall.SIGTERM)
		} else {
			p.start(t, up(state)...).end(syscall.SIGTERM)
		}
		before := snapshot(t, state)
		for _, args := range [][]string{
			{"winrm", "--state", state, "quickconfig", "-quiet"},
			{"winrm", "--state", state, "set", "winrm/config", `@{MaxTimeoutms="61234"}`},
			{"reg", "add", `HKLM\SOFTWARE\x`, "/v", "y", "/d", "z", "--state", state},
			{"netsh", "--state", state, "advfirewall", "firewall", "set", "rule", "group=windows management instrumentation (wmi)", "new", "enable=yes"},
			{"firewall", "enable", "windows management instrumentation (wmi)", "--state", state},
			{"winmgmt", "/standalonehost", "--state", state},
			{"user", "add", "mallory", "--generate", "--state", state},
		} {
			out, errOut, code := stranger.run(t, args...)
			if code == 0 || !strings.Contains(strings.ToLower(out+errOut), "access is denied") {
				t.Errorf("running %v: casement %q: exit code %d, %s%s", running, args, code, out, errOut)
			}
		}
		if after := snapshot(t, state); after != before {
			t.Errorf("running %v: the state changed from %s to %s", running, before, after)
		}
	}
}

// snapshot is what the files of a state folder hold.
func snapshot(t *testing.T, state string) string {
	t.Helper()
	var all strings.Builder
	for _, f := range []string{"hive.reg", "accounts.json"} {
		b, err := os.ReadFile(filepath.Join(state, f))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

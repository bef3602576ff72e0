package newcomer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The first minutes with Casement work as the README promises, for root and for an ordinary user.
func TestNewcomer(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: clones and builds the repository")
	}
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("the script needs Linux")
	}
	t.Run("root", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("needs root")
		}
		newcomer(t, "")
	})
	t.Run("user", func(t *testing.T) {
		if os.Geteuid() != 0 {
			newcomer(t, "")
			return
		}
		newcomer(t, newUser(t))
	})
}

func newcomer(t *testing.T, user string) {
	t.Helper()
	work, err := os.MkdirTemp("", "newcomer-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil { // #nosec G302 -- the service's user passes through
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	args := []string{"newcomer.sh", work}
	if user != "" {
		args = append(args, user)
	}
	cmd := exec.CommandContext(ctx, "sh", args...)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 77 {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Skip(lines[len(lines)-1])
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// newUser makes an ordinary user for the length of a test, and is root to do so.
func newUser(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make an ordinary user")
	}
	for _, tool := range []string{"useradd", "userdel", "su"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	name := fmt.Sprintf("newcomer%d", os.Getpid()%100000)
	if out, err := exec.Command("useradd", "--no-create-home", "--user-group", name).CombinedOutput(); err != nil {
		t.Skipf("useradd %s: %v: %s", name, err, bytes.TrimSpace(out))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("userdel", name).CombinedOutput(); err != nil {
			t.Errorf("userdel %s: %v: %s", name, err, out)
		}
	})
	return name
}

// usermod gives a user a home.
func usermod(name, home string) ([]byte, error) {
	return exec.Command("usermod", "--home", home, name).CombinedOutput()
}

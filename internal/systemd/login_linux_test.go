package systemd

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// fakeLogind takes the calls that logind would take.
type fakeLogind struct{ calls chan string }

func (f *fakeLogind) Reboot(interactive bool) *dbus.Error {
	f.calls <- "Reboot"
	if interactive {
		return dbus.NewError("org.freedesktop.DBus.Error.Failed", nil)
	}
	return nil
}

func (f *fakeLogind) PowerOff(bool) *dbus.Error {
	return dbus.NewError("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", []any{"Interactive authentication required."})
}

// bus runs a message bus of its own and returns its address.
func bus(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("dbus-daemon is not installed")
	}
	config := filepath.Join(t.TempDir(), "bus.conf")
	text := `<busconfig><type>session</type><listen>unix:path=` + filepath.Join(filepath.Dir(config), "bus") + `</listen>` +
		`<policy context="default"><allow send_destination="*"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "--config-file="+config, "--nofork", "--nopidfile", "--print-address")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Skip("dbus-daemon does not run here: ", err)
	}
	return strings.TrimSpace(address)
}

func TestPower(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	o := Options{Address: bus(t)}
	if err := Power(ctx, o, Reboot); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without logind: %v", err)
	}
	c, err := dial(ctx, o.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := &fakeLogind{calls: make(chan string, 2)}
	if err := c.Export(f, "/org/freedesktop/login1", "org.freedesktop.login1.Manager"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.RequestName("org.freedesktop.login1", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	if err := Power(ctx, o, Reboot); err != nil || len(f.calls) != 1 {
		t.Errorf("Reboot: %v, %d calls", err, len(f.calls))
	}
	if err := Power(ctx, o, PowerOff); !errors.Is(err, ErrDenied) {
		t.Errorf("a refusal: %v", err)
	}
	if err := Power(ctx, o, Halt); err == nil || errors.Is(err, ErrDenied) {
		t.Errorf("a method that is not there: %v", err)
	}
	if err := Power(ctx, Options{Address: "unix:path=/nonexistent/bus"}, Reboot); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a bus: %v", err)
	}
}

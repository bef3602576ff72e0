package host

import (
	"os"
	"testing"

	"github.com/casementhq/casement/internal/systemd"
)

// Where systemd does not run the class is there and has no instances; nothing is made up.
func TestNoServicesWithoutSystemd(t *testing.T) {
	if got := all(t, New(Options{}), "Win32_Service", query{}); len(got) != 0 {
		t.Errorf("%d services without a service manager", len(got))
	}
	if _, err := os.Lstat("/run/systemd/system"); err == nil || os.Getenv(systemd.BusEnv) != "" {
		t.Skip("this host runs systemd")
	}
	if s := Systemd(systemd.Options{}); s != nil {
		t.Errorf("a service manager where systemd does not run: %T", s)
	}
}

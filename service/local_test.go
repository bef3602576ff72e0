package service

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

const configURI = "http://schemas.microsoft.com/wbem/wsman/1/config"

// overLocal reads winrm/config by the way that Local opens, writes a setting
// and reads it again.
func overLocal(t *testing.T, dir string) {
	t.Helper()
	dial, closeAll, err := Local(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closeAll(); err != nil {
			t.Error(err)
		}
	}()
	client, err := wsmanclient.New("http://localhost/wsman", wsmanclient.Options{Local: true, DialContext: overPipe(dial)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	got := getConfig(t, client)
	if !strings.Contains(got, "<cfg:MaxTimeoutms>60000</cfg:MaxTimeoutms>") || !strings.Contains(got, "AllowUnencrypted>false<") {
		t.Errorf("winrm/config: %s", got)
	}
	put := `<cfg:Config xmlns:cfg="http://schemas.microsoft.com/wbem/wsman/1/config"><cfg:MaxTimeoutms>70000</cfg:MaxTimeoutms></cfg:Config>`
	if _, err := client.Put(t.Context(), wsman.EPR{ResourceURI: configURI}, []byte(put), nil); err != nil {
		t.Fatal(err)
	}
	if got := getConfig(t, client); !strings.Contains(got, "<cfg:MaxTimeoutms>70000</cfg:MaxTimeoutms>") {
		t.Errorf("after Put, winrm/config: %s", got)
	}
	b, err := os.ReadFile(filepath.Join(dir, "hive.reg"))
	if err != nil || !strings.Contains(strings.ReplaceAll(string(b), "\x00", ""), "00011170") { // 70000
		t.Errorf("the hive file does not hold the new value (%v):\n%s", err, b)
	}
}

// overPipe makes a client use the way that Local opened.
func overPipe(dial func(context.Context) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
}

func getConfig(t *testing.T, client *wsmanclient.Client) string {
	t.Helper()
	got, err := client.Get(t.Context(), wsman.EPR{ResourceURI: configURI}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestLocalWithoutService(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	overLocal(t, dir)
	// The hive is free again and was never a service's.
	s, err := OpenState(dir, StateOptions{Service: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestLocalWithService(t *testing.T) {
	dir, err := os.MkdirTemp("", "casement-") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	state, err := OpenState(dir, StateOptions{Create: true, Service: true})
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	svc, err := New(state, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- svc.Serve(ctx, func() { close(ready) }) }()
	<-ready
	overLocal(t, dir)
	if got := state.Snapshot().WinRM.MaxTimeoutms; got != 70000 {
		t.Errorf("the running service has MaxTimeoutms %d, so the tool did not go through it", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, socketName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("local.sock is left: %v", err)
	}
}

// A socket that a killed service left does not keep tools or the next service
// out.
func TestLocalBesideLeftOverSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "casement-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	state, err := OpenState(dir, StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	state.Close()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, socketName), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	overLocal(t, dir)
}

// A tool sees what the hive says, also when another wrote it meanwhile.
func TestLocalSeesOthersChanges(t *testing.T) {
	dir := t.TempDir()
	other, err := OpenState(dir, StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	err = other.Hive.Update(func(tx *registry.Tx) error {
		changes, err := other.Snapshot().WinRM.Validate(settings.URIConfig, []settings.NameValue{{Name: "Winrs/MaxShellsPerUser", Value: "7"}})
		if err != nil {
			return err
		}
		return settings.Apply(tx, changes)
	})
	if err != nil {
		t.Fatal(err)
	}
	overLocal(t, dir)
}

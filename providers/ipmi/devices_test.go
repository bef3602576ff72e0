package ipmi

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := OpenStore(dir)
	if all, err := s.Devices(); err != nil || len(all) != 0 {
		t.Fatalf("a new list: %v, %v", all, err)
	}
	for _, d := range []Device{{Name: LocalName}, {Name: "a", Host: "192.0.2.1", User: "u", Password: "first"}, {Name: "A", Host: "2001:db8::1", Port: 6230, User: "u", Password: "s3cret"}} {
		if err := s.Put(d); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Devices()
	if err != nil || len(all) != 2 || all[1].Password != "s3cret" || all[1].Address() != "[2001:db8::1]:6230" {
		t.Fatalf("%v, %v", all, err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "bmc", all[1])
	if text := fmt.Sprintf("%v %+v %#v", all[1], all[1], all[1]) + log.String(); strings.Contains(text, "s3cret") {
		t.Errorf("a device prints its password: %s", text)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if err := s.SetDisabled("a", true); err != nil {
		t.Fatal(err)
	}
	if all, _ := s.Devices(); !all[1].Disabled {
		t.Error("it is not disabled")
	}
	if err := s.Remove("b"); !errors.Is(err, ErrNoDevice) {
		t.Errorf("Remove: %v", err)
	}
	if err := s.Remove("a"); err != nil {
		t.Fatal(err)
	}
	if all, _ := s.Devices(); len(all) != 1 {
		t.Errorf("%d devices", len(all))
	}
}

func TestBadDevices(t *testing.T) {
	s := OpenStore(t.TempDir())
	for _, d := range []Device{
		{}, {Name: "a"}, {Name: LocalName, Host: "h"}, {Name: "a/b", Host: "h"}, {Name: "a", Host: "h h"}, {Name: "a", Host: "h", Port: 70000},
		{Name: "a", Host: "h", User: strings.Repeat("u", 17)}, {Name: "a", Host: "h", Password: strings.Repeat("p", 21)}, {Name: LocalName, User: "u"},
		{Name: "a", Host: "h", Privilege: "root"},
	} {
		err := s.Put(d)
		if err == nil {
			t.Errorf("%v was taken", d)
		} else if d.Password != "" && strings.Contains(err.Error(), d.Password) {
			t.Error("the error has the password")
		}
	}
}

func TestListReadableByOthersIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files of Windows have no mode")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(`{"devices":[]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(dir).Devices(); !errors.Is(err, ErrUnsafe) {
		t.Errorf("Devices: %v, want ErrUnsafe", err)
	}
}

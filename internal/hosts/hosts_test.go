package hosts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPutFind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "hosts.json")
	for _, e := range []Entry{{Name: "here", URL: "http://127.0.0.1:1/wsman", Password: "first"},
		{Name: "other", URL: "https://h"}, {Name: "HERE", URL: "http://127.0.0.1:2/wsman", Password: "s3cret"}} {
		if err := Put(path, e); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v; want 0600", info.Mode(), err)
	}
	all, err := Load(path)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d entries, %v; want 2", len(all), err)
	}
	e, ok := Find(all, "Here")
	if !ok || e.URL != "http://127.0.0.1:2/wsman" || e.Password != "s3cret" {
		t.Errorf("Find = %v, %v", e.URL, ok)
	}
	if s := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(s, "s3cret") {
		t.Errorf("an entry prints its password: %s", s)
	}
}

func TestReadableByOthersIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts.json")
	if err := os.WriteFile(path, []byte(`{"hosts":[]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, ErrUnsafe) {
		t.Errorf("Load: %v, want ErrUnsafe", err)
	}
}

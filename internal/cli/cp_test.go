package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestSplitRemote(t *testing.T) {
	t.Setenv("CASEMENT_HOSTS", filepath.Join(t.TempDir(), "h.json"))
	for _, c := range []struct {
		arg, host, path string
		remote          bool
	}{
		{"here:/tmp/x", "here", "/tmp/x", true},
		{`web1:C:\logs`, "web1", `C:\logs`, true},
		{`C:\logs`, "", `C:\logs`, false},
		{"README.md", "", "README.md", false},
		{"./a:b", "", "./a:b", false},
		{"/a:b", "", "/a:b", false},
		{".:/x", ".", "/x", true},
		{"http://h:5985/wsman:/tmp/x", "http://h:5985/wsman", "/tmp/x", true},
		{"[::1]:/x", "[::1]", "/x", true},
		{":/x", "", ":/x", false},
	} {
		if host, path, remote := splitRemote(c.arg); host != c.host || path != c.path || remote != c.remote {
			t.Errorf("%s: %q %q %t", c.arg, host, path, remote)
		}
	}
	cli(t, "", "casement", "hosts", "add", "c").want(t, 0)
	if host, path, remote := splitRemote(`c:x`); !remote || host != "c" || path != "x" {
		t.Errorf("c:x is %q %q %t", host, path, remote)
	}
}

func TestCopy(t *testing.T) {
	server(t)
	dir, err := os.MkdirTemp("", "casement-cp-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil { // the commands of the test server run as another user
		t.Fatal(err)
	}
	local := t.TempDir()
	want := bytes.Repeat([]byte("0123456789\x00\xff\r\n"), 50000)
	if err := os.MkdirAll(filepath.Join(local, "tree", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.bin", "tree/x", "tree/sub/y z"} {
		if err := os.WriteFile(filepath.Join(local, name), want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	same := func(path string) {
		t.Helper()
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s: %d bytes, want %d (%v)", path, len(b), len(want), err)
		}
	}
	cli(t, "", "casement", "cp", filepath.Join(local, "a.bin"), "srv:"+dir+"/b.bin").want(t, 0, "1 file", "checksums equal")
	same(dir + "/b.bin")
	cli(t, "", "casement", "cp", "srv:"+dir+"/b.bin", filepath.Join(local, "c.bin")).want(t, 0)
	same(filepath.Join(local, "c.bin"))
	cli(t, "", "casement", "cp", filepath.Join(local, "tree"), "srv:"+dir+"/tree").want(t, 2, "-r")
	cli(t, "", "casement", "cp", "-r", filepath.Join(local, "tree"), "srv:"+dir+"/tree").want(t, 0, "2 files")
	same(dir + "/tree/sub/y z")
	cli(t, "", "casement", "cp", "-r", "srv:"+dir+"/tree", filepath.Join(local, "back")).want(t, 0)
	same(filepath.Join(local, "back", "sub", "y z"))
	cli(t, "", "casement", "cp", "srv:/no/such/file", local).want(t, 1, "/no/such/file")
	cli(t, "", "casement", "cp", "a", "b").want(t, 2, "HOST:PATH")
	cli(t, "", "casement", "cp", "srv:a", "srv:b").want(t, 2, "both sides")
}

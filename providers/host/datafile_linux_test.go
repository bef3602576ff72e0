package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/cim"
)

func named(name string) query { return fixed(map[string]cim.Value{"Name": cim.Str(name)}) }

// The expected values come from stat(1), and what df(1) says of the file system.
func TestDataFileAgainstStat(t *testing.T) {
	p := NewFiles(Options{})
	for _, file := range []string{"/etc/passwd", "/proc/self/exe", "/dev/null", "/etc/.pwd.lock", "/etc/hostname"} {
		if _, err := os.Lstat(file); err != nil {
			continue
		}
		i := only(t, p, "CIM_DataFile", named(file))
		expect(t, i, map[string]string{
			"Name": file, "Path": filepath.Dir(file) + "/", "CSName": output(t, "uname", "-n"), "Status": "OK", "Archive": "null", "AccessMask": "null", "Version": "null",
			"Hidden": strconv.FormatBool(filepath.Base(file)[0] == '.'),
		})
		if file == "/etc/passwd" {
			expect(t, i, map[string]string{"FileSize": output(t, "stat", "-c", "%s", file), "FileName": "passwd", "Extension": "", "Drive": output(t, "stat", "-c", "%m", file), "FileType": "File"})
		}
		seconds, _ := strconv.ParseInt(output(t, "stat", "-c", "%Y", file), 10, 64)
		d, _ := i.Get("LastModified").DateTime()
		if at, _ := d.Time(); !strings.HasPrefix(file, "/proc") && at.Unix() != seconds {
			t.Errorf("%s was changed at %v, stat says %d", file, d, seconds)
		}
		if birth := output(t, "stat", "-c", "%W", file); birth != "0" && !strings.HasPrefix(file, "/proc") && file != "/dev/null" {
			d, _ := i.Get("CreationDate").DateTime()
			if at, _ := d.Time(); strconv.FormatInt(at.Unix(), 10) != birth {
				t.Errorf("%s was made at %v, stat says %s", file, d, birth)
			}
		}
	}
	expect(t, only(t, p, "CIM_DataFile", named("/dev/null")), map[string]string{"FileType": "Character Device", "FileSize": "null", "Readable": "true", "Writeable": "true"})
	expect(t, only(t, p, "Win32_Directory", named("/etc")), map[string]string{"Path": "/", "FileName": "etc", "FileType": "File Folder", "FileSize": "null"})
	expect(t, only(t, p, "Win32_Directory", named("/")), map[string]string{"FileName": "", "Drive": "/"})
	for _, wrong := range []string{"/etc", "/etc/passwd/", "/etc/../etc/passwd", "etc/passwd", "/no/such/file", "", "/etc/passwd\x00", `C:\Windows\win.ini`} {
		if out := all(t, p, "CIM_DataFile", named(wrong)); len(out) != 0 {
			t.Errorf("%q gives %v", wrong, out)
		}
	}
}

// The expected values come from find(1).
func TestDirectoryAgainstFind(t *testing.T) {
	p := NewFiles(Options{})
	inEtc := fixed(map[string]cim.Value{"Path": cim.Str("/etc/")})
	for class, kind := range map[string]string{"CIM_DataFile": "!", "Win32_Directory": ""} {
		want := strings.Fields(output(t, "sh", "-c", "find /etc -mindepth 1 -maxdepth 1 "+kind+" -type d | LC_ALL=C sort"))
		if got := texts(all(t, p, class, inEtc), "Name"); got != strings.Join(want, " ") {
			t.Errorf("%s in /etc: %s, find says %v", class, got, want)
		}
	}
	one := fixed(map[string]cim.Value{"Path": cim.Str("/etc/"), "FileName": cim.Str("resolv"), "Extension": cim.Str("conf")})
	expect(t, only(t, p, "CIM_DataFile", one), map[string]string{"Name": "/etc/resolv.conf", "FileName": "resolv", "Extension": "conf"})
}

// spec/wmi.md 8.2, row 54: the disk is not walked.
func TestFilesWithoutABound(t *testing.T) {
	s := session(t, NewFiles(Options{}))
	for _, query := range []string{"SELECT * FROM CIM_DataFile", "SELECT Name FROM Win32_Directory WHERE Hidden = TRUE", "SELECT * FROM CIM_DataFile WHERE Drive = '/'",
		"SELECT * FROM CIM_DataFile WHERE Name LIKE '%passwd'", "SELECT * FROM Win32_SubDirectory"} {
		if _, err := answer(t.Context(), s, query); !errors.Is(err, cim.ErrProviderNotCapable) {
			t.Errorf("%s: %v", query, err)
		}
	}
	if out := ask(t, s, "SELECT Name FROM CIM_LogicalFile WHERE Path = '/etc/' AND Extension = 'conf' AND FileName = 'resolv'"); len(out) != 1 {
		t.Errorf("%v", out)
	}
}

func TestFileAssociations(t *testing.T) {
	dir := root(t, map[string]string{"srv/a/b/deep": "x", "srv/a/f.txt": "hello", "srv/a/g": "", "srv/a/link": "-> b"})
	s := session(t, NewFiles(Options{Root: dir}))
	for wql, want := range map[string]string{
		"ASSOCIATORS OF {Win32_Directory.Name='/srv/a'} WHERE AssocClass = CIM_DirectoryContainsFile":                      "/srv/a/f.txt /srv/a/g /srv/a/link",
		"ASSOCIATORS OF {Win32_Directory.Name='/srv/a'} WHERE AssocClass = Win32_SubDirectory ResultRole = PartComponent":  "/srv/a/b",
		"ASSOCIATORS OF {Win32_Directory.Name='/srv/a'} WHERE AssocClass = Win32_SubDirectory ResultRole = GroupComponent": "/srv",
		"ASSOCIATORS OF {CIM_DataFile.Name='/srv/a/f.txt'}":                                                                "/srv/a",
		"ASSOCIATORS OF {Win32_Directory.Name='/'}":                                                                        "/srv",
	} {
		if got := texts(ask(t, s, wql), "Name"); got != want {
			t.Errorf("%s gives %s, want %s", wql, got, want)
		}
	}
	if out := ask(t, s, "REFERENCES OF {Win32_Directory.Name='/srv/a/b'} WHERE ResultClass = Win32_SubDirectory"); len(out) != 1 {
		t.Errorf("references %v", out)
	}
}

// The return values are those of the documentation of CIM_DataFile.
func TestFileMethods(t *testing.T) {
	files := map[string]string{"w/f": "hello", "w/full/x": "1", "w/full/in/y": "2", "w/empty/": "", "w/link": "-> full", "w/out": "-> /etc", "w/full/l": "-> x"}
	dir := root(t, files)
	p := NewFiles(Options{Root: dir, Files: func(cim.Caller) (FileActor, error) { return OwnFiles{}, nil }})
	if err := (OwnFiles{}).Remove(context.Background(), filepath.Join(dir, "w/nothing")); errors.Is(err, unix.ENOSYS) {
		t.Skip("this kernel has no openat2")
	}
	do := func(p *Provider, class, method, name, to, want string) {
		t.Helper()
		c := &call{path: cim.ObjectPath{Class: class, Keys: []cim.Key{{Name: "Name", Value: cim.Str(name)}}}}
		if to != "" {
			c.in = cim.Arguments{{Name: "FileName", Value: cim.Str(to)}}
		}
		r, err := p.invoke(context.Background(), class, method, c)
		if err != nil || r.ReturnValue.String() != want {
			t.Errorf("%s %s %s: %v, %v; want %s", method, name, to, r.ReturnValue, err, want)
		}
	}
	file := func(method, name, to, want string) { t.Helper(); do(p, "CIM_DataFile", method, name, to, want) }
	content := func(name, want string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if string(b) != want || (err != nil) != (want == "") {
			t.Errorf("%s is %q, %v; want %q", name, b, err, want)
		}
	}
	do(NewFiles(Options{Root: dir}), "CIM_DataFile", "Delete", "/w/f", "", "2")
	do(NewFiles(Options{Root: dir, Files: func(cim.Caller) (FileActor, error) { return nil, errors.New("no user") }}), "CIM_DataFile", "Delete", "/w/f", "", "2")
	content("w/f", "hello")
	file("Copy", "/w/f", "/w/copy", "0")
	content("w/copy", "hello")
	file("Copy", "/w/f", "/w/copy", "10")
	file("Copy", "/w/none", "/w/copy2", "9")
	file("Copy", "/w/f", "relative", "21")
	file("Copy", "/w/f", "/w/../w/z", "21")
	file("Rename", "/w/copy", "/w/f", "10")
	file("Rename", "/w/copy", "/w/moved", "0")
	content("w/moved", "hello")
	content("w/copy", "")
	file("Compress", "/w/f", "", "11")
	// No link on the way is followed: not out of the named path, and not within it either.
	file("Delete", "/w/link/x", "", "9")
	file("Copy", "/w/f", "/w/out/casement-test", "9")
	file("Rename", "/w/f", "/w/link/f", "9")
	content("w/full/x", "1")
	if _, err := os.Lstat("/etc/casement-test"); err == nil {
		t.Error("a file was made outside")
	}
	do(p, "Win32_Directory", "Delete", "/w/full", "", "14")
	do(p, "Win32_Directory", "Delete", "/w/empty", "", "0")
	do(p, "Win32_Directory", "Copy", "/w/full", "/w/full/inside", "21")
	do(p, "Win32_Directory", "Copy", "/w/full", "/w/twin", "0")
	content("w/twin/in/y", "2")
	if got, err := os.Readlink(filepath.Join(dir, "w/twin/l")); got != "x" {
		t.Errorf("a link was copied as %q, %v", got, err)
	}
	file("Delete", "/w/link", "", "0") // the link, and not what it names
	content("w/full/x", "1")
	file("Delete", "/w/f", "", "0")
	content("w/f", "")
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		other := filepath.Join("/dev/shm", "casement-test-"+strconv.Itoa(os.Getpid()))
		real := NewFiles(Options{Files: p.o.Files})
		do(real, "CIM_DataFile", "Rename", filepath.Join(dir, "w/moved"), other, "13")
		_ = os.Remove(other)
	}
}

func TestShareMethods(t *testing.T) {
	dir := root(t, map[string]string{"srv/pub/": "", "var/shares/": "", "etc/samba/smb.conf": "[global]\nusershare max shares = 10\nusershare path = /var/shares\n[fixed]\npath=/srv\n", "etc/exports": "/srv/nfs *\n"})
	p := New(Options{Root: dir, Writer: func(cim.Caller) (FileWriter, error) { return OwnFiles{}, nil }})
	create := func(p *Provider, want string, in ...string) {
		t.Helper()
		c := &call{path: cim.ObjectPath{Class: "Win32_Share"}, in: cim.Arguments{{Name: "Type", Value: cim.U32(0)}}}
		for i := 0; i < len(in); i += 2 {
			c.in = append(c.in, cim.NamedValue{Name: in[i], Value: cim.Str(in[i+1])})
		}
		for _, n := range []string{"MaximumAllowed", "Password", "Access"} {
			if !c.in.Has(n) {
				c.in = append(c.in, cim.NamedValue{Name: n, Value: cim.Null(cim.String)})
			}
		}
		if r, err := p.invoke(context.Background(), "Win32_Share", "Create", c); err != nil || r.ReturnValue.String() != want {
			t.Errorf("Create %q: %v, %v; want %s", in, r.ReturnValue, err, want)
		}
	}
	remove := func(name, want string) {
		t.Helper()
		c := &call{path: cim.ObjectPath{Class: "Win32_Share", Keys: []cim.Key{{Name: "Name", Value: cim.Str(name)}}}}
		if r, err := p.invoke(context.Background(), "Win32_Share", "Delete", c); err != nil || r.ReturnValue.String() != want {
			t.Errorf("Delete %s: %v, %v; want %s", name, r.ReturnValue, err, want)
		}
	}
	create(New(Options{Root: dir}), "2", "Name", "Pub", "Path", "/srv/pub")
	create(p, "9", "Name", "../x", "Path", "/srv/pub")
	create(p, "22", "Name", "FIXED", "Path", "/srv/pub")
	create(p, "24", "Name", "Pub", "Path", "/srv/none")
	create(p, "21", "Name", "Pub", "Path", "/srv/pub", "Password", "x")
	create(p, "21", "Name", "Pub", "Path", "/srv/pub\nguest_ok=y")
	create(p, "0", "Name", "Pub", "Path", "/srv/pub", "Description", "Ours")
	expect(t, only(t, p, "Win32_Share", named("Pub")), map[string]string{"Path": "/srv/pub", "Description": "Ours", "Type": "0"})
	create(p, "22", "Name", "pub", "Path", "/srv/pub")
	remove("fixed", "2")
	remove("/srv/nfs", "2")
	remove("none", "25")
	remove("PUB", "0")
	if out := all(t, p, "Win32_Share", named("Pub")); len(out) != 0 {
		t.Errorf("the share is still there: %v", out)
	}
}

// A pipe where a directory is expected keeps nobody waiting for a writer.
func TestPipeIsNoDirectory(t *testing.T) {
	dir := t.TempDir()
	pipe, home := filepath.Join(dir, "pipe"), filepath.Join(dir, "home")
	if err := errors.Join(unix.Mkfifo(pipe, 0o666), os.Mkdir(home, 0o777), unix.Mkfifo(filepath.Join(home, "conf.d"), 0o666)); err != nil {
		t.Fatal(err)
	}
	done := make(chan []string, 2)
	go func() {
		var names []string
		_ = New(Options{}).readDir(context.Background(), pipe+"/", func(name string) error { names = append(names, name); return nil })
		done <- names
	}()
	go func() { done <- (&Provider{root: dir}).names("home", "conf.d") }()
	for range 2 {
		select {
		case names := <-done:
			if len(names) > 0 {
				t.Errorf("a pipe has the entries %q", names)
			}
		case <-time.After(10 * time.Second):
			t.Error("a pipe is waited for")
		}
	}
	// whoever waits is let go
	for _, p := range []string{pipe, filepath.Join(home, "conf.d")} {
		if fd, err := unix.Open(p, unix.O_RDWR|unix.O_NONBLOCK, 0); err == nil {
			unix.Close(fd)
		}
	}
}

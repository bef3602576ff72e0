package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/consumers"
	"github.com/casementhq/casement/providers/host"
)

// userFiles are those of the machine.
func (m *machine) userFiles(t testing.TB) *userFiles {
	t.Helper()
	return newUserFiles(&people{store: m.state.Accounts, state: m.state}, m.svc.objects.hosts)
}

// creator is an account as it stands for a consumer that it created.
func (m *machine) creator(t testing.TB, account string) cim.Caller {
	t.Helper()
	token, err := m.state.Accounts.Token(account, accounts.TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	caller, err := (&people{store: m.state.Accounts, state: m.state}).creatorCaller(token.User)
	if err != nil {
		t.Fatal(err)
	}
	return caller
}

// stat is what stat(1) says of a file: owner, mode and size.
func stat(t testing.TB, name string) string {
	t.Helper()
	out, err := exec.Command("stat", "-c", "%U %a %s", name).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// A log file is opened and written as the Unix user of the consumer's creator:
// it belongs to that user, and what that user may not do is refused, whatever
// the service could.
func TestLogFilesAreWrittenAsTheirCreator(t *testing.T) {
	m := newMachine(t)
	u := m.userFiles(t)
	m.put(t, "anns/", "daemon", 0o700)
	m.put(t, "all/", "root", 0o777)
	m.put(t, "bobs/", "bin", 0o755)
	write := func(account, file string, want cim.Status) {
		t.Helper()
		l := consumers.Line{File: filepath.Join(m.dir, file), Text: "0123456789", Limit: 20}
		if err := u.appendLine(t.Context(), m.creator(t, account), l); cim.StatusOf(err) != want {
			t.Errorf("%s: %s: %v, want %v", account, file, err, want)
		}
	}
	for range 4 { // 11 bytes each: the third is written into 22, which is more than 20, after it was put aside
		write("ann", "anns/x.log", 0)
	}
	for file, want := range map[string]string{"anns/x.log": "daemon 600 22", "anns/x.001": "daemon 600 22"} {
		if got := stat(t, filepath.Join(m.dir, file)); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	write("bob", "anns/x.log", cim.ErrAccessDenied)
	write("ann", "bobs/x.log", cim.ErrAccessDenied)
	write("ann", "nowhere/x.log", cim.ErrNotFound)
	write("eve", "all/x.log", cim.ErrAccessDenied)
	// Traps: each is one that the service, which is root, would fall into.
	secret := m.put(t, "secret", "root", 0o600)
	page := m.put(t, "all/page", "root", 0o600)
	for what, err := range map[string]error{
		"a link": os.Symlink(secret, m.dir+"/all/link"), "a link to a folder": os.Symlink(m.dir+"/anns", m.dir+"/all/folder"),
		"another name": os.Link(secret, m.dir+"/all/hard"), "a pipe": unix.Mkfifo(m.dir+"/all/pipe", 0o666),
		"a device": unix.Mknod(m.dir+"/all/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))),
	} {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if err := errors.Join(os.Chmod(m.dir+"/all/pipe", 0o666), os.Chmod(m.dir+"/all/null", 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"all/page", "all/link", "all/folder/x.log", "all/hard", "all/pipe", "all/null", "all/page/x"} {
		write("ann", file, cim.ErrAccessDenied)
	}
	for _, name := range []string{secret, page} {
		if b, err := os.ReadFile(name); err != nil || !strings.HasPrefix(string(b), "content of ") || strings.Contains(string(b), "0123") {
			t.Errorf("%s has %q, %v", name, b, err)
		}
	}
	if left, err := os.ReadDir(m.dir + "/all"); err != nil || len(left) != 6 {
		t.Errorf("files appeared: %v, %v", left, err)
	}
	// The service's own user needs no host; all others had one of their own.
	write("Administrator", "bobs/x.log", 0)
	if got := stat(t, m.dir+"/bobs/x.log"); got != "root 600 11" {
		t.Errorf("the Administrator's is %q", got)
	}
	for pid, uid := range hostProcesses(t) {
		if uid != "1 1 1 1" && uid != "2 2 2 2" {
			t.Errorf("the host %d runs as %s", pid, uid)
		}
	}
}

// creates stores an instance and gives its path.
func creates(t *testing.T, s cim.Session, class string, values map[string]string) string {
	t.Helper()
	c, err := s.GetClass(t.Context(), class, cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	i := cim.NewInstance(c)
	for name, text := range values {
		v, err := cim.ParseValue(c.Property(name).Type, text)
		if err == nil {
			err = i.Set(name, v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	path, err := s.Create(t.Context(), i, cim.OperationOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return path.Relative()
}

// A permanent subscription of the administrators writes its log as the Unix
// user that the built-in Administrator is mapped to.
func TestLogFileOfASubscription(t *testing.T) {
	m := newMachine(t)
	if err := m.state.Accounts.SetUnixUser("Administrator", "daemon", false); err != nil {
		t.Fatal(err)
	}
	if err := m.svc.objects.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.put(t, "logs/", "daemon", 0o700)
	s := m.session(t, "Administrator", `root\subscription`)
	create := func(class string, values map[string]string) string { return creates(t, s, class, values) }
	file := m.dir + "/logs/filters.log"
	create("__FilterToConsumerBinding", map[string]string{
		"Filter": create("__EventFilter", map[string]string{"Name": "watch", "QueryLanguage": "WQL", "EventNamespace": `root\subscription`,
			"Query": "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA '__EventFilter'"}),
		"Consumer": create("LogFileEventConsumer", map[string]string{"Name": "log", "Filename": file, "Text": "made %TargetInstance.Name%"}),
	})
	for n, end := 0, time.Now().Add(20*time.Second); ; n++ {
		create("__EventFilter", map[string]string{"Name": fmt.Sprintf("new%03d", n), "QueryLanguage": "WQL", "Query": "SELECT * FROM __TimerEvent"})
		time.Sleep(50 * time.Millisecond)
		if b, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(b), "made new") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no event is in the log file")
		}
	}
	if got := stat(t, file); !strings.HasPrefix(got, "daemon 600 ") {
		t.Errorf("the log is %q", got)
	}
}

// What methods write goes whole into a new file of the caller's Unix user, or
// not at all.
func TestFilesAreWrittenAsTheirCaller(t *testing.T) {
	m := newMachine(t)
	u := m.userFiles(t)
	m.put(t, "anns/", "daemon", 0o700)
	m.put(t, "bobs/", "bin", 0o755)
	content := bytes.Repeat([]byte("0123456789abcde\n"), pieceSize/16*3+7) // three pieces and a bit
	write := func(account, file string, r io.Reader, want error) {
		t.Helper()
		w, err := u.writer(m.creator(t, account))
		if err == nil {
			err = w.Write(t.Context(), filepath.Join(m.dir, file), r)
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %s: %v, want %v", account, file, err, want)
		}
	}
	gone := func(file string) {
		t.Helper()
		m.eventually(t, file+" is gone", func() bool {
			_, err := os.Lstat(filepath.Join(m.dir, file))
			return errors.Is(err, fs.ErrNotExist)
		})
	}
	for file, c := range map[string][]byte{"anns/large": content, "anns/empty": nil, "anns/exact": content[:pieceSize]} {
		write("ann", file, bytes.NewReader(c), nil)
		if got, err := os.ReadFile(filepath.Join(m.dir, file)); err != nil || !bytes.Equal(got, c) {
			t.Errorf("%s has %d bytes, %v", file, len(got), err)
		}
		if got, want := stat(t, filepath.Join(m.dir, file)), fmt.Sprintf("daemon 600 %d", len(c)); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	write("ann", "anns/large", strings.NewReader("x"), fs.ErrExist)
	write("ann", "anns/large", bytes.NewReader(content), fs.ErrExist)
	write("ann", "bobs/x", bytes.NewReader(content), fs.ErrPermission)
	write("bob", "anns/x", bytes.NewReader(content), fs.ErrPermission)
	write("bob", "bobs/no/x", bytes.NewReader(content), fs.ErrNotExist)
	if err := os.Symlink(m.dir+"/anns", m.dir+"/bobs/link"); err != nil {
		t.Fatal(err)
	}
	write("bob", "bobs/link/x", bytes.NewReader(content), syscall.ELOOP)
	if got := stat(t, m.dir+"/anns/large"); got != fmt.Sprintf("daemon 600 %d", len(content)) {
		t.Errorf("it is %q now", got)
	}
	// A source that fails, a disk that is full, a caller who goes.
	broken := errors.New("the journal broke")
	write("ann", "anns/half", io.MultiReader(bytes.NewReader(content), iotest.ErrReader(broken)), broken)
	gone("anns/half")
	small := m.put(t, "small/", "daemon", 0o700)
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=64k,mode=0777"); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(small, unix.MNT_DETACH) })
	write("ann", "small/x", bytes.NewReader(content), syscall.ENOSPC)
	gone("small/x")
	w, err := u.writer(m.creator(t, "ann"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(t.Context(), m.dir+"/anns/y", strings.NewReader("y")), w.Remove(t.Context(), m.dir+"/anns/y")); err != nil {
		t.Error(err)
	}
	if err := w.Remove(t.Context(), m.dir+"/anns/y"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed twice: %v", err)
	}
}

// BackupEventLog writes its archive as the Unix user of the caller; only who
// holds the privilege gets the log Security.
func TestEventLogIsBackedUpAsTheCaller(t *testing.T) {
	m := newMachine(t)
	u := m.userFiles(t)
	m.put(t, "anns/", "daemon", 0o700)
	dir, entry := t.TempDir(), `{"__CURSOR":"s=a;i=1","__REALTIME_TIMESTAMP":"1772600000000000","MESSAGE":"it broke","SYSLOG_FACILITY":"3"}`
	if err := errors.Join(os.MkdirAll(dir+"/var/log/journal/abc", 0o755), os.WriteFile(dir+"/var/log/journal/abc/system.journal", nil, 0o600),
		os.WriteFile(dir+"/journalctl", []byte("#!/bin/sh\nfor i in 1 2 3; do echo '"+entry+"'; done\n"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(m.dir, dir+"/out"); err != nil {
		t.Fatal(err)
	}
	p := host.New(host.Options{Root: dir, Journalctl: dir + "/journalctl", Writer: func(c cim.Caller) (host.FileWriter, error) {
		w, err := u.writer(c)
		return within{w, dir}, err
	}})
	var class *cim.Class
	for _, c := range p.Classes() {
		if c.Name == "Win32_NTEventlogFile" {
			class = c
		}
	}
	backup := func(account, log, file string, want uint64) {
		t.Helper()
		caller := m.creator(t, account)
		r := &cimom.Request{Namespace: class.Namespace, Class: class, Caller: caller}
		path := cim.ObjectPath{Class: class.Name, Keys: []cim.Key{{Name: "Name", Value: cim.Str("/var/log/journal/abc/" + log)}}}
		result, err := p.Invoke(t.Context(), r, path, "BackupEventLog", cim.Arguments{{Name: "ArchiveFileName", Value: cim.Str(m.dir + file)}})
		if got, _ := result.ReturnValue.Uint(); err != nil || got != want {
			t.Errorf("%s: %s: %d, %v; want %d", account, file, got, err, want)
		}
	}
	backup("ann", "System", "/anns/system.json", 0)
	if got, err := os.ReadFile(m.dir + "/anns/system.json"); err != nil || string(got) != strings.Repeat(entry+"\n", 3) {
		t.Errorf("the archive is %q, %v", got, err)
	}
	if got := stat(t, m.dir+"/anns/system.json"); !strings.HasPrefix(got, "daemon 600 ") {
		t.Errorf("it is %q", got)
	}
	backup("ann", "System", "/anns/system.json", 183)
	backup("bob", "System", "/anns/bobs.json", 8)
	backup("ann", "Security", "/anns/security.json", 8)
	if _, err := os.Lstat(m.dir + "/anns/security.json"); err == nil {
		t.Error("there is an archive of the log Security")
	}
}

// within takes the root of a test off the names of files.
type within struct {
	host.FileWriter
	root string
}

func (w within) Write(ctx context.Context, name string, r io.Reader) error {
	return w.FileWriter.Write(ctx, strings.TrimPrefix(name, w.root), r)
}

// hangingMount mounts a file system whose server answers nothing, not even how
// it speaks: whoever goes there waits.
func hangingMount(t *testing.T, dir string) {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no file system of a test's own here: %v", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Mount("hanging", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// A file system that hangs costs the consumer that writes to it, and nobody
// else: not another consumer of the same user, nor who looks at files, nor the
// end of the service.
func TestLogFileSystemHangs(t *testing.T) {
	m := newMachine(t)
	u := m.userFiles(t)
	hangs := m.put(t, "hangs/", "root", 0o755)
	m.put(t, "anns/", "daemon", 0o700)
	hangingMount(t, hangs)
	write := func(ctx context.Context, file string) error {
		return u.appendLine(ctx, m.creator(t, "ann"), consumers.Line{File: m.dir + file, Text: "x"})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hung := make(chan error, 3)
	hang := func(file string) {
		before := len(hostProcesses(t))
		go func() { hung <- write(ctx, file) }()
		m.eventually(t, file+" has a host", func() bool { return len(hostProcesses(t)) > before })
	}
	hang("/hangs/a.log")
	hang("/hangs/b.log")
	if err := write(t.Context(), "/anns/x.log"); err != nil {
		t.Errorf("another log: %v", err)
	}
	if got, err := names(t.Context(), m.session(t, "ann", `root\cimv2`), "SELECT Name FROM CIM_DataFile WHERE Path = '"+m.dir+"/anns/'"); err != nil || len(got) != 1 {
		t.Errorf("files: %v, %v", got, err)
	}
	if len(hung) > 0 {
		t.Fatalf("nothing hangs: %v", <-hung)
	}
	cancel() // as the time of a line does
	for range 2 {
		if err := <-hung; !errors.Is(err, context.Canceled) {
			t.Errorf("the log that hangs: %v", err)
		}
	}
	m.eventually(t, "hosts that hang are gone", func() bool { return len(hostProcesses(t)) == 2 })
	go func() { hung <- write(t.Context(), "/hangs/c.log") }()
	time.Sleep(300 * time.Millisecond) // it has the host that is free
	began := time.Now()
	m.close(t)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the service took %v to end", took)
	}
	if err := <-hung; err == nil {
		t.Error("the end of the service leaves a log hanging")
	}
}

// eventually waits for something that takes a moment.
func (m *machine) eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it is not so that %s: %v", what, hostProcesses(t))
		}
	}
}

// A creator who may not act as anybody is told what would help.
func TestLogFileWithoutAUser(t *testing.T) {
	m := newMachine(t)
	err := m.userFiles(t).appendLine(t.Context(), m.creator(t, "eve"), consumers.Line{File: m.dir + "/x", Text: "x"})
	var failure *cim.Error
	if !errors.As(err, &failure) || failure.Status != cim.ErrAccessDenied || !strings.Contains(failure.Detail, "casement user map eve") {
		t.Errorf("%v", err)
	}
}

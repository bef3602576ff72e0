package casement_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/filecopy"
	"github.com/casementhq/casement/internal/hosts"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

func dial(t testing.TB, target string, o casement.Options) *casement.Connection {
	t.Helper()
	if o.HostsFile == "" {
		o.HostsFile = "-"
	}
	c, err := casement.Dial(t.Context(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestDialTargets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts.json")
	if err := hosts.Put(file, hosts.Entry{Name: "web1", URL: "https://192.0.2.7:1234/x", User: "u", Password: "p"}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ target, endpoint string }{
		{"winrm://h", "http://h:5985/wsman"},
		{"winrm://h:81/p", "http://h:81/p"},
		{"https://h", "https://h:5986/wsman"},
		{"HTTP://[::1]:80", "http://[::1]:80/wsman"},
		{"h", "http://h:5985/wsman"},
		{"::1", "http://[::1]:5985/wsman"},
		{"WEB1", "https://192.0.2.7:1234/x"},
	} {
		c := dial(t, test.target, casement.Options{HostsFile: file})
		if got := c.Client().Endpoint(); got != test.endpoint {
			t.Errorf("%s leads to %s, want %s", test.target, got, test.endpoint)
		}
	}
	for _, target := range []string{"", "dcom://", "dcom://h/root", "dcom://h:0", "dcom://h:port", "dcom://u@h", "winmgmts:{pkt}!", "ftp://h", "http://", "http://u:p@h", "h:port", "h:99999"} {
		if c, err := casement.Dial(t.Context(), target, casement.Options{HostsFile: "-"}); err == nil {
			t.Errorf("%q is taken and leads to %s", target, c.Target())
		} else if strings.HasPrefix(target, "ftp") && !errors.Is(err, casement.ErrNoTransport) {
			t.Errorf("%s: %v", target, err)
		}
	}
	if _, err := casement.Dial(t.Context(), ".", casement.Options{StateDir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "casement up") {
		t.Errorf("without a service: %v", err)
	}
}

// TestThisMachineInProcess reaches an opener without any transport.
func TestThisMachineInProcess(t *testing.T) {
	c := dial(t, ".", casement.Options{Opener: opener{}})
	s, err := c.Session(t.Context(), "")
	if err != nil || s.Namespace() != `root\cimv2` {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := c.Identify(t.Context(), false); !errors.Is(err, wsman.CodeNoLocalIdentify) {
		t.Errorf("Identify: %v", err)
	}
	if _, err := c.Shell(t.Context(), wsmanclient.ShellOptions{}); !errors.Is(err, cim.ErrNotSupported) {
		t.Errorf("Shell: %v", err)
	}
}

type opener struct{}

func (opener) Open(_ context.Context, _ cim.Caller, namespace string, _ cim.OpenOptions) (cim.Session, error) {
	return fakeSession{namespace: namespace}, nil
}

type fakeSession struct {
	cim.Session
	namespace string
}

func (s fakeSession) Namespace() string { return s.namespace }

// TestAgainstTheService drives our client against our service: sealed NTLM over
// http, NTLM bound to TLS and Basic over https.
func TestAgainstTheService(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	pinned := wsmanclient.TLSOptions{SHA256: s.Thumbprint}
	for name, c := range map[string]*casement.Connection{
		"sealed": dial(t, s.HTTP, casement.Options{User: s.User, Password: s.Password}),
		"https":  dial(t, s.HTTPS, casement.Options{User: s.User, Password: s.Password, TLS: pinned}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("identify", func(t *testing.T) { identify(t, c) })
			t.Run("query", func(t *testing.T) { query(t, c) })
			t.Run("shell", func(t *testing.T) { commands(t, c) })
			t.Run("large", func(t *testing.T) { large(t, c) })
			t.Run("signal", func(t *testing.T) { signal(t, c) })
			t.Run("together", func(t *testing.T) { together(t, c) })
		})
	}
	t.Run("copy", func(t *testing.T) { copies(t, dial(t, s.HTTP, casement.Options{User: s.User, Password: s.Password})) })
	t.Run("refused", func(t *testing.T) {
		c := dial(t, s.HTTP, casement.Options{User: s.User, Password: "wrong"})
		_, err := c.Identify(t.Context(), false)
		if !errors.Is(err, wsman.CodeAccessDenied) || !strings.Contains(err.Error(), "wrong password") || strings.Contains(err.Error(), "wrong\"") {
			t.Errorf("wrong password: %v", err)
		}
		if id, err := c.Identify(t.Context(), true); err != nil || id.ProductVendor == "" || len(id.SecurityProfiles) > 0 {
			t.Errorf("unauthenticated: %+v, %v", id, err)
		}
		c = dial(t, s.HTTPS, casement.Options{User: s.User, Password: s.Password})
		if _, err := c.Identify(t.Context(), false); err == nil || !strings.Contains(err.Error(), "does not trust") {
			t.Errorf("a certificate of nobody: %v", err)
		}
		c = dial(t, s.HTTPS, casement.Options{User: s.User, Password: s.Password, TLS: wsmanclient.TLSOptions{SHA256: strings.Repeat("ab", 32)}})
		if _, err := c.Identify(t.Context(), false); err == nil || !strings.Contains(err.Error(), "pinned") {
			t.Errorf("another certificate: %v", err)
		}
	})
}

func identify(t *testing.T, c *casement.Connection) {
	id, err := c.Identify(t.Context(), false)
	if err != nil || id.ProductVendor != "Casement" || len(id.SecurityProfiles) == 0 {
		t.Errorf("%+v, %v", id, err)
	}
}

func query(t *testing.T, c *casement.Connection) {
	rows, err := c.Query(t.Context(), "", `SELECT Name, Handle FROM Win32_Process WHERE ProcessId = `+fmt.Sprint(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	list, err := cim.Collect(t.Context(), rows)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d rows, %v", len(list), err)
	}
	if h, _ := list[0].Get("Handle").Str(); h != fmt.Sprint(os.Getpid()) || list[0].Len() != 2 {
		t.Errorf("%v of %v", h, list[0].Len())
	}
}

func run(t *testing.T, s *wsmanclient.Shell, command, input string) (stdout, stderr string, code uint32) {
	t.Helper()
	var out, errs bytes.Buffer
	code, err := s.Run(t.Context(), wsmanclient.CommandOptions{Command: command, Stdout: &out, Stderr: &errs}, strings.NewReader(input))
	if err != nil {
		t.Errorf("%s: %v", command, err)
	}
	return out.String(), errs.String(), code
}

func shell(t *testing.T, c *casement.Connection, o wsmanclient.ShellOptions) *wsmanclient.Shell {
	t.Helper()
	s, err := c.Shell(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func commands(t *testing.T, c *casement.Connection) {
	s := shell(t, c, wsmanclient.ShellOptions{WorkingDirectory: "/", Environment: []winrs.Variable{{Name: "GREETING", Value: "grüß <&> 'x'"}}})
	for _, test := range []struct {
		command, input, stdout, stderr string
		code                           uint32
	}{
		{`pwd; echo "$GREETING"; echo oops >&2; exit 7`, "", "/\ngrüß <&> 'x'\n", "oops\n", 7},
		{"tr a-z A-Z", "hello 世界\n", "HELLO 世界\n", "", 0},
		{"exit 255", "", "", "", 255},
		{"true", strings.Repeat("nobody reads this ", 1000), "", "", 0},
	} {
		stdout, stderr, code := run(t, s, test.command, test.input)
		if stdout != test.stdout || stderr != test.stderr || code != test.code {
			t.Errorf("%s: %q, %q, %d; want %q, %q, %d", test.command, stdout, stderr, code, test.stdout, test.stderr, test.code)
		}
	}
}

// large sends and fetches more than an envelope takes.
func large(t *testing.T, c *casement.Connection) {
	s := shell(t, c, wsmanclient.ShellOptions{})
	data := make([]byte, 3<<20)
	rand.Read(data) //nolint:errcheck // never fails
	var back bytes.Buffer
	code, err := s.Run(t.Context(), wsmanclient.CommandOptions{Command: "cat", Stdout: &back}, bytes.NewReader(data))
	if err != nil || code != 0 || !bytes.Equal(back.Bytes(), data) {
		t.Errorf("%d of %d bytes came back, %v, exit code %d", back.Len(), len(data), err, code)
	}
}

// signal interrupts a command whose output is being waited for.
func signal(t *testing.T, c *casement.Connection) {
	s := shell(t, c, wsmanclient.ShellOptions{})
	cmd, err := s.Start(t.Context(), wsmanclient.CommandOptions{Command: "echo ready; exec sleep 60"})
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Close()
	line := make([]byte, 6)
	if _, err := io.ReadFull(cmd.Stdout, line); err != nil || string(line) != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	begun := time.Now()
	if err := cmd.Signal(t.Context(), winrs.SignalCtrlC); err != nil {
		t.Error(err)
	}
	if code, err := cmd.Wait(t.Context()); err != nil || code == 0 {
		t.Errorf("exit code %d, %v", code, err)
	}
	if d := time.Since(begun); d > 10*time.Second {
		t.Errorf("the command ended after %s", d)
	}
}

// together runs several commands in one shell at the same time, each with its
// own input while its output is awaited.
func together(t *testing.T, c *casement.Connection) {
	s := shell(t, c, wsmanclient.ShellOptions{})
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			cmd, err := s.Start(t.Context(), wsmanclient.CommandOptions{Command: "while read l; do echo \"got $l\"; done"})
			if err != nil {
				t.Error(err)
				return
			}
			defer cmd.Close()
			buf := make([]byte, 64)
			for i := range 3 {
				want := fmt.Sprintf("got %d.%d\n", n, i)
				if _, err := io.WriteString(cmd.Stdin, want[4:]); err != nil {
					t.Error(err)
					return
				}
				if m, err := io.ReadFull(cmd.Stdout, buf[:len(want)]); err != nil || string(buf[:m]) != want {
					t.Errorf("%q, %v; want %q", buf[:m], err, want)
					return
				}
			}
			if err := cmd.Stdin.Close(); err != nil {
				t.Error(err)
			}
			if code, err := cmd.Wait(t.Context()); err != nil || code != 0 {
				t.Errorf("exit code %d, %v", code, err)
			}
		})
	}
	wg.Wait()
}

// copies copies a tree there and back, and goes on with broken copies.
func copies(t *testing.T, c *casement.Connection) {
	far, err := os.MkdirTemp("", "casement-far-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(far) })
	if err := os.Chmod(far, 0o777); err != nil {
		t.Fatal(err)
	}
	here := filepath.Join(t.TempDir(), "tree")
	files := map[string][]byte{"a.txt": []byte("one\n"), "sub/empty": {}, "sub/deep/it's \"odd\" $x.bin": make([]byte, 1500000)}
	rand.Read(files["sub/deep/it's \"odd\" $x.bin"]) //nolint:errcheck // never fails
	for name, data := range files {
		p := filepath.Join(here, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, data, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	var last casement.Progress
	r, err := c.CopyTo(t.Context(), here, far+"/copied", casement.CopyOptions{Progress: func(p casement.Progress) { last = p }})
	if err != nil || r.Files != 3 || r.Folders != 3 || r.Bytes != 1500004 {
		t.Fatalf("%+v, %v", r, err)
	}
	if last.Done != last.Total || last.Files != 2 {
		t.Errorf("the last progress was %+v", last)
	}
	for name, data := range files {
		if b, err := os.ReadFile(filepath.Join(far, "copied", name)); err != nil || !bytes.Equal(b, data) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	back := t.TempDir()
	if r, err = c.CopyFrom(t.Context(), far+"/copied", back, casement.CopyOptions{}); err != nil || r.Files != 3 || r.Bytes != 1500004 {
		t.Fatalf("%+v, %v", r, err)
	}
	for name, data := range files {
		if b, err := os.ReadFile(filepath.Join(back, "copied", name)); err != nil || !bytes.Equal(b, data) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	resumes(t, c, far, files["sub/deep/it's \"odd\" $x.bin"])
	if _, err := c.CopyFrom(t.Context(), far+"/absent", back, casement.CopyOptions{}); !errors.Is(err, filecopy.ErrNotFound) {
		t.Errorf("an absent file: %v", err)
	}
	if _, err := c.CopyTo(t.Context(), filepath.Join(here, "a.txt"), "/proc/casement", casement.CopyOptions{}); err == nil {
		t.Error("a file was written into /proc")
	}
}

// resumes leaves half of a file and copies on, in both directions, and does not
// go on with a half that is wrong.
func resumes(t *testing.T, c *casement.Connection, far string, data []byte) {
	here := t.TempDir()
	sum := sha256.Sum256(data)
	src := filepath.Join(here, "src")
	if err := os.WriteFile(src, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, half := range []struct {
		name string
		b    []byte
		kept int64
	}{{"half", data[:700000], 700000}, {"wrong", bytes.Repeat([]byte("x"), 700000), 0}, {"longer", append(bytes.Clone(data), 1), 0}} {
		part := filepath.Join(far, half.name+filecopy.Suffix)
		if err := errors.Join(os.WriteFile(part, half.b, 0o666), os.Chmod(part, 0o666)); err != nil {
			t.Fatal(err)
		}
		r, err := c.CopyTo(t.Context(), src, far+"/"+half.name, casement.CopyOptions{Resume: true})
		if err != nil || r.Resumed != half.kept || r.Bytes != int64(len(data))-half.kept {
			t.Errorf("%s there: %+v, %v", half.name, r, err)
		}
		local := filepath.Join(here, half.name)
		if err := os.WriteFile(local+filecopy.Suffix, half.b, 0o666); err != nil {
			t.Fatal(err)
		}
		r, err = c.CopyFrom(t.Context(), far+"/"+half.name, local, casement.CopyOptions{Resume: true})
		if err != nil || r.Resumed != half.kept || r.Bytes != int64(len(data))-half.kept {
			t.Errorf("%s back: %+v, %v", half.name, r, err)
		}
		b, err := os.ReadFile(local)
		if got := sha256.Sum256(b); err != nil || got != sum {
			t.Errorf("%s has the sum %s, %v", half.name, hex.EncodeToString(got[:]), err)
		}
		if _, err := os.Stat(local + filecopy.Suffix); err == nil {
			t.Errorf("%s: the part is left", half.name)
		}
	}
}

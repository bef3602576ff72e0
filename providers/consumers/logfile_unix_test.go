//go:build unix

package consumers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

func logs(t *testing.T) (p *Provider, dir string) {
	p = provider(t, Options{AppendLine: func(_ context.Context, creator cim.Caller, l Line) error {
		if creator.Token != administrator {
			t.Error("not as the creator")
		}
		return AppendLine(l)
	}})
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return p, dir
}

func content(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// TestLogFile has T-98: the size is tested before the write.
func TestLogFile(t *testing.T) {
	for _, tt := range []struct{ name, aside string }{{"short.log", "short.%03d"}, {"noext", "noext.%03d"}, {"a longer name.log", "a longer name.log%03d"}} {
		t.Run(tt.name, func(t *testing.T) {
			p, dir := logs(t)
			c := consumer(t, p, "LogFileEventConsumer", "Filename", filepath.Join(dir, tt.name), "Text", "%Name% is %CPUUtilization%%%", "MaximumFileSize", cim.U64(20))
			line := "sample is 90%\n" // 14 bytes
			event := testEvent(t)
			if err := consume(p, administrator, c, event, event); err != nil {
				t.Fatal(err)
			}
			if got := content(t, dir, tt.name); got != line+line {
				t.Errorf("T-98: 14 bytes are less than 20: %q", got)
			}
			if info, err := os.Stat(filepath.Join(dir, tt.name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", info.Mode(), err)
			}
			if err := consume(p, administrator, c, event, event, event); err != nil {
				t.Fatal(err)
			}
			for n, want := range []string{line + line, line + line} {
				if got := content(t, dir, fmt.Sprintf(tt.aside, n+1)); got != want {
					t.Errorf("backup %d: %q", n+1, got)
				}
			}
			if got := content(t, dir, tt.name); got != line {
				t.Errorf("28 bytes are more than 20: %q", got)
			}
		})
	}
}

func TestLogFileWithoutLimit(t *testing.T) {
	p, dir := logs(t)
	c := consumer(t, p, "LogFileEventConsumer", "Filename", filepath.Join(dir, "x.log"), "Text", strings.Repeat("x", 70000), "MaximumFileSize", cim.U64(0))
	if err := consume(p, administrator, c, testEvent(t), testEvent(t)); err != nil {
		t.Fatal(err)
	}
	if got := content(t, dir, "x.log"); len(got) != 2*70001 {
		t.Errorf("%d bytes", len(got))
	}
}

// TestLogFileUnicode: a new file is as IsUnicode says, one that exists stays
// what it is.
func TestLogFileUnicode(t *testing.T) {
	p, dir := logs(t)
	write := func(name string, wide bool) {
		t.Helper()
		c := consumer(t, p, "LogFileEventConsumer", "Filename", filepath.Join(dir, name), "Text", "ä", "IsUnicode", cim.Bool(wide))
		if err := consume(p, administrator, c, testEvent(t)); err != nil {
			t.Fatal(err)
		}
	}
	write("wide", true)
	write("wide", false)
	write("plain", false)
	write("plain", true)
	if got := content(t, dir, "wide"); got != "\xff\xfe\xe4\x00\n\x00\xe4\x00\n\x00" {
		t.Errorf("%q", got)
	}
	if got := content(t, dir, "plain"); got != "ä\nä\n" {
		t.Errorf("%q", got)
	}
}

// TestLogFileRefusals: what lies where the log should be is not followed.
func TestLogFileRefusals(t *testing.T) {
	p, dir := logs(t)
	victim, twice := filepath.Join(dir, "victim"), filepath.Join(dir, "twice")
	for name, err := range map[string]error{
		"victim": os.WriteFile(victim, []byte("precious"), 0o600), "link": os.Symlink(victim, filepath.Join(dir, "link")),
		"twice": os.WriteFile(twice, []byte("precious"), 0o600), "hard": os.Link(twice, filepath.Join(dir, "hard")),
		"folder": os.Mkdir(filepath.Join(dir, "folder"), 0o700), "folderlink": os.Symlink(filepath.Join(dir, "folder"), filepath.Join(dir, "folderlink")),
		"dangling": os.Symlink(filepath.Join(dir, "new"), filepath.Join(dir, "dangling")), "fifo": syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
	} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]cim.Status{
		"link": cim.ErrAccessDenied, "hard": cim.ErrAccessDenied, "folderlink/x": cim.ErrAccessDenied, "dangling": cim.ErrAccessDenied, "fifo": cim.ErrAccessDenied,
		"victim/x": cim.ErrAccessDenied, "missing/x": cim.ErrNotFound, "folder": cim.ErrFailed, "folder/x": 0,
	} {
		err := consume(p, administrator, consumer(t, p, "LogFileEventConsumer", "Filename", filepath.Join(dir, name), "Text", "x"), testEvent(t))
		if cim.StatusOf(err) != want {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		var said *cim.Error
		if errors.As(err, &said) && !strings.Contains(said.Detail, dir) {
			t.Errorf("%s: %q does not say what cannot be written", name, said.Detail)
		}
	}
	if got := content(t, victim) + content(t, twice); got != "preciousprecious" {
		t.Errorf("the victims have %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made through a link: %v", err)
	}
}

func TestNextBackup(t *testing.T) {
	full := []string{}
	for n := 1; n <= 999; n++ {
		full = append(full, fmt.Sprintf("a.%03d", n))
	}
	for _, tt := range []struct {
		names []string
		want  string
	}{
		{nil, "a.001"}, {[]string{"a.log", "b.005", "a.0x1", "a.0001", "a.000", "a.+12", "a.1000"}, "a.001"}, {[]string{"a.002", "a.007"}, "a.008"},
		{[]string{"a.999", "a.001"}, "a.002"}, {full, ""}, {append([]string{}, full[1:]...), "a.001"},
	} {
		var used backups
		for _, n := range tt.names {
			used.note("a.", n)
		}
		if got, ok := used.next("a."); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%.40q: %s, want %s", tt.names, got, tt.want)
		}
	}
	p, dir := logs(t)
	for _, n := range append(full, "a.log") {
		if err := os.WriteFile(filepath.Join(dir, n), []byte("xx"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := consumer(t, p, "LogFileEventConsumer", "Filename", filepath.Join(dir, "a.log"), "Text", "x", "MaximumFileSize", cim.U64(1))
	var failure *cim.Error
	if err := consume(p, administrator, c, testEvent(t)); !errors.As(err, &failure) || failure.Status != cim.ErrFailed || !strings.Contains(failure.Detail, "999 backups") {
		t.Errorf("999 backups: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "a.500")); err != nil {
		t.Fatal(err)
	}
	if err := consume(p, administrator, c, testEvent(t)); err != nil || content(t, dir, "a.500") != "xx" || content(t, dir, "a.log") != "x\n" {
		t.Errorf("one free name: %v", err)
	}
}

// TestLogFileHangs: a file system that does not answer costs its own consumers
// ten seconds a line and one goroutine, and the consumers of other folders
// nothing.
func TestLogFileHangs(t *testing.T) {
	event := testEvent(t)
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		var asked atomic.Int32
		p, err := New(Options{AppendLine: func(_ context.Context, _ cim.Caller, l Line) error {
			if strings.HasPrefix(l.File, "/net/") {
				asked.Add(1)
				<-answer
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		hanging, other := consumer(t, p, "LogFileEventConsumer", "Filename", "/net/x.log"), consumer(t, p, "LogFileEventConsumer", "Filename", "/srv/x.log")
		for range 3 {
			began := time.Now()
			done := make(chan error, 1)
			go func() { done <- consume(p, administrator, hanging, event) }()
			synctest.Wait()
			if err := consume(p, administrator, other, event); err != nil || time.Since(began) > 0 {
				t.Errorf("another folder: %v after %v", err, time.Since(began))
			}
			if err := <-done; !errors.Is(err, cim.ErrTimedOut) || time.Since(began) != lineTime {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		}
		if asked.Load() != 1 {
			t.Errorf("%d lines wait for the file system", asked.Load())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := &cimom.Request{Caller: cim.Caller{Token: administrator}, Class: hanging.Class()}
		if err := p.Consume(ctx, r, hanging, []*cim.Instance{event}); !errors.Is(err, context.Canceled) {
			t.Errorf("a consumer that is removed meanwhile: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		close(answer)
		synctest.Wait()
		if err := consume(p, administrator, hanging, event); err != nil {
			t.Errorf("it answers again: %v", err)
		}
	})
}

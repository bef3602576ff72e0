package auditlog

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path string, actions ...string) []byte {
	t.Helper()
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range actions {
		if err := l.Append(Entry{ID: "x", User: `HOST\ann "<&`, Action: a, Result: Done, Parameters: map[string]string{"p": `,"hash":"` + a}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The chain goes on over openings of the file; what is changed, moved, put in or
// taken out of the middle shows, and where.
func TestChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "one", "two")
	all := write(t, path, "three", "four")
	if n, err := Verify(bytes.NewReader(all)); n != 4 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	lines := strings.SplitAfter(string(all), "\n")[:4]
	for name, k := range map[string]struct {
		lines []string
		good  int
	}{
		"a line is changed":   {[]string{lines[0], strings.Replace(lines[1], "two", "owt", 1), lines[2], lines[3]}, 1},
		"its hash is changed": {[]string{lines[0], strings.Replace(lines[1], `"hash":"`, `"hash":"0`, 1), lines[2]}, 1},
		"a line is taken out": {[]string{lines[0], lines[2], lines[3]}, 1},
		"lines are moved":     {[]string{lines[0], lines[2], lines[1], lines[3]}, 1},
		"a line is doubled":   {[]string{lines[0], lines[1], lines[1]}, 2},
		"the first is gone":   {lines[1:], 0},
		"a line is no entry":  {[]string{lines[0], "{}\n"}, 1},
	} {
		if n, err := Verify(strings.NewReader(strings.Join(k.lines, ""))); err == nil || n != k.good {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// A line that a crash cut short is taken off, and a last line that was changed is no
// log to go on with.
func TestEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	all := write(t, path, "one", "two")
	if err := os.WriteFile(path, append(all, `{"prev":"12`...), 0o600); err != nil {
		t.Fatal(err)
	}
	all = write(t, path, "three")
	if n, err := Verify(bytes.NewReader(all)); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := os.WriteFile(path, bytes.Replace(all, []byte("three"), []byte("eerht"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil {
		t.Error("a log whose last line was changed is opened")
	}
}

func TestNewest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "one", "two", "three", "four")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was written
	list, err := l.Newest(2, func(e Entry) bool { return e.Action != "four" })
	if err != nil || len(list) != 2 || list[0].Action != "three" || list[1].Action != "two" {
		t.Errorf("%+v, %v", list, err)
	}
}

func FuzzVerify(f *testing.F) {
	line, _, err := seal("", Entry{Action: "x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"prev":"","hash":""}`))
	f.Fuzz(func(_ *testing.T, b []byte) { Verify(bytes.NewReader(b)) }) //nolint:errcheck // it must not panic
}

package filecopy

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/casementhq/casement/wsman/wsmanclient"
)

// local runs commands by this machine's shell: the far end without a network.
type local struct {
	t   *testing.T
	ran int
}

func (l *local) Run(ctx context.Context, o wsmanclient.CommandOptions, stdin io.Reader) (uint32, error) {
	l.ran++
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", o.Command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, o.Stdout, o.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return uint32(exit.ExitCode()), nil
	}
	return 0, err
}

func needShell(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("there is no /bin/sh")
	}
}

// TestOddNames: no name is read by the far shell as anything but a name.
func TestOddNames(t *testing.T) {
	needShell(t)
	here, far := t.TempDir(), t.TempDir()
	data := make([]byte, 100000)
	rand.Read(data) //nolint:errcheck // never fails
	src := filepath.Join(here, "src")
	if err := os.WriteFile(src, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plain", "two words", "it's", `"q"`, "$HOME", "`id`", "a;b", "-rf", "*", "new\nline", `back\slash`, "ünï", "--"} {
		p := filepath.Join(far, name)
		if _, err := To(t.Context(), &local{t: t}, src, p, Options{}); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if b, err := os.ReadFile(p); err != nil || !bytes.Equal(b, data) {
			t.Errorf("%q holds %d bytes, %v", name, len(b), err)
		}
		back := filepath.Join(here, "back")
		if _, err := From(t.Context(), &local{t: t}, p, back, Options{}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if b, err := os.ReadFile(back); err != nil || !bytes.Equal(b, data) {
			t.Errorf("%q came back with %d bytes, %v", name, len(b), err)
		}
	}
	entries, err := os.ReadDir(far)
	if err != nil || len(entries) != 13 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

// TestIntoFolders: a folder that is there is copied into, one that is not is made.
func TestIntoFolders(t *testing.T) {
	needShell(t)
	here, far := t.TempDir(), t.TempDir()
	src := filepath.Join(here, "f.txt")
	if err := os.WriteFile(src, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for remote, want := range map[string]string{far: "f.txt", far + "/new/": "new/f.txt", far + "/g.txt": "g.txt"} {
		if _, err := To(t.Context(), &local{t: t}, src, remote, Options{}); err != nil {
			t.Errorf("%s: %v", remote, err)
		}
		if _, err := os.Stat(filepath.Join(far, want)); err != nil {
			t.Errorf("%s: %v", remote, err)
		}
	}
	if _, err := To(t.Context(), &local{t: t}, filepath.Join(here, "absent"), far, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent source: %v", err)
	}
}

// hostile answers as a far end would that wants to write elsewhere.
type hostile struct {
	kind, list, data string
}

func (h *hostile) Run(_ context.Context, o wsmanclient.CommandOptions, _ io.Reader) (uint32, error) {
	out := h.data
	switch {
	case strings.Contains(o.Command, "%OS%"):
		out = "%OS%\n"
	case strings.Contains(o.Command, "echo d;"):
		out = h.kind + "\n"
	case strings.Contains(o.Command, "-print0"):
		out = h.list
	}
	_, err := io.WriteString(o.Stdout, out)
	return 0, err
}

// TestHostileFarEnd: what a far end sends cannot leave the folder, fill it
// beyond what was announced, or pass for another file.
func TestHostileFarEnd(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for name, test := range map[string]struct {
		h    hostile
		want error
	}{
		"file outside":    {hostile{"d", ".\x00\x00../evil\x00", "1 0 " + sum + "\nx"}, ErrUnsafeName},
		"absolute file":   {hostile{"d", ".\x00\x00/etc/evil\x00", "1 0 " + sum + "\nx"}, ErrUnsafeName},
		"folder outside":  {hostile{"d", ".\x00./a/../../evil\x00\x00", ""}, ErrUnsafeName},
		"wrong checksum":  {hostile{"d", ".\x00\x00./f\x00", "1 0 " + sum + "\nx"}, ErrChecksum},
		"more than said":  {hostile{"d", ".\x00\x00./f\x00", "1 0 " + sum + "\nxxxx"}, nil},
		"bad header":      {hostile{"f", "", "hello\n"}, nil},
		"negative offset": {hostile{"f", "", "5 -1 " + sum + "\nxxxxx"}, nil},
		"offset unasked":  {hostile{"f", "", "5 3 " + sum + "\nxx"}, nil},
		"endless header":  {hostile{"f", "", strings.Repeat("x", 10000)}, nil},
		"nothing":         {hostile{"f", "", ""}, nil},
	} {
		dir := t.TempDir()
		into := filepath.Join(dir, "into")
		_, err := From(t.Context(), &test.h, "/src", into, Options{Resume: true})
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if _, err := os.Stat(filepath.Join(dir, "evil")); err == nil {
			t.Errorf("%s: a file was written outside", name)
		}
	}
}

// TestLinksAreNotFollowedOut: a link that stands in the folder already does not
// lead a file out of it.
func TestLinksAreNotFollowedOut(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	into := filepath.Join(dir, "into")
	if err := errors.Join(os.Mkdir(into, 0o700), os.Symlink(out, filepath.Join(into, "src"))); err != nil {
		t.Skip(err)
	}
	h := &hostile{"d", ".\x00\x00./link/f\x00", "0 0 " + strings.Repeat("ab", 32) + "\n"}
	if err := os.Symlink(out, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "tree")
	if err := errors.Join(os.Mkdir(root, 0o700), os.Symlink(out, filepath.Join(root, "link"))); err != nil {
		t.Fatal(err)
	}
	c := &receiver{far: &posix{runner{h}}, o: &Options{}}
	if err := c.tree(t.Context(), "/src", root); err == nil {
		t.Error("a file was written through a link")
	}
	if entries, _ := os.ReadDir(out); len(entries) > 0 {
		t.Errorf("%v was written", entries)
	}
}

// decodeScript is what PowerShell does with -EncodedCommand: base64 of UTF-16LE.
func decodeScript(t *testing.T, command string) string {
	t.Helper()
	_, encoded, found := strings.Cut(command, "-EncodedCommand ")
	b, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil || len(b)%2 != 0 {
		t.Fatalf("%v in %s", err, command)
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
	}
	return string(utf16.Decode(units))
}

// windows plays the PowerShell far end for one file in memory. It shows that
// our two halves fit each other and that the commands fit cmd.exe; that
// PowerShell reads the scripts as meant, it does not show.
type windows struct {
	t     *testing.T
	files map[string][]byte
}

func (w *windows) Run(_ context.Context, o wsmanclient.CommandOptions, stdin io.Reader) (uint32, error) {
	if o.Command == "echo %OS%" {
		_, err := io.WriteString(o.Stdout, "Windows_NT\r\n")
		return 0, err
	}
	if len(o.Command) > 8191 { // the longest line of cmd.exe
		w.t.Errorf("a command of %d characters", len(o.Command))
	}
	s := decodeScript(w.t, o.Command)
	if !strings.Contains(s, `'C:\it''s\f.bin'`) {
		w.t.Errorf("the path is not quoted in %s", s)
	}
	switch {
	case strings.Contains(s, "Directory]::Exists"):
		kind := "-"
		if w.files["f"] != nil {
			kind = "f"
		}
		_, err := io.WriteString(o.Stdout, kind+"\r\n")
		return 0, err
	case strings.Contains(s, "$input"):
		b, err := io.ReadAll(stdin)
		if err != nil {
			return 0, err
		}
		var data []byte
		for line := range strings.Lines(string(b)) {
			if data, err = base64.StdEncoding.AppendDecode(data, []byte(strings.TrimSpace(line))); err != nil {
				w.t.Error(err)
			}
		}
		sum, _, err := sums(bytes.NewReader(data), 0)
		if !strings.Contains(s, sum) {
			return exitChecksum, err
		}
		w.files["f"] = data
		return 0, err
	}
	data := w.files["f"]
	if data == nil {
		return exitMissing, nil
	}
	sum, _, err := sums(bytes.NewReader(data), 0)
	if err != nil {
		return 0, err
	}
	var b strings.Builder
	b.WriteString(strings.Join([]string{strconv.Itoa(len(data)), "0", strings.ToUpper(sum)}, " ") + "\r\n")
	for len(data) > 0 {
		n := min(len(data), 49152)
		b.WriteString(base64.StdEncoding.EncodeToString(data[:n]) + "\r\n")
		data = data[n:]
	}
	for s := b.String(); s != ""; { // in pieces that fall anywhere
		n := min(len(s), 7001)
		if _, err := io.WriteString(o.Stdout, s[:n]); err != nil {
			return 0, err
		}
		s = s[n:]
	}
	return 0, nil
}

func TestPowerShellHalvesFit(t *testing.T) {
	w := &windows{t: t, files: map[string][]byte{}}
	data := make([]byte, 200001)
	rand.Read(data) //nolint:errcheck // never fails
	src := filepath.Join(t.TempDir(), "src")
	if err := os.WriteFile(src, data, 0o600); err != nil {
		t.Fatal(err)
	}
	const remote = `C:\it's\f.bin`
	r, err := To(t.Context(), w, src, remote, Options{})
	if err != nil || r.Files != 1 || !bytes.Equal(w.files["f"], data) {
		t.Fatalf("%+v, %v", r, err)
	}
	back := filepath.Join(t.TempDir(), "back")
	if r, err = From(t.Context(), w, remote, back, Options{}); err != nil || r.Bytes != int64(len(data)) {
		t.Fatalf("%+v, %v", r, err)
	}
	if b, err := os.ReadFile(back); err != nil || !bytes.Equal(b, data) {
		t.Errorf("%d bytes came back, %v", len(b), err)
	}
}

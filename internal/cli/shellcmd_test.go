package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestShell(t *testing.T) {
	server(t)
	lines := []string{
		"cd /usr", "pwd", `X="it's"`, `echo "$X" done`, "", "echo to-stderr >&2",
		"cat", // its input is empty, it must not eat the lines that follow
		"false", "echo code $?", "echo $((6*7))",
	}
	r := cli(t, strings.Join(lines, "\n"), "casement", "shell", "srv").want(t, 0)
	if want := "/usr\nit's done\nto-stderr\ncode 1\n42\n"; r.out+r.err != want {
		t.Errorf("stdout %q, stderr %q, want %q", r.out, r.err, want)
	}
	if r := cli(t, "echo a\nexit 7\necho b", "casement", "shell", "srv").want(t, 7); r.out != "a\n" {
		t.Errorf("%q", r.out)
	}
	cli(t, "(exit 5)", "casement", "shell", "srv").want(t, 5)
	// A line that cannot be read costs itself alone.
	cli(t, "cd /usr\nif then fi\npwd", "casement", "shell", "srv").want(t, 0, "/usr\n")
	cli(t, "", "casement", "shell").want(t, 2)
}

func TestMarkFilter(t *testing.T) {
	const text = "one\x1eABX two\x1eABC 0 /tmp\x1ethree\n\x1eABC 12 /a b\x1e"
	for chunk := 1; chunk <= len(text); chunk++ {
		var out bytes.Buffer
		marks := make(chan string, 4)
		f := &markFilter{w: &out, mark: "\x1eABC ", marks: marks}
		for rest := text; rest != ""; rest = rest[min(chunk, len(rest)):] {
			if _, err := f.Write([]byte(rest[:min(chunk, len(rest))])); err != nil {
				t.Fatal(err)
			}
		}
		close(marks)
		var got []string
		for m := range marks {
			got = append(got, m)
		}
		if out.String() != "one\x1eABX twothree\n" || !slices.Equal(got, []string{"0 /tmp", "12 /a b"}) {
			t.Fatalf("pieces of %d: %q %q", chunk, out.String(), got)
		}
	}
}

package filecopy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/casementhq/casement/wsman/wsmanclient"
)

// posix is the far end of hosts with a POSIX shell: Casement's.
type posix struct{ runner }

// sha defines a function that prints the SHA-256 of its input.
const sha = `sha() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-64; }; `

// quote makes one word of the shell of s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// safe keeps a path from being read as an option.
func safe(p string) string {
	if strings.HasPrefix(p, "-") {
		return "./" + p
	}
	return p
}

func (f *posix) script(p, body string) wsmanclient.CommandOptions {
	return wsmanclient.CommandOptions{Command: "f=" + quote(safe(p)) + "; t=\"$f" + Suffix + "\"; " + sha + body}
}

func (f *posix) stat(ctx context.Context, p string) (kind, error) {
	out, err := f.text(ctx, f.script(p, `if [ -d "$f" ]; then echo d; elif [ -e "$f" ]; then echo f; else echo -; fi`), nil)
	if err != nil {
		return 0, err
	}
	if out = strings.TrimSpace(out); len(out) != 1 {
		return 0, fmt.Errorf("the far end answers %q", out)
	}
	return kind(out[0]), nil
}

func (f *posix) part(ctx context.Context, p string) (int64, string, error) {
	out, err := f.text(ctx, f.script(p, `if [ -f "$t" ]; then echo $(wc -c < "$t") $(sha < "$t"); else echo 0 -; fi`), nil)
	if err != nil {
		return 0, "", err
	}
	words := strings.Fields(out)
	if len(words) != 2 {
		return 0, "", fmt.Errorf("the far end answers %q", out)
	}
	n, err := strconv.ParseInt(words[0], 10, 64)
	return n, words[1], err
}

func (f *posix) put(ctx context.Context, p string, o putOptions, data io.Reader) error {
	body := `cat > "$t"`
	if o.offset > 0 {
		body = `cat >> "$t"`
	}
	body += ` || exit 1; [ "$(sha < "$t")" = ` + o.sum + ` ] || exit ` + strconv.Itoa(exitChecksum)
	if o.executable {
		body += `; chmod u+x,g+x,o+x "$t"`
	}
	return f.run(ctx, f.script(p, body+`; mv -f "$t" "$f"`), data)
}

func (f *posix) get(ctx context.Context, p string, have int64, haveSum string, begin func(header) (io.Writer, error)) error {
	n := strconv.FormatInt(have, 10)
	body := `[ -f "$f" ] || exit ` + strconv.Itoa(exitMissing) + `; o=0; `
	if have > 0 {
		body += `[ "$(head -c ` + n + ` "$f" | sha)" = ` + haveSum + ` ] && o=` + n + `; `
	}
	body += `echo $(wc -c < "$f") $o $(sha < "$f"); if [ $o -eq 0 ]; then exec cat "$f"; else exec tail -c +$((o+1)) "$f"; fi`
	o := f.script(p, body)
	o.Stdout = &headed{begin: begin}
	return f.run(ctx, o, nil)
}

// headed takes the line with the header off a stream.
type headed struct {
	begin func(header) (io.Writer, error)
	line  []byte
	w     io.Writer
}

// Write implements io.Writer.
func (h *headed) Write(b []byte) (int, error) {
	n := len(b)
	if h.w == nil {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			i = len(b)
		}
		if h.line = append(h.line, b[:i]...); len(h.line) > 256 {
			return 0, fmt.Errorf("the far end begins with %q", h.line[:64])
		}
		if i == len(b) {
			return n, nil
		}
		b = b[i+1:]
		head, err := parseHeader(string(h.line))
		if err != nil {
			return 0, err
		}
		if h.w, err = h.begin(head); err != nil {
			return 0, err
		}
	}
	if len(b) > 0 {
		if _, err := h.w.Write(b); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// parseHeader reads "SIZE OFFSET SHA256".
func parseHeader(line string) (h header, err error) {
	words := strings.Fields(line)
	if len(words) == 3 && len(words[2]) == 64 {
		var e1, e2 error
		h.size, e1 = strconv.ParseInt(words[0], 10, 64)
		h.offset, e2 = strconv.ParseInt(words[1], 10, 64)
		h.sum = strings.ToLower(words[2])
		if e1 == nil && e2 == nil && h.offset >= 0 && h.offset <= h.size {
			return h, nil
		}
	}
	return h, fmt.Errorf("the far end begins with %.80q, not with size, offset and checksum", line)
}

// maxList bounds the names of a folder's files, in bytes.
const maxList = 64 << 20

func (f *posix) list(ctx context.Context, p string) (folders, files []string, err error) {
	out := &bounded{limit: maxList}
	o := f.script(p, `cd "$f" || exit 1; find . -type d -print0; printf '\0'; find . -type f ! -name '*`+Suffix+`' -print0`)
	o.Stdout = out
	if err := f.run(ctx, o, nil); err != nil {
		return nil, nil, err
	}
	d, r, _ := strings.Cut(string(out.b), "\x00\x00")
	split := func(s string) (names []string) {
		for name := range strings.SplitSeq(s, "\x00") {
			if name = strings.TrimPrefix(name, "./"); name != "" && name != "." {
				names = append(names, name)
			}
		}
		return names
	}
	return split(d), split(r), nil
}

func (f *posix) mkdir(ctx context.Context, paths []string) error {
	for len(paths) > 0 {
		cmd, n := "mkdir -p", 0
		for n < len(paths) && len(cmd) < 6000 {
			cmd += " " + quote(safe(paths[n]))
			n++
		}
		if err := f.run(ctx, wsmanclient.CommandOptions{Command: cmd}, nil); err != nil {
			return err
		}
		paths = paths[n:]
	}
	return nil
}

func (f *posix) join(folder, name string) string { return path.Join(folder, name) }

func (f *posix) base(p string) string { return path.Base(p) }

func (f *posix) isFolderName(p string) bool { return strings.HasSuffix(p, "/") }

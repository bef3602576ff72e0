package filecopy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/casementhq/casement/wsman/wsmanclient"
)

// powershell is the far end of Windows hosts. Its streams carry text there, so
// data goes as lines of base64.
type powershell struct{ runner }

// literal is a string constant of PowerShell.
func literal(s string) string {
	for _, q := range []string{"\u2018", "\u2019", "\u201a", "\u201b"} { // PowerShell takes them for quotes
		s = strings.ReplaceAll(s, q, q+q)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// prelude defines the path, resolved, and the SHA-256 of a part of a file.
const prelude = `$ErrorActionPreference='Stop';$ProgressPreference='SilentlyContinue';` +
	`$f=$ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath(%s);$t=$f+'` + Suffix + `';` +
	`function Sum($p,[long]$n){$s=[IO.File]::OpenRead($p);$h=[Security.Cryptography.SHA256]::Create();$b=New-Object byte[] 65536;` +
	`try{while($n -gt 0 -and ($r=$s.Read($b,0,[Math]::Min($n,65536))) -gt 0){[void]$h.TransformBlock($b,0,$r,$b,0);$n-=$r}` +
	`[void]$h.TransformFinalBlock($b,0,0);-join($h.Hash|ForEach-Object{$_.ToString('x2')})}finally{$s.Close()}};`

// script is a command that runs a program of PowerShell.
func (f *powershell) script(p, body string) wsmanclient.CommandOptions {
	text := fmt.Sprintf(prelude, literal(p)) + body
	var raw []byte
	for _, u := range utf16.Encode([]rune(text)) {
		raw = append(raw, byte(u), byte(u>>8))
	}
	return wsmanclient.CommandOptions{Command: "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand " +
		base64.StdEncoding.EncodeToString(raw)}
}

func (f *powershell) stat(ctx context.Context, p string) (kind, error) {
	out, err := f.text(ctx, f.script(p, `if([IO.Directory]::Exists($f)){'d'}elseif([IO.File]::Exists($f)){'f'}else{'-'}`), nil)
	if err != nil {
		return 0, err
	}
	if out = strings.TrimSpace(out); len(out) != 1 {
		return 0, fmt.Errorf("the far end answers %q", out)
	}
	return kind(out[0]), nil
}

func (f *powershell) part(ctx context.Context, p string) (int64, string, error) {
	out, err := f.text(ctx, f.script(p, `if([IO.File]::Exists($t)){$n=(New-Object IO.FileInfo $t).Length;"$n $(Sum $t $n)"}else{'0 -'}`), nil)
	if err != nil {
		return 0, "", err
	}
	words := strings.Fields(out)
	if len(words) != 2 {
		return 0, "", fmt.Errorf("the far end answers %q", out)
	}
	n, err := strconv.ParseInt(words[0], 10, 64)
	return n, strings.ToLower(words[1]), err
}

func (f *powershell) put(ctx context.Context, p string, o putOptions, data io.Reader) error {
	mode := "Create"
	if o.offset > 0 {
		mode = "Append"
	}
	body := `$w=New-Object IO.FileStream $t,([IO.FileMode]::` + mode + `);` +
		`try{$input|ForEach-Object{if($_){$b=[Convert]::FromBase64String($_);$w.Write($b,0,$b.Length)}}}finally{$w.Close()};` +
		`if((Sum $t ([long]::MaxValue)) -ne '` + o.sum + `'){exit ` + strconv.Itoa(exitChecksum) + `};` +
		`if([IO.File]::Exists($f)){[IO.File]::Delete($f)};[IO.File]::Move($t,$f)`
	r, w := io.Pipe()
	go func() { w.CloseWithError(encodeLines(w, data)) }() //nolint:errcheck // never fails
	defer r.Close()                                        //nolint:errcheck // ends the goroutine
	return f.run(ctx, f.script(p, body), r)
}

// lineSize is how many bytes a line of base64 carries.
const lineSize = 48 << 10

func encodeLines(w io.Writer, data io.Reader) error {
	buf := make([]byte, lineSize)
	var line []byte
	for {
		n, err := io.ReadFull(data, buf)
		if n > 0 {
			line = append(base64.StdEncoding.AppendEncode(line[:0], buf[:n]), "\r\n"...)
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (f *powershell) get(ctx context.Context, p string, have int64, haveSum string, begin func(header) (io.Writer, error)) error {
	n := strconv.FormatInt(have, 10)
	body := `if(-not [IO.File]::Exists($f)){exit ` + strconv.Itoa(exitMissing) + `};[long]$o=0;$z=(New-Object IO.FileInfo $f).Length;`
	if have > 0 {
		body += `if($z -ge ` + n + ` -and (Sum $f ` + n + `) -eq '` + haveSum + `'){$o=` + n + `};`
	}
	body += `[Console]::Out.WriteLine("$z $o $(Sum $f $z)");$s=[IO.File]::OpenRead($f);[void]$s.Seek($o,0);$b=New-Object byte[] 49152;` +
		`try{while(($r=$s.Read($b,0,49152)) -gt 0){[Console]::Out.WriteLine([Convert]::ToBase64String($b,0,$r))}}finally{$s.Close()}`
	o := f.script(p, body)
	d := &lines{begin: begin}
	o.Stdout = d
	if err := f.run(ctx, o, nil); err != nil {
		return err
	}
	return d.flush()
}

// lines decodes a stream whose first line is the header and whose others are
// base64.
type lines struct {
	begin func(header) (io.Writer, error)
	rest  []byte
	data  []byte
	w     io.Writer
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			l.rest = append(l.rest, b...)
			if len(l.rest) > 1<<20 {
				return 0, errors.New("the far end sends a line that is too long")
			}
			return n, nil
		}
		l.rest = append(l.rest, b[:i]...)
		b = b[i+1:]
		if err := l.flush(); err != nil {
			return 0, err
		}
	}
}

// flush decodes the line at hand.
func (l *lines) flush() (err error) {
	line := bytes.TrimSpace(l.rest)
	l.rest = l.rest[:0]
	if len(line) == 0 {
		return nil
	}
	if l.w == nil {
		head, err := parseHeader(string(line))
		if err != nil {
			return err
		}
		l.w, err = l.begin(head)
		return err
	}
	if l.data, err = base64.StdEncoding.AppendDecode(l.data[:0], line); err != nil {
		return fmt.Errorf("the far end sends a line that is not base64: %w", err)
	}
	_, err = l.w.Write(l.data)
	return err
}

func (f *powershell) list(ctx context.Context, p string) (folders, files []string, err error) {
	out := &bounded{limit: maxList}
	o := f.script(p, `[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false;$n=$f.TrimEnd('\').Length+1;`+
		`Get-ChildItem -LiteralPath $f -Recurse -Force|ForEach-Object{`+
		`if($_.PSIsContainer){'d '+$_.FullName.Substring($n)}elseif($_.Name -notlike '*`+Suffix+`'){'f '+$_.FullName.Substring($n)}}`)
	o.Stdout = out
	if err := f.run(ctx, o, nil); err != nil {
		return nil, nil, err
	}
	sc := bufio.NewScanner(bytes.NewReader(out.b))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		what, name, _ := strings.Cut(strings.TrimSuffix(sc.Text(), "\r"), " ")
		name = strings.ReplaceAll(name, `\`, "/")
		switch what {
		case "d":
			folders = append(folders, name)
		case "f":
			files = append(files, name)
		}
	}
	return folders, files, sc.Err()
}

func (f *powershell) mkdir(ctx context.Context, paths []string) error {
	for len(paths) > 0 {
		names, n, size := "", 0, 0
		for n < len(paths) && size < 500 {
			names += "," + literal(paths[n])
			size += len(paths[n])
			n++
		}
		body := `foreach($d in @(` + names[1:] + `)){[void](New-Item -ItemType Directory -Force -Path $d)}`
		if err := f.run(ctx, f.script(".", body), nil); err != nil {
			return err
		}
		paths = paths[n:]
	}
	return nil
}

func (f *powershell) join(folder, name string) string {
	return strings.TrimRight(folder, `\/`) + `\` + strings.ReplaceAll(name, "/", `\`)
}

func (f *powershell) base(p string) string {
	p = strings.TrimRight(p, `\/`)
	return p[strings.LastIndexAny(p, `\/:`)+1:]
}

func (f *powershell) isFolderName(p string) bool {
	return strings.HasSuffix(p, "/") || strings.HasSuffix(p, `\`)
}

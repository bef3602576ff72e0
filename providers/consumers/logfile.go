package consumers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/casementhq/casement/cim"
)

// Line is a line for a log file.
type Line struct {
	File    string // the whole path
	Text    string // without the end of the line
	Limit   uint64 // bytes: a file that is larger is put aside before; 0: none is
	Unicode bool   // a file that is new is in UTF-16, else in UTF-8
}

// lineTime is how long a file system may take for a line. The server of a hard
// mount may never answer.
const lineTime = 10 * time.Second

func checkLogFile(c *cim.Instance) error {
	name, _ := text(c, "Filename")
	if !filepath.IsAbs(name) || strings.IndexByte(name, 0) >= 0 || strings.HasSuffix(name, "/") {
		return invalid("Filename is not the whole path of a file")
	}
	return nil
}

// appendLine hands one line to whoever writes as the creator.
func (p *Provider) appendLine(ctx context.Context, creator cim.Caller, c *cim.Instance, x *expansion) error {
	if p.o.AppendLine == nil {
		return denied("log files of event consumers are not permitted here")
	}
	var l Line
	var err error
	if l.Text, err = filled(c, "Text", x); err != nil {
		return err
	}
	l.File, _ = text(c, "Filename")
	l.Limit, _ = c.Get("MaximumFileSize").Uint()
	l.Unicode, _ = c.Get("IsUnicode").Bool()
	within, cancel := context.WithTimeout(ctx, lineTime)
	defer cancel()
	err = p.folders.alone(within, filepath.Dir(l.File), func() error { return p.o.AppendLine(within, creator, l) })
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return &cim.Error{Status: cim.ErrTimedOut, Detail: fmt.Sprintf("the file system of %s does not answer within %v", l.File, lineTime), Err: err}
	}
	return err
}

// AppendLine appends a line to a file as the user of this process. The size is
// tested before, so that the file becomes larger than the limit by one line at
// most. A new file is its owner's alone. Nothing is followed elsewhere: a path
// with a symbolic link, a file with a second name and whatever else is no
// ordinary file fail with ErrAccessDenied, a folder that is not there with
// ErrNotFound.
func AppendLine(l Line) error {
	err := appendTo(l)
	e := &cim.Error{Status: cim.ErrFailed, Err: err}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		e.Status = cim.ErrNotFound
	case errors.Is(err, fs.ErrPermission):
		e.Status = cim.ErrAccessDenied
	}
	e.Detail = "the log file cannot be written: " + err.Error()
	return e
}

func appendTo(l Line) error {
	dir, err := openFolder(filepath.Dir(l.File))
	if err != nil {
		return err
	}
	defer dir.Close()
	name := filepath.Base(l.File)
	f, err := dir.Append(name)
	if err != nil {
		return err
	}
	defer func() { f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	wide, err := isWide(f, size, l.Unicode)
	if err != nil {
		return err
	}
	if l.Limit > 0 && uint64(size) > l.Limit {
		f.Close()
		if err := putAside(dir, name); err != nil {
			return err
		}
		if f, err = dir.Append(name); err != nil {
			return err
		}
		size = 0
	}
	b := []byte(l.Text + "\n")
	if wide {
		b = utf16Text(l.Text+"\n", size == 0)
	}
	_, err = f.Write(b)
	return err
}

// isWide tells whether a file is in UTF-16: as it begins, or as is wanted of
// one that is new.
func isWide(f *os.File, size int64, wanted bool) (bool, error) {
	if size == 0 {
		return wanted, nil
	}
	var mark [2]byte
	if _, err := f.ReadAt(mark[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return mark == [2]byte{0xFF, 0xFE}, nil
}

func utf16Text(s string, begins bool) []byte {
	var b []byte
	if begins {
		b = []byte{0xFF, 0xFE}
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// putAside gives a full log file the name that is next. See spec/wmi.md 5.4.
func putAside(dir folder, name string) error {
	stem := name
	if isShortName(name) {
		stem = strings.TrimSuffix(name, filepath.Ext(name)) + "."
	}
	var used backups
	if err := dir.Names(func(n string) { used.note(stem, n) }); err != nil {
		return err
	}
	backup, ok := used.next(stem)
	if !ok {
		return errors.New("it is full and has 999 backups")
	}
	return dir.Move(name, backup)
}

// backups are the numbers that are in use, from 1 to 999.
type backups [1000]bool

func (used *backups) note(stem, name string) {
	digits, _ := strings.CutPrefix(name, stem)
	if k, err := strconv.Atoi(digits); err == nil && k > 0 && k < len(used) && name == backupName(stem, k) {
		used[k] = true
	}
}

// next adds to stem the number above all that are in use, then the smallest
// that is free.
func (used *backups) next(stem string) (string, bool) {
	top := len(used) - 1
	for top > 0 && !used[top] {
		top--
	}
	if top+1 < len(used) {
		return backupName(stem, top+1), true
	}
	for k := 1; k < len(used); k++ {
		if !used[k] {
			return backupName(stem, k), true
		}
	}
	return "", false
}

func backupName(stem string, k int) string { return fmt.Sprintf("%s%03d", stem, k) }

// isShortName tells whether a name is one of eight characters and three.
func isShortName(name string) bool {
	base, extension, _ := strings.Cut(name, ".")
	return len(base) >= 1 && len(base) <= 8 && len(extension) <= 3 && !strings.ContainsAny(extension, ".") && !strings.Contains(name, " ")
}

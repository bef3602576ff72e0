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
	"unicode/utf16"

	"github.com/casementhq/casement/cim"
)

// Folder is a folder of log files, opened as the creator of a consumer.
// Nothing in it is followed elsewhere: a symbolic link, a file with a second
// name and whatever else is no ordinary file is refused with an error that is
// fs.ErrPermission.
type Folder interface {
	// Append opens a file for reading and for writing at its end, and makes it
	// where there is none, for its owner alone.
	Append(name string) (*os.File, error)
	// Move gives a file another name: fs.ErrExist where that is taken.
	Move(from, to string) error
	// Names are the names of all files.
	Names() ([]string, error)
	Close() error
}

func checkLogFile(c *cim.Instance) error {
	name, _ := text(c, "Filename")
	if !filepath.IsAbs(name) || strings.IndexByte(name, 0) >= 0 || strings.HasSuffix(name, "/") {
		return invalid("Filename is not the whole path of a file")
	}
	return nil
}

// appendLine writes one line. The size is tested before, so that the file
// becomes larger than MaximumFileSize by one line at most.
func (p *Provider) appendLine(ctx context.Context, creator cim.Caller, c *cim.Instance, x *expansion) error {
	if p.o.OpenFolder == nil {
		return denied("log files of event consumers are not permitted here")
	}
	line, err := filled(c, "Text", x)
	if err != nil {
		return err
	}
	name, _ := text(c, "Filename")
	folder, err := p.o.OpenFolder(ctx, creator, filepath.Dir(name))
	if err != nil {
		return notWritten(err)
	}
	defer folder.Close()
	limit, _ := c.Get("MaximumFileSize").Uint()
	wide, _ := c.Get("IsUnicode").Bool()
	p.logs.Lock()
	defer p.logs.Unlock()
	if err := appendTo(folder, filepath.Base(name), line, limit, wide); err != nil {
		return notWritten(err)
	}
	return nil
}

func notWritten(err error) error {
	e := &cim.Error{Status: cim.ErrFailed, Detail: "the log file cannot be written", Err: err}
	var known *cim.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, fs.ErrNotExist):
		e.Status = cim.ErrNotFound
	case errors.Is(err, fs.ErrPermission):
		e.Status = cim.ErrAccessDenied
	}
	return e
}

func appendTo(folder Folder, name, line string, limit uint64, wide bool) error {
	f, err := folder.Append(name)
	if err != nil {
		return err
	}
	defer func() { f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if limit > 0 && uint64(size) > limit {
		if wide, err = isWide(f, size, wide); err != nil {
			return err
		}
		f.Close()
		if err := putAside(folder, name); err != nil {
			return err
		}
		if f, err = folder.Append(name); err != nil {
			return err
		}
		size = 0
	}
	if wide, err = isWide(f, size, wide); err != nil {
		return err
	}
	b := []byte(line + "\n")
	if wide {
		b = utf16Text(line+"\n", size == 0)
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
func putAside(folder Folder, name string) error {
	names, err := folder.Names()
	if err != nil {
		return err
	}
	stem := name
	if isShortName(name) {
		stem = strings.TrimSuffix(name, filepath.Ext(name)) + "."
	}
	backup, ok := nextBackup(stem, names)
	if !ok {
		return &cim.Error{Status: cim.ErrFailed, Detail: "the log file is full and has 999 backups"}
	}
	return folder.Move(name, backup)
}

// nextBackup adds to stem the number above all that are in use, from 001 to
// 999, then the smallest that is free.
func nextBackup(stem string, names []string) (string, bool) {
	used := map[int]bool{}
	top := 0
	for _, n := range names {
		digits, _ := strings.CutPrefix(n, stem)
		if k, err := strconv.Atoi(digits); err == nil && k > 0 && n == backupName(stem, k) {
			used[k], top = true, max(top, k)
		}
	}
	if top < 999 {
		return backupName(stem, top+1), true
	}
	for k := 1; k < 1000; k++ {
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

package filecopy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// To copies a local file or folder to the far end. A folder goes into remote
// where that is a folder, else it becomes remote.
func To(ctx context.Context, s Shell, local, remote string, o Options) (Result, error) {
	begun := time.Now()
	c := &sender{o: &o}
	var err error
	if c.far, err = detect(ctx, s, &o); err == nil {
		err = c.copy(ctx, local, remote)
	}
	c.res.Elapsed = time.Since(begun)
	if err != nil {
		return c.res, fmt.Errorf("copy %s to %s: %w", local, remote, err)
	}
	return c.res, nil
}

type sender struct {
	far farEnd
	o   *Options
	res Result
}

func (c *sender) copy(ctx context.Context, local, remote string) error {
	info, err := os.Stat(local)
	if err != nil {
		return err
	}
	at, err := c.far.stat(ctx, remote)
	if err != nil {
		return err
	}
	name := filepath.Base(filepath.Clean(local))
	if at == folder || c.far.isFolderName(remote) && !info.IsDir() {
		if at != folder {
			if err := c.far.mkdir(ctx, []string{remote}); err != nil {
				return err
			}
		}
		if abs, err := filepath.Abs(local); err == nil {
			name = filepath.Base(abs)
		}
		remote = c.far.join(remote, name)
	}
	if !info.IsDir() {
		return c.file(ctx, local, remote, name, info)
	}
	return c.tree(ctx, local, remote)
}

// tree copies a folder: the folders first, then each file.
func (c *sender) tree(ctx context.Context, local, remote string) error {
	folders := []string{remote}
	var files []string
	err := filepath.WalkDir(local, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(local, p)
		if err != nil || rel == "." {
			return err
		}
		switch {
		case d.IsDir():
			folders = append(folders, c.far.join(remote, filepath.ToSlash(rel)))
		case d.Type().IsRegular():
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.far.mkdir(ctx, folders); err != nil {
		return err
	}
	c.res.Folders += len(folders)
	for _, rel := range files {
		p := filepath.Join(local, rel)
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		if err := c.file(ctx, p, c.far.join(remote, filepath.ToSlash(rel)), rel, info); err != nil {
			return fmt.Errorf("%s: %w", rel, err)
		}
	}
	return nil
}

// file copies one file.
func (c *sender) file(ctx context.Context, local, remote, name string, info fs.FileInfo) error {
	f, err := os.Open(local)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	var have int64
	var haveSum string
	if c.o.Resume {
		if have, haveSum, err = c.far.part(ctx, remote); err != nil {
			return err
		}
	}
	sum, begin, err := sums(f, have)
	if err != nil {
		return err
	}
	if have == 0 || begin != haveSum {
		have = 0
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	c.res.Resumed += have
	p := &meter{name: name, done: have, total: info.Size(), files: c.res.Files, report: c.o.Progress}
	p.tell()
	err = c.far.put(ctx, remote, putOptions{offset: have, sum: sum, executable: info.Mode()&0o100 != 0},
		io.TeeReader(f, p))
	c.res.Bytes += p.done - have
	if err != nil {
		return err
	}
	c.res.Files++
	return nil
}

// sums are the SHA-256 of all of f and of its first n bytes; the latter is ""
// where it is shorter.
func sums(f io.ReadSeeker, n int64) (all, begin string, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", "", err
	}
	h := sha256.New()
	if n > 0 {
		m, err := io.CopyN(h, f, n)
		if err != nil && m == n {
			return "", "", err
		}
		if m == n {
			begin = hex.EncodeToString(h.Sum(nil))
		}
	}
	if _, err := io.Copy(h, f); err != nil {
		return "", "", err
	}
	return hex.EncodeToString(h.Sum(nil)), begin, nil
}

// meter counts and reports.
type meter struct {
	name        string
	done, total int64
	files       int
	report      func(file string, done, total int64, files int)
}

// Write implements io.Writer.
func (m *meter) Write(b []byte) (int, error) {
	m.done += int64(len(b))
	m.tell()
	return len(b), nil
}

func (m *meter) tell() {
	if m.report != nil {
		m.report(m.name, m.done, m.total, m.files)
	}
}

package filecopy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// From copies a file or folder of the far end here. A folder goes into local
// where that is a folder, else it becomes local. Names that the far end sends
// cannot lead out of it.
func From(ctx context.Context, s Shell, remote, local string, o Options) (Result, error) {
	begun := time.Now()
	c := &receiver{o: &o}
	var err error
	if c.far, err = detect(ctx, s, &o); err == nil {
		err = c.copy(ctx, remote, local)
	}
	c.res.Elapsed = time.Since(begun)
	if err != nil {
		return c.res, fmt.Errorf("copy %s to %s: %w", remote, local, err)
	}
	return c.res, nil
}

type receiver struct {
	far farEnd
	o   *Options
	res Result
}

func (c *receiver) copy(ctx context.Context, remote, local string) error {
	at, err := c.far.stat(ctx, remote)
	if err != nil {
		return err
	}
	if at == missing {
		return ErrNotFound
	}
	info, err := os.Stat(local)
	into := err == nil && info.IsDir()
	if into {
		name := c.far.base(remote)
		if !filepath.IsLocal(name) {
			return ErrUnsafeName
		}
		local = filepath.Join(local, name)
	}
	if at == folder {
		return c.tree(ctx, remote, local)
	}
	dir := filepath.Dir(local)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // a handle of a folder
	return c.file(ctx, remote, root, filepath.Base(local))
}

func (c *receiver) tree(ctx context.Context, remote, local string) error {
	if err := os.MkdirAll(local, 0o777); err != nil { //nolint:gosec // the user's umask decides
		return err
	}
	root, err := os.OpenRoot(local)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // a handle of a folder
	folders, files, err := c.far.list(ctx, remote)
	if err != nil {
		return err
	}
	c.res.Folders++
	for _, name := range folders {
		if err := mkdirAll(root, name); err != nil {
			return err
		}
		c.res.Folders++
	}
	for _, name := range files {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("%w: %.100q", ErrUnsafeName, name)
		}
		if err := c.file(ctx, c.far.join(remote, name), root, filepath.FromSlash(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func mkdirAll(root *os.Root, name string) error {
	name = filepath.FromSlash(name)
	if !filepath.IsLocal(name) {
		return fmt.Errorf("%w: %.100q", ErrUnsafeName, name)
	}
	return root.MkdirAll(name, 0o777)
}

// file copies one file to a name below root.
func (c *receiver) file(ctx context.Context, remote string, root *os.Root, name string) error {
	part := name + Suffix
	t := &target{c: c, root: root, part: part, name: name, sum: sha256.New(), meter: &meter{}}
	var have int64
	var haveSum string
	if c.o.Resume {
		have, haveSum = t.present()
		t.have = have
	}
	err := c.far.get(ctx, remote, have, haveSum, t.begin)
	if t.f == nil {
		if err == nil {
			err = errors.New("the far end sent nothing")
		}
		return err
	}
	if e := t.f.Close(); err == nil {
		err = e
	}
	c.res.Bytes += max(t.meter.done-t.head.offset, 0)
	if err != nil {
		return err
	}
	if hex.EncodeToString(t.sum.Sum(nil)) != t.head.sum {
		return ErrChecksum
	}
	c.res.Resumed += t.head.offset
	c.res.Files++
	return root.Rename(part, name)
}

// target is the file that is being received.
type target struct {
	c          *receiver
	root       *os.Root
	part, name string
	f          *os.File
	sum        hash.Hash
	head       header
	meter      *meter
	have       int64 // what an earlier copy left
}

// present is the size and sum of what an earlier copy left.
func (t *target) present() (int64, string) {
	f, err := t.root.Open(t.part)
	if err != nil {
		return 0, ""
	}
	defer f.Close() //nolint:errcheck // only read
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return 0, ""
	}
	return n, hex.EncodeToString(h.Sum(nil))
}

// begin opens the part where the far end goes on.
func (t *target) begin(h header) (_ io.Writer, err error) {
	if h.offset != 0 && h.offset != t.have {
		return nil, fmt.Errorf("the far end goes on at byte %d, where %d bytes are here", h.offset, t.have)
	}
	t.head = h
	flags := os.O_CREATE | os.O_RDWR
	if h.offset == 0 {
		flags |= os.O_TRUNC
	}
	if t.f, err = t.root.OpenFile(t.part, flags, fs.FileMode(0o666)); err != nil {
		return nil, err
	}
	if n, err := io.CopyN(t.sum, t.f, h.offset); err != nil {
		return nil, fmt.Errorf("the part has %d bytes, the far end goes on at %d: %w", n, h.offset, err)
	}
	t.meter = &meter{name: t.name, done: h.offset, total: h.size, files: t.c.res.Files, report: t.c.o.Progress}
	t.meter.tell()
	return t, nil
}

// Write implements io.Writer.
func (t *target) Write(b []byte) (int, error) {
	if t.meter.done+int64(len(b)) > t.head.size {
		return 0, fmt.Errorf("the far end sends more than the %d bytes that it announced", t.head.size)
	}
	n, err := t.f.Write(b)
	t.sum.Write(b[:n])
	if err != nil {
		return n, err
	}
	return t.meter.Write(b)
}

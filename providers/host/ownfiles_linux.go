package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// OwnFiles is the [FileActor] and [FileWriter] of the user that this process runs as.
type OwnFiles struct{}

var (
	_ FileActor  = OwnFiles{}
	_ FileWriter = OwnFiles{}
)

// maxDepth bounds the directories within each other that Copy goes through.
const maxDepth = 100

// failed names the operation and the file of an error.
func failed(op, name string, err error) error { return &os.PathError{Op: op, Path: name, Err: err} }

// parent opens the directory that a path stands in. The kernel refuses a link in any part of it, so that nobody who
// may write on the way leads the operation elsewhere.
func parent(name string) (dir int, base string, err error) {
	folder, base := filepath.Split(filepath.Clean(name))
	if !filepath.IsAbs(name) || base == "" || strings.Contains(name, "\x00") {
		return -1, "", failed("open", name, unix.EINVAL)
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	dir, err = unix.Openat2(unix.AT_FDCWD, folder, &how)
	if err != nil {
		return -1, "", failed("open", folder, err)
	}
	return dir, base, nil
}

// Remove removes a file, a link or an empty directory.
func (OwnFiles) Remove(_ context.Context, name string) error {
	dir, base, err := parent(name)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	err = unix.Unlinkat(dir, base, 0)
	if errors.Is(err, unix.EISDIR) {
		err = unix.Unlinkat(dir, base, unix.AT_REMOVEDIR)
	}
	if err != nil {
		return failed("remove", name, err)
	}
	return nil
}

// Rename gives a file another place.
func (OwnFiles) Rename(_ context.Context, from, to string) error {
	source, base, err := parent(from)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	target, name, err := parent(to)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	if err := unix.Renameat2(source, base, target, name, unix.RENAME_NOREPLACE); err != nil {
		return failed("rename", from, err)
	}
	return nil
}

// Write makes a new file that its owner alone may read and write.
func (OwnFiles) Write(ctx context.Context, name string, content io.Reader) error {
	dir, base, err := parent(name)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return create(ctx, dir, base, 0o600, content)
}

// create makes a file in a directory, or nothing.
func create(ctx context.Context, dir int, base string, mode uint32, content io.Reader) error {
	fd, err := unix.Openat(dir, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return failed("create", base, err)
	}
	f := os.NewFile(uintptr(fd), base)
	_, err = io.Copy(f, content)
	err = errors.Join(err, ctx.Err(), f.Close())
	if err != nil {
		_ = unix.Unlinkat(dir, base, 0)
	}
	return err
}

// Copy copies a file, or a directory with what is in it. Links are copied as links; of other things than files,
// directories and links there is no copy.
func (OwnFiles) Copy(ctx context.Context, from, to string) error {
	if from == to || strings.HasPrefix(to, strings.TrimSuffix(from, "/")+"/") {
		return failed("copy", to, unix.EINVAL)
	}
	source, base, err := parent(from)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	target, name, err := parent(to)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return copyEntry(ctx, source, base, target, name, 0)
}

// copyEntry copies what stands in one directory under one name into another under another.
func copyEntry(ctx context.Context, source int, base string, target int, name string, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(source, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return failed("stat", base, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		fd, err := unix.Openat(source, base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return failed("open", base, err)
		}
		f := os.NewFile(uintptr(fd), base)
		defer f.Close()
		if err := create(ctx, target, name, st.Mode&0o777, interruptible(ctx, f)); err != nil {
			return err
		}
		times := []unix.Timespec{unix.NsecToTimespec(time.Now().UnixNano()), {Sec: st.Mtim.Sec, Nsec: st.Mtim.Nsec}}
		return unix.UtimesNanoAt(target, name, times, unix.AT_SYMLINK_NOFOLLOW)
	case unix.S_IFLNK:
		b := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(source, base, b)
		if err == nil {
			err = unix.Symlinkat(string(b[:n]), target, name)
		}
		if err != nil {
			return failed("link", base, err)
		}
		return nil
	case unix.S_IFDIR:
		return copyDirectory(ctx, source, base, target, name, st.Mode&0o777, depth)
	}
	return failed("copy", base, unix.EINVAL)
}

func copyDirectory(ctx context.Context, source int, base string, target int, name string, mode uint32, depth int) error {
	if depth > maxDepth {
		return failed("copy", base, fmt.Errorf("more than %d directories within each other", maxDepth))
	}
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	in, err := unix.Openat(source, base, flags, 0)
	if err != nil {
		return failed("open", base, err)
	}
	d := os.NewFile(uintptr(in), base)
	defer d.Close()
	if err := unix.Mkdirat(target, name, mode|0o700); err != nil {
		return failed("mkdir", name, err)
	}
	out, err := unix.Openat(target, name, flags, 0)
	if err != nil {
		return failed("open", name, err)
	}
	defer unix.Close(out)
	for {
		names, err := d.Readdirnames(256)
		for _, n := range names {
			if err := copyEntry(ctx, in, n, out, n, depth+1); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || err == nil && len(names) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readFunc is a reader.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

// interruptible reads until ctx ends.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	return readFunc(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(b)
	})
}

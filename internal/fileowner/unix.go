//go:build unix

package fileowner

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// GiveLike gives what root has just made to the owner of a folder, so that the
// service can read it. It takes an open file: that owner may have put something
// else, another name of a file of root for instance, in the place of its name.
func GiveLike(f *os.File, folder string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	return give(f, info)
}

// Keep gives the new file f the mode and, if this process is root, the owner of
// the file that it will replace; where there is none, the owner of that one's
// folder. A link is not followed.
func Keep(f *os.File, old string) error {
	info, err := os.Lstat(old)
	if err != nil || !info.Mode().IsRegular() {
		return GiveLike(f, filepath.Dir(old))
	}
	if err := f.Chmod(info.Mode().Perm()); err != nil || os.Geteuid() != 0 {
		return err
	}
	return give(f, info)
}

func give(f *os.File, like fs.FileInfo) error {
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}

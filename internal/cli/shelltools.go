package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/casementhq/casement/service"
)

// packagedNames is where a package has the links by the names of Windows' tools, and
// packagedProgram what they lead to.
const (
	packagedNames   = "/usr/lib/casement/names"
	packagedProgram = "/usr/bin/casement"
)

// runningProgram is the file of this process, also where its folder is shut.
const runningProgram = "/proc/self/exe"

// shellTools are the names of Windows' tools for the commands of remote shells: those
// of the package, or links that are made in the state folder, for who may change that.
// It is called by the service's own user. Where they cannot be made shells go without.
func shellTools(state string, log *slog.Logger) service.Tools {
	self, err := os.Executable()
	if err == nil && self == packagedProgram {
		if _, err := os.Stat(packagedNames); err == nil {
			return service.Tools{Dir: packagedNames, Everybody: true}
		}
	}
	dir := filepath.Join(state, "names")
	if err == nil {
		err = linkTools(dir, self)
	}
	if err != nil {
		log.Warn("remote shells do not know the commands of Windows, such as Configure-SMRemoting.exe", "error", err)
		return service.Tools{}
	}
	return service.Tools{Dir: dir}
}

// linkTools has in a folder a link by each name, and nothing else. They lead to a copy
// of this program where its user does not reach the program itself, such as nobody one
// in the home of root.
func linkTools(dir, self string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	names := append(slices.Clone(linkNames()), "casement")
	if info, err := os.Stat(self); err != nil || info.Mode()&0o111 == 0 {
		self = filepath.Join(dir, "program")
		if err := copyProgram(self); err != nil {
			return fmt.Errorf("copy this program to where its user reaches it: %w", err)
		}
		names = append(names, "program")
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range there {
		path := filepath.Join(dir, e.Name())
		if text, err := os.Readlink(path); slices.Contains(names, e.Name()) && (path == self || err == nil && text == self) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		if err := os.Symlink(self, path); err != nil {
			return err
		}
	}
	return nil
}

// copyProgram copies this program, unless the copy is that of this very version.
func copyProgram(to string) error {
	from, err := os.Open(runningProgram)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if have, err := os.Lstat(to); err == nil && have.Mode() == 0o700 && have.Size() == info.Size() && have.ModTime().Equal(info.ModTime()) {
		return nil
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700) // #nosec G302 -- a program
	if err != nil {
		return err
	}
	if _, err = io.Copy(file, from); err == nil {
		err = os.Chtimes(to, info.ModTime(), info.ModTime())
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(to) //nolint:errcheck // it is made anew the next time
	}
	return err
}

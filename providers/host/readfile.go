package host

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// maxConfiguration bounds a configuration file.
const maxConfiguration = 1 << 20

// readSmall is a whole small file. With a home it stands below that home directory, whose user controls what is there:
// links that lead out of it are not followed. A pipe or a device is refused, so that nobody can keep the service
// waiting.
func (p *Provider) readSmall(home, path string) (string, error) {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	var f *os.File
	var err error
	if home == "" {
		f, err = os.OpenFile(filepath.Join(p.root, path), flags, 0)
	} else {
		var top *os.Root
		if top, err = os.OpenRoot(filepath.Join(p.root, home)); err == nil {
			defer top.Close()
			f, err = top.OpenFile(path, flags, 0)
		}
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() || st.Size() > maxConfiguration {
		return "", fmt.Errorf("host: %s is no small file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxConfiguration))
	return string(b), err
}

// maxEntries bounds the entries that are read of a folder of configuration files.
const maxEntries = 4096

// names are the entries of a folder of configuration files in order; none where it is not there. See readSmall.
func (p *Provider) names(home, dir string) []string {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	if home == "" {
		return entryNames(os.OpenFile(filepath.Join(p.root, dir), flags, 0))
	}
	top, err := os.OpenRoot(filepath.Join(p.root, home))
	if err != nil {
		return nil
	}
	defer top.Close()
	return entryNames(top.OpenFile(dir, flags, 0))
}

func entryNames(f *os.File, err error) []string {
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(maxEntries)
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.Name())
	}
	slices.Sort(out)
	return out
}

// configured calls f with the name and the content of each file in a folder whose name has a suffix, in the order of
// their names. See readSmall.
func (p *Provider) configured(home, dir, suffix string, f func(name, text string) error) error {
	for _, name := range p.names(home, dir) {
		if !strings.HasSuffix(name, suffix) {
			continue
		}
		text, err := p.readSmall(home, filepath.Join(dir, name))
		if err != nil {
			p.log.Debug("a configuration file is passed over", "error", err)
			continue
		}
		if err := f(name, text); err != nil {
			return err
		}
	}
	return nil
}

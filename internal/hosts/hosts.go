// Package hosts keeps the client's hosts file: names for hosts with the way to
// reach them and the account to use, so that a command needs only the name.
// It may hold passwords, therefore it is of mode 0600 and is refused otherwise.
package hosts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Entry is one host.
type Entry struct {
	Name           string `json:"name"`
	URL            string `json:"url"`                      // http://host:port/prefix, https://… or a bare host name
	Authentication string `json:"authentication,omitempty"` // Negotiate, Basic, …; empty: chosen by rule
	User           string `json:"user,omitempty"`
	Password       string `json:"password,omitempty"`
	// Thumbprint pins the server's certificate by its SHA-256, in hexadecimal.
	// It replaces the check of chain and name.
	Thumbprint string `json:"thumbprint,omitempty"`
}

// String leaves the password out.
func (e Entry) String() string { return e.Name + " " + e.URL + " " + e.User }

// LogValue leaves the password out.
func (e Entry) LogValue() slog.Value { return slog.StringValue(e.String()) }

// GoString leaves the password out.
func (e Entry) GoString() string { return e.String() }

// ErrUnsafe is returned for a hosts file that other users may read.
var ErrUnsafe = errors.New("other users may read it: chmod 600")

type document struct {
	Hosts []Entry `json:"hosts"`
}

// DefaultPath is where the hosts file is: $CASEMENT_HOSTS, else hosts.json in
// the casement folder of the user's configuration.
func DefaultPath() (string, error) {
	if p := os.Getenv("CASEMENT_HOSTS"); p != "" {
		return p, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the hosts file: %w", err)
	}
	return filepath.Join(dir, "casement", "hosts.json"), nil
}

// Load reads a hosts file; one that is not there is empty.
func Load(path string) ([]Entry, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the hosts file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read the hosts file %s: %w", path, ErrUnsafe)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the hosts file: %w", err)
	}
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("read the hosts file %s: %w", path, err)
	}
	return d.Hosts, nil
}

// Find finds an entry by name, case-blind.
func Find(entries []Entry, name string) (Entry, bool) {
	for _, e := range entries {
		if strings.EqualFold(e.Name, name) {
			return e, true
		}
	}
	return Entry{}, false
}

// Put adds or replaces the entry of that name in a hosts file, which is made
// where there is none.
func Put(path string, e Entry) error {
	entries, err := Load(path)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(entries, func(h Entry) bool { return strings.EqualFold(h.Name, e.Name) })
	if i >= 0 {
		entries[i] = e
	} else {
		entries = append(entries, e)
	}
	return save(path, entries)
}

// Remove takes the entry of that name out of a hosts file, and tells whether
// there was one.
func Remove(path, name string) (found bool, err error) {
	entries, err := Load(path)
	if err != nil {
		return false, err
	}
	kept := slices.DeleteFunc(slices.Clone(entries), func(h Entry) bool { return strings.EqualFold(h.Name, name) })
	if len(kept) == len(entries) {
		return false, nil
	}
	return true, save(path, kept)
}

func save(path string, entries []Entry) error {
	b, err := json.MarshalIndent(document{entries}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write the hosts file: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".hosts-*")
	if err != nil {
		return fmt.Errorf("write the hosts file: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(append(b, '\n'))
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the hosts file %s: %w", path, err)
	}
	return nil
}

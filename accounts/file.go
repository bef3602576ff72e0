package accounts

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/casementhq/casement/internal/fileowner"
	"github.com/casementhq/casement/security"
)

const (
	fileVersion = 1
	maxFileSize = 16 << 20
)

// state is what the file holds. A state in use is never changed; a change makes a new one.
type state struct {
	Version    int           `json:"version"`
	Machine    string        `json:"machine"`
	MachineSID security.SID  `json:"machineSID"`
	NextRID    uint32        `json:"nextRID"`
	Users      []userRecord  `json:"users"`
	Groups     []groupRecord `json:"groups"`
	// Lockout is the lockout policy; nil is the default.
	Lockout *lockoutRecord `json:"lockout,omitempty"`
	// DomainUsers are accounts of domains that are mapped to a Unix user.
	DomainUsers []DomainUser `json:"domainUsers,omitempty"`
	// Remembered are accounts of domains for which something acts when they are not there.
	Remembered []Foreign `json:"remembered,omitempty"`
}

type userRecord struct {
	Name        string    `json:"name"`
	FullName    string    `json:"fullName,omitempty"`
	Comment     string    `json:"comment,omitempty"`
	RID         uint32    `json:"rid"`
	Disabled    bool      `json:"disabled,omitempty"`
	UnixUser    string    `json:"unixUser,omitempty"`
	AllowRoot   bool      `json:"allowRoot,omitempty"`
	NTHash      *ntHash   `json:"ntHash,omitempty"`
	PasswordSet time.Time `json:"passwordSet,omitzero"`
}

type groupRecord struct {
	Name    string         `json:"name"`
	Comment string         `json:"comment,omitempty"`
	SID     security.SID   `json:"sid"`
	Members []security.SID `json:"members,omitempty"`
	// Names are those of the members that are of a domain, as they were when they became members.
	Names map[security.SID]string `json:"names,omitempty"`
}

// ntHash is a password equivalent. It prints as nothing, so that it cannot slip into a log.
type ntHash [16]byte

func (ntHash) String() string   { return "(secret)" }
func (ntHash) GoString() string { return "(secret)" }

func (h ntHash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

func (h *ntHash) UnmarshalText(b []byte) error {
	if len(b) != 32 {
		return errors.New("an NT hash has 32 hexadecimal digits")
	}
	if _, err := hex.Decode(h[:], b); err != nil {
		return errors.New("an NT hash has 32 hexadecimal digits") // the cause would quote the secret
	}
	return nil
}

// fileOps are the steps of replacing the file, apart so that a test can break each of them.
type fileOps struct {
	create  func(path string) (*os.File, error)
	write   func(f *os.File, b []byte) error
	sync    func(f *os.File) error
	rename  func(from, to string) error
	syncDir func(dir string) error
}

func osFileOps() fileOps {
	return fileOps{
		create: func(path string) (*os.File, error) {
			_ = os.Remove(path) // what a killed process left; the folder is locked
			return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		},
		write:   func(f *os.File, b []byte) error { _, err := f.Write(b); return err },
		sync:    (*os.File).Sync,
		rename:  os.Rename,
		syncDir: syncDir,
	}
}

func (s *Store) path() string { return filepath.Join(s.dir, FileName) }

// current returns the newest state, after reading the file again when it was replaced. When the file cannot be
// read there is no answer at all rather than an old one.
func (s *Store) current() (*state, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fi, err := os.Stat(s.path())
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	if s.state == nil || !os.SameFile(fi, s.seen) || !fi.ModTime().Equal(s.seen.ModTime()) || fi.Size() != s.seen.Size() {
		if err := s.reload(); err != nil {
			s.state = nil
			return nil, err
		}
		s.log.Debug("accounts were read again", "users", len(s.state.Users), "groups", len(s.state.Groups))
	}
	return s.state, nil
}

// Reload reads the file again. Lookups do this by themselves when the file was replaced.
func (s *Store) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reload()
}

// reload reads the file; s.mu is held.
func (s *Store) reload() error {
	f, err := os.Open(s.path())
	if err != nil {
		return fmt.Errorf("open accounts: %w", err)
	}
	defer func() { _ = f.Close() }()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open accounts: %w", err)
	}
	if fi.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s has mode %04o and holds password equivalents; run chmod 600 on it", s.path(), fi.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	if len(b) > maxFileSize {
		return fmt.Errorf("%s is larger than %d bytes", s.path(), maxFileSize)
	}
	st := new(state)
	if err := json.Unmarshal(b, st); err != nil {
		return fmt.Errorf("%s is damaged: %w", s.path(), err)
	}
	if err := st.validate(); err != nil {
		return fmt.Errorf("%s is damaged: %w", s.path(), err)
	}
	s.state, s.seen = st, fi
	return nil
}

// validate refuses files that could give one SID or name to two accounts.
func (st *state) validate() error {
	if st.Version != fileVersion {
		return fmt.Errorf("version %d, only %d is known", st.Version, fileVersion)
	}
	if st.Machine == "" || st.MachineSID.IsZero() {
		return errors.New("machine name or SID is missing")
	}
	if err := st.Lockout.policy().check(); err != nil {
		return err
	}
	names, sids := make(map[string]bool), make(map[security.SID]bool)
	add := func(name string, sid security.SID) error {
		key := foldName(name)
		if name == "" || sid.IsZero() || names[key] || sids[sid] {
			return fmt.Errorf("account %.40q (%s) is empty or there twice", name, sid)
		}
		names[key], sids[sid] = true, true
		return nil
	}
	for i := range st.Users {
		u := &st.Users[i]
		if u.RID == 0 || u.RID >= st.NextRID {
			return fmt.Errorf("account %.40q has RID %d, the next one is %d", u.Name, u.RID, st.NextRID)
		}
		if err := add(u.Name, st.MachineSID.WithRID(u.RID)); err != nil {
			return err
		}
	}
	for i := range st.Groups {
		if err := add(st.Groups[i].Name, st.Groups[i].SID); err != nil {
			return err
		}
	}
	return nil
}

// change applies f to a copy of the newest state and saves it. The folder is locked meanwhile, so that two
// processes lose no change.
func (s *Store) change(f func(*state) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	unlock, err := lockDir(s.dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.reload(); err != nil {
		return err
	}
	next := s.state.clone()
	if err := f(next); err != nil {
		return err
	}
	return s.save(next)
}

// save replaces the file: a temporary file is written and made durable, renamed over the old one, and the folder
// made durable. A crash leaves either the old file or the new one. s.mu and the folder lock are held.
func (s *Store) save(st *state) (err error) {
	if err := st.validate(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return fmt.Errorf("save accounts: %w", err)
	}
	if len(b) >= maxFileSize {
		return fmt.Errorf("save accounts: the file would be larger than %d bytes", maxFileSize)
	}
	temp := s.path() + ".tmp"
	f, err := s.ops.create(temp)
	if err != nil {
		return fmt.Errorf("save accounts: %w", err)
	}
	if err = s.ops.write(f, append(b, '\n')); err == nil {
		err = fileowner.GiveLike(f, s.dir)
	}
	if err == nil {
		err = s.ops.sync(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = s.ops.rename(temp, s.path())
	}
	if err != nil {
		return fmt.Errorf("save accounts, nothing was changed: %w", err)
	}
	if err := s.ops.syncDir(s.dir); err != nil {
		return fmt.Errorf("save accounts, the change may not outlive a power failure: %w", err)
	}
	fi, err := os.Stat(s.path())
	if err != nil {
		return fmt.Errorf("save accounts: %w", err)
	}
	s.state, s.seen = st, fi
	return nil
}

// clone copies all that a change may touch.
func (st *state) clone() *state {
	c := *st
	c.Users = append([]userRecord(nil), st.Users...)
	c.Groups = append([]groupRecord(nil), st.Groups...)
	c.DomainUsers = slices.Clone(st.DomainUsers)
	c.Remembered = slices.Clone(st.Remembered)
	for i := range c.Groups {
		c.Groups[i].Members = append([]security.SID(nil), st.Groups[i].Members...)
		c.Groups[i].Names = maps.Clone(st.Groups[i].Names)
	}
	return &c
}

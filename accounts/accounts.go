// Package accounts keeps the local users and groups of a state folder: names, security identifiers, NT hashes
// and the Unix user that each account maps to. It makes the tokens of callers, checks passwords, and slows down
// guessing.
//
// The file holds password equivalents. It has mode 0600, is replaced in one step, and is read again when another
// process has replaced it, so that a running service sees a new user at once.
package accounts

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/security"
)

// FileName is the name of the accounts file in the state folder.
const FileName = "accounts.json"

// RemoteWMIUsers is the group whose members may use WMI through WinRM, with its two underscores. Its RID is 1000.
const RemoteWMIUsers = "WinRMRemoteWMIUsers__"

const (
	ridRemoteWMIUsers = 1000
	firstUserRID      = 1001
	ridNone           = 513 // the primary group of every local account
)

// Options adjusts a store.
type Options struct {
	// Hash makes the NT hash of a password: MD4 of its UTF-16LE form. Without it (nil) every operation on a
	// password fails.
	Hash func(password string) [16]byte
	// Resolve finds the SID of a name of a domain, DOMAIN\name or name@realm, and the form in which it is shown. Without
	// it (nil) only SIDs and principals can be named.
	Resolve func(name string) (sid security.SID, shown string, err error)
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Logger is told when the file is read again. Secrets are never logged. Default: nothing is logged.
	Logger *slog.Logger
}

// Store is the accounts of one state folder. It is safe for use by several goroutines, and several processes may
// have the same folder open.
type Store struct {
	dir     string
	hash    func(string) [16]byte
	resolve func(string) (security.SID, string, error)
	now     func() time.Time
	log     *slog.Logger
	ops     fileOps
	decoy   [32]byte // key of the hashes that stand for unknown users
	guard   guard

	mu    sync.Mutex
	state *state
	seen  fs.FileInfo

	judging sync.Mutex // one attempt at a logon at a time
}

func newStore(dir string, o Options) *Store {
	s := &Store{dir: dir, hash: o.Hash, resolve: o.Resolve, now: o.Now, log: o.Logger, ops: osFileOps()}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	_, _ = rand.Read(s.decoy[:]) // never fails; the program ends instead
	s.guard.now, s.guard.log, s.guard.locks.path = s.now, s.log, filepath.Join(dir, LockoutFileName)
	s.guard.policy = func() LockoutPolicy {
		p, err := s.LockoutPolicy()
		if err != nil {
			return DefaultLockoutPolicy()
		}
		return p
	}
	return s
}

// Open opens the accounts of the state folder dir. It fails with fs.ErrNotExist when there are none yet (see
// Create), and when other users could read the file.
func Open(dir string, o Options) (*Store, error) {
	s := newStore(dir, o)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Create makes the accounts of a machine in the state folder dir, which is made when needed: a random machine
// SID, the built-in groups, and Administrator (RID 500) without a password, which therefore cannot log on until
// SetPassword. It fails with fs.ErrExist when the folder already has accounts.
func Create(dir, machine string, o Options) (*Store, error) {
	if err := validMachine(machine); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	s := newStore(dir, o)
	s.mu.Lock()
	defer s.mu.Unlock()
	unlock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Lstat(s.path()); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return nil, fmt.Errorf("create %s: %w", s.path(), err)
	}
	if err := s.save(initialState(machine)); err != nil {
		return nil, err
	}
	return s, nil
}

// initialState is a fresh machine.
func initialState(machine string) *state {
	var raw [12]byte
	_, _ = rand.Read(raw[:])
	sid, _ := security.NewSID(5, 21, binary.LittleEndian.Uint32(raw[0:]), binary.LittleEndian.Uint32(raw[4:]),
		binary.LittleEndian.Uint32(raw[8:]))
	st := &state{Version: fileVersion, Machine: machine, MachineSID: sid, NextRID: firstUserRID}
	st.Users = []userRecord{{Name: "Administrator", Comment: "Built-in account for administering the computer",
		RID: security.RIDAdministrator}}
	group := func(sid security.SID, name string, members ...security.SID) {
		st.Groups = append(st.Groups, groupRecord{Name: name, SID: sid, Members: members})
	}
	group(security.SIDAdministrators, "Administrators", sid.WithRID(security.RIDAdministrator))
	group(security.SIDUsers, "Users", security.SIDInteractive, security.SIDAuthenticatedUsers)
	group(security.SIDGuests, "Guests")
	group(security.SIDPerformanceMonitors, "Performance Monitor Users")
	group(security.SIDDistributedCOMUsers, "Distributed COM Users")
	group(security.SIDEventLogReaders, "Event Log Readers")
	group(security.SIDRemoteManagementUsers, "Remote Management Users")
	group(sid.WithRID(ridRemoteWMIUsers), RemoteWMIUsers)
	return st
}

// Machine returns the machine name, which is the domain of the local accounts.
func (s *Store) Machine() (string, error) {
	st, err := s.current()
	if err != nil {
		return "", err
	}
	return st.Machine, nil
}

// Domains returns the machine SID for SDDL aliases such as LA.
func (s *Store) Domains() (security.Domains, error) {
	st, err := s.current()
	if err != nil {
		return security.Domains{}, err
	}
	return security.Domains{Machine: st.MachineSID}, nil
}

// AccountName returns the name of sid as Windows shows it (HOST\user, BUILTIN\Users, Everyone), or the SID's own
// text when nobody knows it.
func (s *Store) AccountName(sid security.SID) string {
	if st, err := s.current(); err == nil {
		for i := range st.Users {
			if st.MachineSID.WithRID(st.Users[i].RID) == sid {
				return st.Machine + `\` + st.Users[i].Name
			}
		}
		for i := range st.Groups {
			if g := &st.Groups[i]; g.SID == sid {
				return st.groupDomain(g) + `\` + g.Name
			}
			if name, ok := st.Groups[i].Names[sid]; ok {
				return name
			}
		}
	}
	if domain, name, ok := security.WellKnownName(sid); ok {
		if domain == "" {
			return name
		}
		return domain + `\` + name
	}
	return sid.String()
}

// validMachine checks a NetBIOS or DNS host name.
func validMachine(name string) error {
	if name == "" || len(name) > 63 || name == "." || strings.ContainsAny(name, "\\/@:;|=,+*?<>\"[] \t\r\n\x00") ||
		strings.EqualFold(name, "BUILTIN") || strings.EqualFold(name, "NT AUTHORITY") {
		return fmt.Errorf("machine name %.70q is not usable: 1 to 63 characters, no spaces or punctuation of account names", name)
	}
	return nil
}

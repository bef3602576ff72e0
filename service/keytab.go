package service

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/internal/fileowner"
)

// keytabName is the file of the machine account's keys in the state folder, mode
// 0600.
const keytabName = "krb5.keytab"

const maxKeytab = 1 << 20 // bytes

// KeytabPath is where the machine account's keys lie.
func (s *State) KeytabPath() string { return filepath.Join(s.Dir, keytabName) }

// AddKeytab adds the keys of a file, as samba-tool, adcli, ktutil and ktpass write
// it, to those of this machine, and gives all that are there now. With them the
// machine offers Kerberos; a running service does at once.
func (s *State) AddKeytab(path string) (*krb5.Keytab, error) {
	added, err := readKeytab(path)
	if err != nil {
		return nil, fmt.Errorf("add the keytab %s: %w", path, err)
	}
	if _, err := krb5.ParseKeytab(added); err != nil {
		return nil, fmt.Errorf("add the keytab %s: %w", path, err)
	}
	there, _, err := s.ownKeytab()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the keytab of this machine: %w", err)
	}
	all := mergeKeytabs(there, added)
	if len(all) > maxKeytab {
		return nil, fmt.Errorf("add the keytab %s: together with the keys that are there it is larger than %d bytes; 'casement keytab remove' takes those away", path, maxKeytab)
	}
	keys, err := krb5.ParseKeytab(all)
	if err != nil {
		return nil, fmt.Errorf("add the keytab %s: %w", path, err)
	}
	return keys, s.writeKeytab(all)
}

// RemoveKeytab takes the machine account's keys away. It tells whether there were
// any.
func (s *State) RemoveKeytab() (bool, error) {
	err := os.Remove(s.KeytabPath())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func readKeytab(path string) ([]byte, error) {
	f, err := os.Open(path) // #nosec G304 -- the administrator names it
	if err != nil {
		return nil, err
	}
	return readKeys(f)
}

// ownKeytab reads the file in the state folder. Root reads it too, and the folder is
// the service's user's: a link to keys that are not is not followed.
func (s *State) ownKeytab() ([]byte, fs.FileInfo, error) {
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(keytabName, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || linkCount(info) > 1) {
		err = fmt.Errorf("%s is no file, or has another name elsewhere: remove it and add its keys anew", s.KeytabPath())
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	b, err := readKeys(f)
	return b, info, err
}

// readKeys reads a file whole and closes it.
func readKeys(f *os.File) ([]byte, error) {
	defer f.Close() //nolint:errcheck // it was read only
	b, err := io.ReadAll(io.LimitReader(f, maxKeytab+1))
	if err == nil && len(b) > maxKeytab {
		err = fmt.Errorf("it is larger than %d bytes", maxKeytab)
	}
	return b, err
}

// mergeKeytabs puts the entries of two files, which begin with the version 5.2,
// into one; each entry has its length before it. The same entry stands there once.
func mergeKeytabs(there, added []byte) []byte {
	out := []byte{5, 2}
	seen := map[string]bool{}
	for _, b := range [][]byte{there, added} {
		if len(b) < 2 {
			continue
		}
		for b = b[2:]; len(b) >= 4; {
			n := int64(int32(binary.BigEndian.Uint32(b)))
			hole := n < 0
			if n = max(n, -n); n == 0 || n > int64(len(b)-4) {
				break
			}
			if entry := b[:4+n]; !hole && !seen[string(entry)] {
				seen[string(entry)] = true
				out = append(out, entry...)
			}
			b = b[4+n:]
		}
	}
	return out
}

// writeKeytab replaces the file in one step.
func (s *State) writeKeytab(b []byte) error {
	f, err := os.CreateTemp(s.Dir, keytabName+"-") // has mode 0600
	if err != nil {
		return fmt.Errorf("write the keytab of this machine: %w", err)
	}
	_, err = io.Copy(f, bytes.NewReader(b))
	err = errors.Join(err, fileowner.GiveLike(f, s.Dir), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.KeytabPath())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the keytab of this machine: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// Keytab are the machine account's keys as they are now; nil where there are none.
// Keys that cannot be read are none, and the log says why.
func (s *State) Keytab() *krb5.Keytab { return s.keytab.current(s) }

// keytabFile reads the keytab again when it was replaced.
type keytabFile struct {
	mu   sync.Mutex
	seen fs.FileInfo
	keys *krb5.Keytab
}

func (k *keytabFile) current(s *State) *krb5.Keytab {
	k.mu.Lock()
	defer k.mu.Unlock()
	info, err := os.Stat(s.KeytabPath())
	if err != nil {
		k.seen, k.keys = nil, nil
		return nil
	}
	if k.seen != nil && os.SameFile(info, k.seen) && info.ModTime().Equal(k.seen.ModTime()) && info.Size() == k.seen.Size() {
		return k.keys
	}
	k.seen, k.keys = info, nil
	b, info, err := s.ownKeytab()
	if err != nil {
		s.Logger.Error("the keytab of this machine cannot be used, and Kerberos is not offered", "error", err)
		return nil
	}
	defer clear(b)
	if open := info.Mode().Perm()&0o077 != 0 && filepath.Separator == '/'; open {
		s.Logger.Error("the keytab of this machine is not used: other users can read it", "file", s.KeytabPath(), "mode", info.Mode().Perm())
		return nil
	}
	keys, err := krb5.ParseKeytab(b)
	if err != nil {
		s.Logger.Error("the keytab of this machine cannot be used, and Kerberos is not offered", "error", err)
		return nil
	}
	k.keys = keys
	s.Logger.Info("Kerberos is offered", "principals", keys.Principals())
	return keys
}

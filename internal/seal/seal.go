// Package seal keeps secrets for named recipients: what was sealed is opened
// only by who has the identity of one of them. It is the only importer of age;
// its keys are the hybrid ones, safe against quantum computers as far as is known.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"

	"github.com/casementhq/casement/internal/fileowner"
)

// maxSealed bounds what is opened, in octets.
const maxSealed = 1 << 20

// ErrNotForUs says that nothing here opens what was sealed.
var ErrNotForUs = errors.New("it was sealed for other keys than this one")

// Identity opens what was sealed for its key. It prints as its key alone.
type Identity struct{ id *age.HybridIdentity }

// New makes an identity.
func New() (*Identity, error) {
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, err
	}
	return &Identity{id}, nil
}

// Key is the public key: what others seal for.
func (i *Identity) Key() string { return i.id.Recipient().String() }

// String is Key, so that a log never has more.
func (i *Identity) String() string { return i.Key() }

// GoString is Key, too.
func (i *Identity) GoString() string { return i.Key() }

// CheckKey tells what is wrong with a public key.
func CheckKey(key string) error {
	if _, err := age.ParseHybridRecipient(key); err != nil {
		return errors.New("this is not a key of casement; it begins with age1pq1")
	}
	return nil
}

// Seal closes a secret for the keys, of which there must be one at least.
func Seal(secret []byte, keys ...string) ([]byte, error) {
	var to []age.Recipient
	for _, k := range keys {
		r, err := age.ParseHybridRecipient(k)
		if err != nil {
			return nil, CheckKey(k)
		}
		to = append(to, r)
	}
	if len(to) == 0 {
		return nil, errors.New("there is no key to seal for")
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(secret); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Open opens what was sealed: ErrNotForUs. The caller wipes it after use.
func (i *Identity) Open(sealed []byte) ([]byte, error) {
	if len(sealed) > maxSealed {
		return nil, fmt.Errorf("a sealed secret of %d octets is beyond the bound", len(sealed))
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), i.id)
	if err != nil {
		if none := (*age.NoIdentityMatchError)(nil); errors.As(err, &none) {
			return nil, ErrNotForUs
		}
		return nil, fmt.Errorf("what was sealed is damaged: %w", err)
	}
	secret, err := io.ReadAll(io.LimitReader(r, maxSealed))
	if err != nil {
		Wipe(secret)
		return nil, fmt.Errorf("what was sealed is damaged: %w", err)
	}
	return secret, nil
}

// Wipe overwrites a secret that is no longer needed.
func Wipe(secret []byte) { clear(secret) }

// Load reads the identity of a file, which nobody else may read: fs.ErrNotExist.
func Load(name string) (*Identity, error) {
	f, err := openPrivate(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	defer Wipe(text)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		id, err := age.ParseHybridIdentity(string(line))
		if err != nil {
			return nil, fmt.Errorf("%s is not an identity of casement", name) // the cause could hold a part of it
		}
		return &Identity{id}, nil
	}
	return nil, fmt.Errorf("%s has no identity in it", name)
}

// Create makes an identity and its file, mode 0600; a file that is there already
// stays: fs.ErrExist. The name appears when all of it is on the disk.
func Create(name string) (*Identity, error) {
	i, err := New()
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".identity*") // 0600 and O_EXCL
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "# key: %s\n%s\n", i.Key(), i.id)
	// Root makes the key of a service that gave root up, too.
	err = errors.Join(err, fileowner.GiveLike(f, filepath.Dir(name)), f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), name) // never replaces
	}
	if err != nil {
		return nil, err
	}
	return i, nil
}

// LoadOrCreate reads an identity, and makes it where there is none.
func LoadOrCreate(name string) (*Identity, error) {
	i, err := Load(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return i, err
	}
	if i, err = Create(name); errors.Is(err, fs.ErrExist) {
		return Load(name)
	}
	return i, err
}

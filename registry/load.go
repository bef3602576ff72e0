package registry

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// content tells whether a file changed: what is in it, since times and sizes repeat when
// several processes write within one tick of the file system's clock.
type content struct {
	sum     [sha256.Size]byte
	present bool
}

func contentOf(b []byte) content { return content{sha256.Sum256(b), true} }

// load reads the files that changed since the last time. On an error the tree before
// it stays in force. The caller holds h.mu, or is alone.
func (h *Hive) load() error {
	h.badFile = h.read()
	return h.badFile
}

func (h *Hive) read() error {
	hive, now, err := readFile(h.path)
	if err != nil {
		return fmt.Errorf("registry: reading the hive: %w", err)
	}
	policy, nowPol, err := readFile(h.policy)
	if err != nil {
		return fmt.Errorf("registry: reading the policy: %w", err)
	}
	old := h.tree.Load()
	if old != nil && now == h.seen && nowPol == h.seenPol {
		return nil
	}
	local := NewTree()
	switch {
	case now.present:
		if local, err = ParseReg(bytes.NewReader(hive)); err != nil {
			return fmt.Errorf("registry: hive %s: %w", h.path, err)
		}
	case old != nil:
		local = old.Local() // never reset a running service: the next Update writes it anew
	}
	var pol *Policy
	if nowPol.present {
		if pol, err = ParsePol(policy); err != nil {
			return fmt.Errorf("registry: policy %s: %w", h.policy, err)
		}
	}
	eff, err := Overlay(local, pol)
	if err != nil {
		return fmt.Errorf("registry: policy %s: %w", h.policy, err)
	}
	h.seen, h.seenPol, h.pol = now, nowPol, pol
	h.publish(eff)
	return nil
}

// readFile reads a whole file; one that is not there is no error.
func readFile(path string) ([]byte, content, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, content{}, nil
	}
	if err != nil {
		return nil, content{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, content{}, err
	}
	if len(b) > maxFile {
		return nil, content{}, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return b, contentOf(b), nil
}

package service

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// certMappings are the mappings of the hive and what is kept beside it of their
// passwords: no password, but a keyed digest by which it is seen that the account
// still has the one that the mapping was made with.
type certMappings struct {
	state *State
	path  string

	mu    sync.Mutex
	marks map[string]passwordMark // by settings.CertMapping.ID; nil: not read yet
}

// passwordMark is accounts.Store.PasswordMark.
type passwordMark struct {
	Salt []byte `json:"salt"`
	Mark []byte `json:"mark"`
}

const maxMarks = 4 << 20 // bytes of the file

func newCertMappings(state *State) *certMappings {
	return &certMappings{state: state, path: filepath.Join(state.Dir, "certmapping.json")}
}

// load reads the marks; m.mu is held. Only this process changes them.
func (m *certMappings) load() error {
	if m.marks != nil {
		return nil
	}
	f, err := os.Open(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		m.marks = map[string]passwordMark{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("certificate mappings: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxMarks))
	var marks map[string]passwordMark
	if err == nil {
		err = json.Unmarshal(b, &marks)
	}
	if err != nil {
		return fmt.Errorf("certificate mappings: %s: %w", m.path, err)
	}
	if m.marks = marks; marks == nil {
		m.marks = map[string]passwordMark{}
	}
	return nil
}

// Verify checks a client certificate against the authorities of the machine.
func (m *certMappings) Verify(shown []*x509.Certificate) (settings.ClientCertificate, error) {
	return m.state.Authorities.Verify(shown, m.state.now())
}

// Account is the account of the one mapping that holds for a certificate and a
// resource. Its password must still be the one that the mapping was made with.
// See [MS-WSMV] 3.1.4.1.35.
func (m *certMappings) Account(c settings.ClientCertificate, resourceURI string) (auth.Identity, error) {
	found, ok := settings.MatchCertMapping(m.state.Snapshot().CertMappings, c, resourceURI)
	if !ok {
		return auth.Identity{}, fmt.Errorf("not exactly one mapping is for the certificate of %q, issued by %s", c.Subjects, c.Issuers)
	}
	m.mu.Lock()
	err := m.load()
	kept := m.marks[found.ID()]
	m.mu.Unlock()
	if err != nil {
		return auth.Identity{}, err
	}
	now, err := m.state.Accounts.PasswordMark(found.UserName, kept.Salt)
	if err != nil {
		return auth.Identity{}, err
	}
	if !hmac.Equal(now, kept.Mark) {
		return auth.Identity{}, fmt.Errorf("the password of %s is another one than that of its mapping; put it there anew", found.UserName)
	}
	u, err := m.state.Accounts.LookupUser(found.UserName)
	if err != nil {
		return auth.Identity{}, err
	}
	machine, err := m.state.Accounts.Machine()
	return auth.Identity{User: u.Name, Domain: machine, Mechanism: auth.Certificate}, err
}

func (m *certMappings) env() settings.CertMappingEnv {
	return settings.CertMappingEnv{
		IsIssuer: m.state.Authorities.IsIssuer,
		CheckPassword: func(user, password string) bool {
			_, err := m.state.Accounts.VerifyPassword(user, password, netip.Addr{})
			return err == nil
		},
	}
}

// Create makes a mapping.
func (m *certMappings) Create(tx *registry.Tx, selectors, body []settings.NameValue) error {
	made, secret, changes, err := settings.CreateCertMapping(m.state.Snapshot().Reader, m.env(), selectors, body)
	if err != nil {
		return err
	}
	return m.write(tx, made, secret, changes)
}

// Put changes a mapping.
func (m *certMappings) Put(tx *registry.Tx, selectors, body []settings.NameValue) (settings.CertMapping, error) {
	made, secret, changes, err := settings.PutCertMapping(m.state.Snapshot().Reader, m.env(), selectors, body)
	if err != nil {
		return made, err
	}
	return made, m.write(tx, made, secret, changes)
}

// Delete removes a mapping.
func (m *certMappings) Delete(tx *registry.Tx, selectors []settings.NameValue) error {
	gone, changes, err := settings.DeleteCertMapping(m.state.Snapshot().Reader, m.env(), selectors)
	if err != nil {
		return err
	}
	if err := settings.Apply(tx, changes); err != nil {
		return err
	}
	return m.keep(func() { delete(m.marks, gone.ID()) })
}

func (m *certMappings) write(tx *registry.Tx, made settings.CertMapping, secret settings.Secret, changes []settings.Change) error {
	if err := settings.Apply(tx, changes); err != nil || secret.ID == "" {
		return err
	}
	kept := passwordMark{Salt: make([]byte, 16)}
	_, _ = rand.Read(kept.Salt) // never fails
	var err error
	if kept.Mark, err = m.state.Accounts.PasswordMark(made.UserName, kept.Salt); err != nil {
		return err
	}
	return m.keep(func() { m.marks[made.ID()] = kept })
}

// keep changes the file. Marks of mappings that are not in the hive go with it.
func (m *certMappings) keep(change func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(); err != nil {
		return err
	}
	known := m.state.Snapshot().CertMappings
	for id := range m.marks {
		if !slices.ContainsFunc(known, func(c settings.CertMapping) bool { return c.ID() == id }) {
			delete(m.marks, id)
		}
	}
	change()
	b, err := json.Marshal(m.marks)
	if err == nil {
		err = replaceFile(m.path, b)
	}
	if err != nil {
		m.marks = nil // read it again
		return fmt.Errorf("certificate mappings: %w", err)
	}
	return nil
}

package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/seal"
	"github.com/casementhq/casement/pool/internal/bus"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// ForAll in Credential.For makes a credential the pool's own.
const ForAll = "*"

// maxPassword bounds a password, in octets.
const maxPassword = 4096

// Credential is a named account. Its password goes in and is never read back.
type Credential struct {
	Name string `json:"name"`
	User string `json:"user"` // user, DOMAIN\user or user@realm
	// Scheme is one of wsmanclient; "" is chosen by rule.
	Scheme wsmanclient.Scheme `json:"scheme,omitempty"`
	// For are the tags whose servers are reached with it, where their entry names
	// no other; ForAll is every server.
	For []string `json:"for,omitempty"`
}

// storedCredential is a credential with its sealed password.
type storedCredential struct {
	Credential

	Sealed []byte    `json:"sealed"`
	Since  time.Time `json:"since"` // of the password
}

// Clean brings a credential into its one form: cim.ErrInvalidParameter.
func (c *Credential) Clean() error {
	c.Name, c.User = strings.TrimSpace(c.Name), strings.TrimSpace(c.User)
	for n := range c.For {
		c.For[n] = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(c.For[n]), "tag:"))
	}
	slices.Sort(c.For)
	c.For = slices.Compact(c.For)
	schemes := []wsmanclient.Scheme{wsmanclient.Automatic, wsmanclient.Basic, wsmanclient.Digest, wsmanclient.Negotiate, wsmanclient.Kerberos, wsmanclient.CredSSP}
	detail := ""
	switch {
	case !isTag(c.Name):
		detail = "the name of a credential is one word of at most 64 octets, without commas and colons"
	case c.User == "" || len(c.User) > longestName || strings.ContainsFunc(c.User, func(r rune) bool { return r < ' ' }):
		detail = "a credential needs a user name"
	case !slices.Contains(schemes, c.Scheme):
		detail = fmt.Sprintf("its scheme %q is not one of Basic, Digest, Negotiate, Kerberos and CredSSP", c.Scheme)
	}
	for _, tag := range c.For {
		if tag != ForAll && !isTag(tag) {
			detail = "what it is for are tags, or " + ForAll + " for the whole pool"
		}
	}
	if detail != "" {
		return &cim.Error{Status: cim.ErrInvalidParameter, Operation: "check the credential", Path: c.Name, Detail: detail}
	}
	return nil
}

// SetCredential makes a credential, or replaces it. An empty password keeps the
// one that is. Of two for the whole pool or the same tag, the first by name
// counts. The password is sealed for this process' key and those of the workers,
// and wiped here.
func (p *Pool) SetCredential(ctx context.Context, c Credential, password []byte) error {
	defer seal.Wipe(password)
	if err := c.Clean(); err != nil {
		return err
	}
	if len(password) > maxPassword {
		return &cim.Error{Status: cim.ErrInvalidParameter, Operation: "keep the credential", Path: c.Name, Detail: "the password is too long"}
	}
	stored := storedCredential{Credential: c, Since: time.Now().UTC()}
	if len(password) == 0 {
		old, err := p.credential(ctx, c.Name)
		if err != nil {
			return err
		}
		stored.Sealed, stored.Since = old.Sealed, old.Since
	} else {
		keys, err := p.keys(ctx)
		if err != nil {
			return err
		}
		if stored.Sealed, err = seal.Seal(password, keys...); err != nil {
			return err
		}
	}
	return p.putCredential(ctx, stored)
}

func (p *Pool) putCredential(ctx context.Context, c storedCredential) error {
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = p.credentials.Put(ctx, keyOf(c.Name), value)
	return err
}

// RemoveCredential forgets a credential: cim.ErrNotFound, and cim.ErrInvalidOperation
// while servers name it.
func (p *Pool) RemoveCredential(ctx context.Context, name string) error {
	if _, err := p.credential(ctx, name); err != nil {
		return err
	}
	var used []string
	for _, e := range p.Servers() {
		if strings.EqualFold(e.Credential, name) {
			used = append(used, e.Name)
		}
	}
	if len(used) > 0 {
		more := ""
		if len(used) > 5 {
			used, more = used[:5], fmt.Sprintf(" and %d more", len(used)-5)
		}
		return &cim.Error{Status: cim.ErrInvalidOperation, Operation: "remove the credential", Path: name, Detail: "it is that of " + strings.Join(used, ", ") + more + ": give them another one first"}
	}
	return p.credentials.Delete(ctx, keyOf(name))
}

// Credentials are all of them, by name, without their passwords.
func (p *Pool) Credentials(ctx context.Context) ([]Credential, error) {
	stored, err := p.storedCredentials(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Credential, len(stored))
	for n, c := range stored {
		list[n] = c.Credential
	}
	return list, nil
}

func (p *Pool) storedCredentials(ctx context.Context) ([]storedCredential, error) {
	entries, err := p.credentials.List(ctx, "")
	if err != nil {
		return nil, err
	}
	list := make([]storedCredential, len(entries))
	for n, e := range entries {
		if err := json.Unmarshal(e.Value, &list[n]); err != nil {
			return nil, fmt.Errorf("the credential %s cannot be read: %w", e.Key, err)
		}
	}
	slices.SortFunc(list, func(a, b storedCredential) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return list, nil
}

// credential is one by its name, in any case.
func (p *Pool) credential(ctx context.Context, name string) (c storedCredential, err error) {
	e, err := p.credentials.Get(ctx, keyOf(name))
	if errors.Is(err, bus.ErrNotFound) {
		return c, &cim.Error{Status: cim.ErrNotFound, Operation: "find the credential", Path: name, Detail: "no credential has this name"}
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &c)
	}
	return c, err
}

// CredentialOf is the credential that a server is reached with: the one that its
// entry names, else that of one of its tags, else the pool's. ok is false where
// there is none: then it is reached as who runs this process, with Kerberos.
func (p *Pool) CredentialOf(ctx context.Context, s Server) (c Credential, ok bool, err error) {
	stored, ok, err := p.bound(ctx, s)
	return stored.Credential, ok, err
}

func (p *Pool) bound(ctx context.Context, s Server) (c storedCredential, ok bool, err error) {
	if s.Credential != "" {
		c, err = p.credential(ctx, s.Credential)
		return c, err == nil, err
	}
	list, err := p.storedCredentials(ctx)
	if err != nil {
		return c, false, err
	}
	for _, what := range append(slices.Clone(s.Tags), ForAll) {
		for _, c := range list {
			if slices.Contains(c.For, what) {
				return c, true, nil
			}
		}
	}
	return c, false, nil
}

// Opened is a named credential with its password, for one sign-in of this process: the
// caller shows it to nobody and forgets it. cim.ErrNotFound, cim.ErrAccessDenied where it
// is not sealed for this process.
func (p *Pool) Opened(ctx context.Context, name string) (auth.Credentials, error) {
	c, err := p.credential(ctx, name)
	if err != nil {
		return auth.Credentials{}, err
	}
	opened, _, err := p.opened(c)
	return opened, err
}

// secret is who we are at a server, opened for one sign-in. The caller forgets it.
func (p *Pool) secret(ctx context.Context, s Server) (auth.Credentials, wsmanclient.Scheme, error) {
	c, ok, err := p.bound(ctx, s)
	if err != nil || !ok {
		return auth.Credentials{}, wsmanclient.Automatic, err
	}
	return p.opened(c)
}

func (p *Pool) opened(c storedCredential) (auth.Credentials, wsmanclient.Scheme, error) {
	own, err := p.own(false)
	if err != nil {
		return auth.Credentials{}, "", err
	}
	password, err := own.Open(c.Sealed)
	if errors.Is(err, seal.ErrNotForUs) {
		return auth.Credentials{}, "", &cim.Error{Status: cim.ErrAccessDenied, Operation: "open the credential", Path: c.Name,
			Detail: "it is not sealed for this process: an administrator admits it with 'casement pool workers add'", Err: err}
	}
	if err != nil {
		return auth.Credentials{}, "", err
	}
	defer seal.Wipe(password)
	return auth.Credentials{Username: c.User, Password: string(password)}, c.Scheme, nil
}

// AdmittedWorker is a key that credentials are sealed for.
type AdmittedWorker struct {
	Key   string    `json:"key"`
	Note  string    `json:"note,omitempty"`
	By    string    `json:"by"`
	Since time.Time `json:"since"`
}

// Key is the public key of this process, which is made where there is none. A
// worker's administrator gives it to AdmitWorker.
func (p *Pool) Key() (string, error) {
	i, err := p.own(true)
	if err != nil {
		return "", err
	}
	return i.Key(), nil
}

// Workers are the admitted ones, the oldest first.
func (p *Pool) Workers(ctx context.Context) ([]AdmittedWorker, error) {
	entries, err := p.workers.List(ctx, "")
	if err != nil {
		return nil, err
	}
	list := make([]AdmittedWorker, len(entries))
	for n, e := range entries {
		if err := json.Unmarshal(e.Value, &list[n]); err != nil {
			return nil, fmt.Errorf("a worker's key cannot be read: %w", err)
		}
	}
	slices.SortFunc(list, func(a, b AdmittedWorker) int { return a.Since.Compare(b.Since) })
	return list, nil
}

// AdmitWorker lets a worker open every credential: they are sealed anew.
func (p *Pool) AdmitWorker(ctx context.Context, key, note, by string) error {
	key = strings.TrimSpace(key)
	if err := seal.CheckKey(key); err != nil {
		return &cim.Error{Status: cim.ErrInvalidParameter, Operation: "admit the worker", Detail: err.Error()}
	}
	value, err := json.Marshal(AdmittedWorker{key, note, by, time.Now().UTC()})
	if err != nil {
		return err
	}
	if _, err := p.workers.Put(ctx, workerKey(key), value); err != nil {
		return err
	}
	return p.sealAnew(ctx)
}

// DismissWorker seals the credentials anew without a worker's key. What that
// worker read before it may have kept: change those passwords. cim.ErrNotFound.
func (p *Pool) DismissWorker(ctx context.Context, key string) error {
	key = strings.TrimSpace(key)
	if _, err := p.workers.Get(ctx, workerKey(key)); errors.Is(err, bus.ErrNotFound) {
		return &cim.Error{Status: cim.ErrNotFound, Operation: "dismiss the worker", Detail: "no worker with this key is admitted"}
	} else if err != nil {
		return err
	}
	if err := p.workers.Delete(ctx, workerKey(key)); err != nil {
		return err
	}
	return p.sealAnew(ctx)
}

// keys are those that credentials are sealed for: this process' and the workers'.
func (p *Pool) keys(ctx context.Context) ([]string, error) {
	own, err := p.Key()
	if err != nil {
		return nil, err
	}
	keys := []string{own}
	list, err := p.Workers(ctx)
	for _, w := range list {
		if w.Key != own {
			keys = append(keys, w.Key)
		}
	}
	return keys, err
}

// sealAnew seals every credential for the keys that are admitted now.
func (p *Pool) sealAnew(ctx context.Context) error {
	list, err := p.storedCredentials(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	own, err := p.own(false)
	if err != nil {
		return err
	}
	keys, err := p.keys(ctx)
	if err != nil {
		return err
	}
	for _, c := range list {
		if err := p.sealOne(ctx, own, keys, c.Name); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pool) sealOne(ctx context.Context, own *seal.Identity, keys []string, name string) error {
	for {
		e, err := p.credentials.Get(ctx, keyOf(name))
		if errors.Is(err, bus.ErrNotFound) {
			return nil
		}
		var c storedCredential
		if err == nil {
			err = json.Unmarshal(e.Value, &c)
		}
		if err != nil {
			return err
		}
		password, err := own.Open(c.Sealed)
		if err != nil {
			return &cim.Error{Status: cim.ErrAccessDenied, Operation: "seal the credential anew", Path: c.Name, Detail: "this process cannot open it: do this where it was made, or give its password again", Err: err}
		}
		c.Sealed, err = seal.Seal(password, keys...)
		seal.Wipe(password)
		if err != nil {
			return err
		}
		value, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if _, err = p.credentials.Update(ctx, keyOf(name), value, e.Revision); !errors.Is(err, bus.ErrConflict) {
			return err
		}
	}
}

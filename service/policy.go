package service

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/privilege"
	"github.com/casementhq/casement/shell"
)

// policyFolder holds the policies of privilege helpers. Root alone can write
// it, and it outlives a restart of the machine: what root permitted is never
// taken from the accounts file, which the service itself can write.
const policyFolder = "/var/lib/casement-helper"

// PolicyPath is where the policy of the privilege helper for a state folder
// stands.
func PolicyPath(state string) string {
	if dir, err := filepath.Abs(state); err == nil {
		state = dir
	}
	sum := sha256.Sum256([]byte(state))
	return filepath.Join(policyFolder, hex.EncodeToString(sum[:8])+".json")
}

// Permitted is what the privilege helper of a state folder may do for its
// accounts.
type Permitted struct {
	// Root are the accounts whose commands run as root.
	Root []string
	// Refused are accounts that are mapped to a Unix user whom root has not
	// permitted: their commands do not run until root maps them.
	Refused []accounts.User
}

// Permit makes root's decisions about an account hold at once in a running
// service: after the account was mapped to a Unix user its commands may run as
// that user, and what no account is mapped to any more is permitted no longer.
// account may be empty or gone, which permits nothing. For who is not root it
// does nothing; a service without a helper asks nobody.
func (s *State) Permit(account string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	if _, err := os.Lstat(PolicyPath(s.Dir)); errors.Is(err, fs.ErrNotExist) && !s.isMapped(account) {
		return nil // nothing to permit, and no helper to tell
	}
	_, err := s.updatePolicy(account)
	return err
}

func (s *State) isMapped(account string) bool {
	users, err := s.mappable()
	return err == nil && slices.ContainsFunc(users, func(u accounts.User) bool {
		return u.UnixUser != "" && s.isNamed(u, account)
	})
}

// mappable are all who may be mapped to a Unix user: the local users, and the
// accounts of domains that are, which have a name and no RID.
func (s *State) mappable() ([]accounts.User, error) {
	users, err := s.Accounts.Users()
	if err != nil {
		return nil, err
	}
	foreign, err := s.Accounts.DomainUsers()
	for _, u := range foreign {
		users = append(users, accounts.User{Name: u.Name, UnixUser: u.UnixUser, AllowRoot: u.AllowRoot})
	}
	return users, err
}

// isNamed tells whether u is the account of that name.
func (s *State) isNamed(u accounts.User, account string) bool {
	if u.RID == 0 {
		return u.Name == account
	}
	local, err := s.Accounts.LookupUser(account)
	return account != "" && err == nil && local.RID == u.RID
}

// WritePolicy makes the policy of the helper ready for a start as root, and
// tells what it permits.
func (s *State) WritePolicy() (Permitted, error) { return s.updatePolicy("") }

func (s *State) updatePolicy(account string) (Permitted, error) {
	var told Permitted
	own, err := privilege.ServiceUser()
	if err != nil {
		return told, err
	}
	users, err := s.mappable()
	if err != nil {
		return told, err
	}
	path := PolicyPath(s.Dir)
	old, err := privilege.LoadPolicy(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return told, err
	}
	p := old
	p.Users, p.AllowRoot = []string{own.UnixUser}, false
	for _, u := range users {
		if u.UnixUser == "" || u.UnixUser == own.UnixUser {
			continue
		}
		id, err := shell.LookupIdentity(u.UnixUser)
		root := err == nil && id.UID == 0
		now := s.isNamed(u, account)
		permitted := now || slices.Contains(old.Users, u.UnixUser)
		if root {
			permitted = u.AllowRoot && (now || permitted && old.AllowRoot)
		}
		if !permitted {
			told.Refused = append(told.Refused, u)
			continue
		}
		if root {
			p.AllowRoot = true
			told.Root = append(told.Root, u.Name)
		}
		if !slices.Contains(p.Users, u.UnixUser) {
			p.Users = append(p.Users, u.UnixUser)
		}
	}
	if len(p.Users) == 1 && len(p.Domains) == 0 && len(p.Ports) == 0 && p.MaxJobs == 0 && !p.Firewall {
		// Nothing but what holds without a file too.
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return told, fmt.Errorf("write the policy of the privilege helper: %w", err)
		}
		return told, nil
	}
	if err := os.MkdirAll(policyFolder, 0o755); err != nil { // #nosec G301 -- its files have mode 0600
		return told, fmt.Errorf("write the policy of the privilege helper: %w", err)
	}
	return told, privilege.WritePolicy(path, p)
}

// PermitDomain makes root's decision hold whether the users of a domain, DOMAIN\* or *@realm, run as the Unix users that the name service switch
// has for them, where no account was mapped. For who is not root it fails.
func (s *State) PermitDomain(domain string, on bool) error {
	if !privilege.ValidDomain(domain) {
		return fmt.Errorf("%q does not name the users of a domain, as DOMAIN\\* and *@realm do", domain)
	}
	return s.decide(func(p *privilege.Policy) {
		p.Domains = slices.DeleteFunc(p.Domains, func(d string) bool { return strings.EqualFold(d, domain) })
		if on {
			p.Domains = append(p.Domains, domain)
		}
	})
}

// PermittedDomains are those of PermitDomain; none for who is not root.
func (s *State) PermittedDomains() []string {
	p, err := privilege.LoadPolicy(PolicyPath(s.Dir))
	if err != nil {
		return nil
	}
	return p.Domains
}

// decide changes what the helper may do beside starting users who are mapped.
func (s *State) decide(change func(*privilege.Policy)) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("what the privilege helper may do is root's to permit: %w", fs.ErrPermission)
	}
	path := PolicyPath(s.Dir)
	p, err := privilege.LoadPolicy(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(policyFolder, 0o755); err != nil { // #nosec G301 -- its files have mode 0600
		return fmt.Errorf("write the policy of the privilege helper: %w", err)
	}
	change(&p)
	if err := privilege.WritePolicy(path, p); err != nil {
		return err
	}
	_, err = s.updatePolicy("")
	return err
}

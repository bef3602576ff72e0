package accounts

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/casementhq/casement/security"
)

// Errors about accounts. They are for administrators and logs; toward the network see ErrLogonFailure.
var (
	ErrNoSuchUser   = errors.New("no such user")
	ErrNoSuchGroup  = errors.New("no such group")
	ErrNoSuchMember = errors.New("not a member of the group")
	ErrExists       = errors.New("the account exists already")
	ErrBadName      = errors.New("the name is not usable")
	ErrBuiltIn      = errors.New("a built-in account cannot be deleted")
	ErrNoHash       = errors.New("this store was opened without a password hash")
	ErrRootMapping  = errors.New("mapping an account to root needs the explicit permission to do so")
)

// MaxUserName is the longest user name in characters, as on Windows.
const MaxUserName = 20

// MaxPassword is the longest password in characters, as on Windows.
const MaxPassword = 256

// User is a local user as others may see it, without secrets.
type User struct {
	Name, FullName, Comment string
	// RID is 500 for the built-in Administrator and from 1001 up for others; SID is the machine's with it.
	RID uint32
	SID security.SID
	// Disabled users cannot log on.
	Disabled bool
	// UnixUser is the Unix user as whom processes of this user run. Empty: the service's own user.
	UnixUser string
	// AllowRoot permits that UnixUser is root.
	AllowRoot bool
	// PasswordSet is when the password was set; zero when there is none, and then no logon succeeds.
	PasswordSet time.Time
}

// NewUser describes a user to add.
type NewUser struct {
	// Name is 1 to 20 characters. FullName and Comment are free.
	Name, FullName, Comment string
	// Password is 1 to 256 characters; empty adds the user without one.
	Password string
	// UnixUser and AllowRoot are as in User. Default: the service's own user.
	UnixUser  string
	AllowRoot bool
	Disabled  bool
}

// AddUser adds a user with the next free RID, and makes it a member of Users. Errors match ErrExists, ErrBadName,
// ErrRootMapping or ErrNoHash.
func (s *Store) AddUser(n NewUser) (User, error) {
	if err := validUserName(n.Name); err != nil {
		return User{}, err
	}
	if err := validUnixUser(n.UnixUser, n.AllowRoot); err != nil {
		return User{}, err
	}
	for _, text := range []string{n.FullName, n.Comment} {
		if len(text) > 1024 || !utf8.ValidString(text) {
			return User{}, fmt.Errorf("%w: full name and comment have at most 1024 bytes of UTF-8", ErrBadName)
		}
	}
	rec := userRecord{Name: n.Name, FullName: n.FullName, Comment: n.Comment, Disabled: n.Disabled,
		UnixUser: n.UnixUser, AllowRoot: n.AllowRoot}
	if n.Password != "" {
		if err := s.setHash(&rec, n.Password); err != nil {
			return User{}, err
		}
	}
	var added User
	err := s.change(func(st *state) error {
		if st.nameTaken(n.Name) {
			return fmt.Errorf("add user %s: %w", n.Name, ErrExists)
		}
		if st.NextRID >= 1<<30 {
			return errors.New("add user: no relative identifiers are left")
		}
		rec.RID = st.NextRID
		st.NextRID++
		st.Users = append(st.Users, rec)
		added = st.user(&rec)
		if g := st.groupBySID(security.SIDUsers); g != nil {
			g.Members = append(g.Members, added.SID)
		}
		return nil
	})
	if err != nil {
		return User{}, err
	}
	return added, nil
}

// setHash puts the hash of a password into a record.
func (s *Store) setHash(rec *userRecord, password string) error {
	if s.hash == nil {
		return ErrNoHash
	}
	if password == "" || !utf8.ValidString(password) || utf8.RuneCountInString(password) > MaxPassword {
		return fmt.Errorf("the password is not usable: 1 to %d characters are needed", MaxPassword)
	}
	h := ntHash(s.hash(password))
	rec.NTHash = &h
	rec.PasswordSet = s.now().UTC().Truncate(time.Second)
	return nil
}

// SetPassword gives a user a new password. It also forgets the failed logons of the user and ends its lockouts.
func (s *Store) SetPassword(name, password string) error {
	var probe userRecord
	if err := s.setHash(&probe, password); err != nil {
		return err
	}
	err := s.changeUser(name, func(_ *state, u *userRecord) error {
		u.NTHash, u.PasswordSet = probe.NTHash, probe.PasswordSet
		return nil
	})
	if err == nil {
		_, err = s.Unlock(name)
	}
	return err
}

// SetDisabled disables or enables a user.
func (s *Store) SetDisabled(name string, disabled bool) error {
	return s.changeUser(name, func(_ *state, u *userRecord) error {
		u.Disabled = disabled
		return nil
	})
}

// SetUnixUser maps a user to a Unix user; empty stands for the service's own user, and for none where the name is one of
// a domain, DOMAIN\user or user@REALM. Root needs allowRoot, else the error is ErrRootMapping.
func (s *Store) SetUnixUser(name, unixUser string, allowRoot bool) error {
	if err := validUnixUser(unixUser, allowRoot); err != nil {
		return err
	}
	return s.change(func(st *state) error {
		if st.foreignName(name) {
			if len(name) > 512 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
				return fmt.Errorf("%w: %.70q", ErrBadName, name)
			}
			st.mapDomainUser(DomainUser{name, unixUser, allowRoot})
			return nil
		}
		u, err := st.findUser(name)
		if err != nil {
			return err
		}
		u.UnixUser, u.AllowRoot = unixUser, allowRoot
		return nil
	})
}

// DeleteUser removes a user and its memberships. Its RID is not used again. The built-in Administrator stays
// (ErrBuiltIn).
func (s *Store) DeleteUser(name string) error {
	return s.changeUser(name, func(st *state, u *userRecord) error {
		if u.RID < ridRemoteWMIUsers {
			return fmt.Errorf("delete user %s: %w; disable it instead", u.Name, ErrBuiltIn)
		}
		sid, rid := st.MachineSID.WithRID(u.RID), u.RID
		for i := range st.Groups {
			st.Groups[i].Members = slices.DeleteFunc(st.Groups[i].Members, func(m security.SID) bool { return m == sid })
		}
		st.Users = slices.DeleteFunc(st.Users, func(r userRecord) bool { return r.RID == rid })
		return nil
	})
}

// changeUser applies f to the record of a user.
func (s *Store) changeUser(name string, f func(*state, *userRecord) error) error {
	return s.change(func(st *state) error {
		u, err := st.findUser(name)
		if err != nil {
			return err
		}
		return f(st, u)
	})
}

// Users returns all users, by RID.
func (s *Store) Users() ([]User, error) {
	st, err := s.current()
	if err != nil {
		return nil, err
	}
	out := make([]User, len(st.Users))
	for i := range st.Users {
		out[i] = st.user(&st.Users[i])
	}
	slices.SortFunc(out, func(a, b User) int { return int(a.RID) - int(b.RID) })
	return out, nil
}

// LookupUser finds a user by `user`, `.\user`, `HOST\user` or `user@HOST`, where HOST is this machine, all without
// case. Another domain gives ErrNoSuchUser.
func (s *Store) LookupUser(name string) (User, error) {
	st, err := s.current()
	if err != nil {
		return User{}, err
	}
	u, err := st.findUser(name)
	if err != nil {
		return User{}, err
	}
	return st.user(u), nil
}

// user makes the public form of a record.
func (st *state) user(u *userRecord) User {
	return User{Name: u.Name, FullName: u.FullName, Comment: u.Comment, RID: u.RID, SID: st.MachineSID.WithRID(u.RID),
		Disabled: u.Disabled, UnixUser: u.UnixUser, AllowRoot: u.AllowRoot, PasswordSet: u.PasswordSet}
}

// findUser finds a user by any form of its name.
func (st *state) findUser(name string) (*userRecord, error) {
	domain, account := SplitName(name)
	return st.findUserIn(domain, account)
}

func (st *state) findUserIn(domain, account string) (*userRecord, error) {
	if domain != "" && domain != "." && !strings.EqualFold(domain, st.Machine) {
		return nil, fmt.Errorf("%w: %.64q; this machine is %s", ErrNoSuchUser, domain+`\`+account, st.Machine)
	}
	key := foldName(account)
	for i := range st.Users {
		if foldName(st.Users[i].Name) == key {
			return &st.Users[i], nil
		}
	}
	return nil, fmt.Errorf("%w: %.64q", ErrNoSuchUser, account)
}

// SplitName takes `domain\user` and `user@domain` apart. The domain of a plain name is empty.
func SplitName(name string) (domain, user string) {
	if d, u, ok := strings.Cut(name, `\`); ok {
		return d, u
	}
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		return name[i+1:], name[:i]
	}
	return "", name
}

// foldName makes a name comparable without case.
func foldName(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// nameTaken reports whether a user or group has this name.
func (st *state) nameTaken(name string) bool {
	key := foldName(name)
	return slices.ContainsFunc(st.Users, func(u userRecord) bool { return foldName(u.Name) == key }) ||
		slices.ContainsFunc(st.Groups, func(g groupRecord) bool { return foldName(g.Name) == key }) ||
		key == foldName(st.Machine)
}

func validUserName(name string) error {
	if n := utf8.RuneCountInString(name); n == 0 || n > MaxUserName {
		return fmt.Errorf("%w: a user name has 1 to %d characters", ErrBadName, MaxUserName)
	}
	return validAccountName(name)
}

// validAccountName applies the rules of Windows for users and groups.
func validAccountName(name string) error {
	bad := !utf8.ValidString(name) || strings.ContainsAny(name, "\"/\\[]:;|=,+*?<>@") || strings.Trim(name, ". ") == "" ||
		strings.HasSuffix(name, ".") || strings.TrimSpace(name) != name || strings.ContainsFunc(name, unicode.IsControl)
	if bad || len(name) > 4 && strings.EqualFold(name[:4], "S-1-") {
		return fmt.Errorf("%w: %.70q has a character that account names cannot have", ErrBadName, name)
	}
	return nil
}

func validUnixUser(name string, allowRoot bool) error {
	if name == "" {
		return nil
	}
	if len(name) > 32 || name[0] == '-' || strings.ContainsFunc(name, func(r rune) bool {
		return r == '/' || r == ':' || r == ',' || r == '\\' || unicode.IsSpace(r) || unicode.IsControl(r)
	}) {
		return fmt.Errorf("%w: %.40q is not a Unix user", ErrBadName, name)
	}
	if (name == "root" || strings.Trim(name, "0") == "") && !allowRoot {
		return ErrRootMapping
	}
	return nil
}

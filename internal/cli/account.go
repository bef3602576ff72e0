package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/casementhq/casement/internal/hosts"
	"github.com/zalando/go-keyring"
)

// keyringService is the name under which passwords lie in the keyring.
const keyringService = "casement"

// account is who a command presents to a host. The zero value is nobody.
type account struct{ user, password string }

// accountSource finds the account for a host. The user comes from --user, else
// CASEMENT_USER, else the hosts file; the password from CASEMENT_PASSWORD, else the
// hosts file where the user is the one that it names, else the keyring where that is
// asked for, else a question, which is asked once for a user. Where nobody is named and
// the command runs in a remote shell, it is who handed credentials over for that shell.
type accountSource struct {
	s       Streams
	user    string
	keyring bool
	keyless bool // a keytab or a credential cache stands in for passwords

	mu    sync.Mutex
	asked map[string]string
}

func (a *accountSource) account(host string) (account, error) {
	host = bareHost(host)
	entry, err := hostEntry(host)
	if err != nil {
		return account{}, err
	}
	user := a.user
	if user == "" {
		user = os.Getenv("CASEMENT_USER")
	}
	if user == "" {
		user = entry.User
	}
	if host == "." {
		return account{}, nil
	}
	if a.keyless {
		return account{user: user}, nil
	}
	if user == "" {
		return delegatedAccount(context.Background())
	}
	if p := os.Getenv("CASEMENT_PASSWORD"); p != "" {
		return account{user, p}, nil
	}
	if entry.Password != "" && strings.EqualFold(user, entry.User) {
		return account{user, entry.Password}, nil
	}
	return a.ask(user, host)
}

// ask looks into the keyring and asks the person.
func (a *accountSource) ask(user, host string) (account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.asked[user]; ok {
		return account{user, p}, nil
	}
	item := user + "@" + host
	if a.keyring {
		p, err := keyring.Get(keyringService, item)
		if err == nil {
			return account{user, p}, nil
		}
		if !errors.Is(err, keyring.ErrNotFound) {
			return account{}, fmt.Errorf("read the password of %s from the keyring: %w; leave --keyring out to be asked for it", item, err)
		}
	}
	p, err := askSecret(a.s, "Password of "+user+" for "+host+": ")
	if errors.Is(err, errNoTerminal) {
		return account{}, fmt.Errorf("the password of %s for %s is not known and %w: set CASEMENT_PASSWORD, or 'casement hosts add' keeps it", user, host, err)
	}
	if err != nil {
		return account{}, err
	}
	if a.keyring {
		if err := keyring.Set(keyringService, item, p); err != nil {
			fmt.Fprintf(a.s.Err, "casement: warning: the keyring does not keep the password of %s: %v\n", item, err)
		}
	}
	if a.asked == nil {
		a.asked = map[string]string{}
	}
	a.asked[user] = p
	return account{user, p}, nil
}

// hostEntry is the entry of the hosts file with that name, or an empty one.
func hostEntry(name string) (hosts.Entry, error) {
	path, err := hosts.DefaultPath()
	if err != nil {
		return hosts.Entry{}, nil //nolint:nilerr // without a configuration folder there is no hosts file
	}
	entries, err := hosts.Load(path)
	if err != nil {
		return hosts.Entry{}, err
	}
	e, _ := hosts.Find(entries, name)
	return e, nil
}

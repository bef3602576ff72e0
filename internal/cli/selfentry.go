package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/casementhq/casement/internal/hosts"
	"github.com/casementhq/casement/service"
)

// enterSelf puts this machine into the hosts file of the user who started the
// program. Without a fresh password the entry keeps the one that it has,
// provided that it is right.
func enterSelf(state *service.State, name string, made *service.Bootstrapped) error {
	var mine hosts.Entry
	err := asInvoker(func(path string) error {
		entries, err := hosts.Load(path)
		mine, _ = hosts.Find(entries, name)
		return err
	})
	if err == nil {
		mine.Name, mine.URL, mine.User, mine.Thumbprint = name, made.HTTP, made.User, ""
		if made.HTTP == "" {
			mine.URL, mine.Thumbprint = made.HTTPS, made.Thumbprint
		}
		if made.Password != "" {
			mine.Password = made.Password
		}
		if mine.Password != "" {
			if _, err := state.Accounts.VerifyPassword(mine.User, mine.Password, netip.Addr{}); err != nil {
				mine.Password = "" // that of another state folder
			}
		}
		err = asInvoker(func(path string) error { return hosts.Put(path, mine) })
	}
	if err != nil {
		return fmt.Errorf("enter this machine in the hosts file: %w; --no-hosts leaves it alone", err)
	}
	if mine.Password == "" {
		made.Notes = append(made.Notes, "The hosts file does not know the password of "+made.User+", so the commands ask for it.")
	}
	return nil
}

// asInvoker calls f with the hosts file of who started the program, with that
// user's rights to files: behind sudo that is not root.
func asInvoker(f func(path string) error) error {
	id := os.Getenv("SUDO_UID")
	if os.Geteuid() != 0 || os.Getenv("CASEMENT_HOSTS") != "" || id == "" || id == "0" {
		path, err := hosts.DefaultPath()
		if err != nil {
			return err
		}
		return f(path)
	}
	u, err := user.LookupId(id)
	if err != nil {
		return err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !filepath.IsAbs(u.HomeDir) {
		return fmt.Errorf("the user %s has no home folder", u.Username)
	}
	return withFileRights(int(uid), int(gid), func() error {
		return f(filepath.Join(u.HomeDir, ".config", "casement", "hosts.json"))
	})
}

package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/privilege"
	"github.com/casementhq/casement/shell"
)

// HelperCommand is the hidden subcommand that runs the privilege helper; its
// argument is the path of the policy.
const HelperCommand = "privilege-helper"

// PolicyPath is where the policy of the privilege helper for a state folder
// stands: in a folder that root alone can write.
func PolicyPath(state string) string {
	sum := sha256.Sum256([]byte(state))
	return filepath.Join("/run/casement", hex.EncodeToString(sum[:8])+".json")
}

// WritePolicy tells the privilege helper as whom it may start processes: the
// service's user and every user that an account is mapped to. It needs root.
func WritePolicy(state string, store *accounts.Store) error {
	own, err := privilege.ServiceUser()
	if err != nil {
		return err
	}
	users, err := store.Users()
	if err != nil {
		return err
	}
	p := privilege.Policy{Users: []string{own.UnixUser}}
	for _, u := range users {
		if u.UnixUser != "" && !slices.Contains(p.Users, u.UnixUser) {
			p.Users = append(p.Users, u.UnixUser)
		}
		p.AllowRoot = p.AllowRoot || u.AllowRoot
	}
	path := PolicyPath(state)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { // #nosec G301 -- the policy is no secret
		return fmt.Errorf("write the policy of the privilege helper: %w", err)
	}
	return privilege.WritePolicy(path, p)
}

// GiveUpRoot splits a process that runs as root: a helper keeps root and does
// what its policy permits, this process becomes the service's user for good
// and owns the state folder. It returns the client of the helper and the user.
func GiveUpRoot(ctx context.Context, state string) (*privilege.Client, shell.Identity, error) {
	own, err := privilege.ServiceUser()
	if err != nil {
		return nil, own, fmt.Errorf("run as root: %w", err)
	}
	if err := chownTree(state, int(own.UID), int(own.GID)); err != nil {
		return nil, own, fmt.Errorf("give the state folder to %s: %w", own.UnixUser, err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, own, err
	}
	client, err := privilege.StartHelper(ctx, privilege.HelperOptions{Argv: []string{self, HelperCommand, PolicyPath(state)}})
	if err != nil {
		return nil, own, err
	}
	if err := privilege.Drop(own); err != nil {
		client.Close()
		return nil, own, err
	}
	return client, own, nil
}

// chownTree gives a folder and what is in it to a user, never what a link in it
// points to.
func chownTree(dir string, uid, gid int) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}

package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/casementhq/casement/privilege"
	"github.com/casementhq/casement/shell"
)

// HelperCommand is the hidden subcommand that runs the privilege helper; its
// argument is the path of the policy.
const HelperCommand = "privilege-helper"

// GiveUpRoot splits a process that runs as root: a helper keeps root and does
// what its policy permits, this process becomes the service's user for good
// and owns the state folder. It returns the client of the helper and the user.
func GiveUpRoot(ctx context.Context, state string) (*privilege.Client, shell.Identity, error) {
	own, err := privilege.ServiceUser()
	if err != nil {
		return nil, own, fmt.Errorf("run as root: %w", err)
	}
	if err := giveState(state, int(own.UID), int(own.GID)); err != nil {
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
		return nil, own, errors.Join(err, client.Close())
	}
	if _, err := os.ReadDir(state); err != nil {
		err = fmt.Errorf("the service runs as %s, who cannot reach the state folder: %w; open the folders above it with chmod o+x, or name another with --state", own.UnixUser, err)
		return nil, own, errors.Join(err, client.Close())
	}
	return client, own, nil
}

// giveState gives a state folder and what is in it to a user. The folder may
// be that user's already, who may have put anything there: links are left
// alone, and a file that has a second name elsewhere is refused.
func giveState(dir string, uid, gid int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return nil
		}
		// What is open stays the same file, whatever its name becomes.
		f, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || ownedBy(info, uid) {
			return err
		}
		if info.Mode().IsRegular() && linkCount(info) > 1 {
			return fmt.Errorf("%s has another name (a hard link) elsewhere: copy it and remove the link", filepath.Join(dir, path))
		}
		return f.Chown(uid, gid) // #nosec G122 -- the file that is open, not its name
	})
}

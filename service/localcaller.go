package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/casementhq/casement/security"
)

// LocalCaller is who the user of this process is to the state folder: its owner and
// root are the Administrator, elevated. The error of anybody else wraps
// fs.ErrPermission.
func (s *State) LocalCaller() (*security.Token, error) {
	if err := elevated(s.Dir); err != nil {
		return nil, err
	}
	return (&people{store: s.Accounts, state: s}).localToken(ownUID())
}

// ServiceUser is the system's name of the user as whom a service on the state folder
// runs, who owns it; "" where the system has no owners.
func (s *State) ServiceUser() (string, error) {
	info, err := os.Stat(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the state in %s: %w", s.Dir, err)
	}
	uid, ok := owner(info)
	if !ok {
		return "", nil
	}
	return unixName(uid), nil
}

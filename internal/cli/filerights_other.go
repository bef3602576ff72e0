//go:build !linux

package cli

import "errors"

// withFileRights is for a service that gives up root, which is Linux's alone.
func withFileRights(int, int, func() error) error {
	return errors.New("sudo is not supported on this system: run it as the user who is to be served")
}

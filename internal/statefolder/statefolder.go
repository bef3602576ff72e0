// Package statefolder knows where a user's state folder is.
package statefolder

import (
	"fmt"
	"os"
	"path/filepath"
)

// Default is /var/lib/casement for root, else casement in $XDG_STATE_HOME or
// ~/.local/state. It fails for who has no home.
func Default() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/casement", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "casement"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the state folder: %w", err)
	}
	return filepath.Join(home, ".local", "state", "casement"), nil
}

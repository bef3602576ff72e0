//go:build !unix

package store

import "os"

// mapped is how many addresses are set aside for the file beyond its size: none,
// because the file would grow with them.
const mapped = 0

// noFollow is nothing where folders with others in them are not shared.
const noFollow = 0

// lockFile opens the lock file. The lock itself is the one that bbolt takes on
// the database.
func lockFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
}

// syncDir has nothing to do: a rename is durable with the journal of the volume.
func syncDir(string) {}

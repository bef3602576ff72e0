// Package find looks for servers that could be added to a pool: the computers of a
// directory, and the names and addresses that DNS knows. It adds nothing. See
// spec/winrm.md 9 (Add Servers).
package find

import (
	"context"

	"github.com/casementhq/casement/pool/internal/directory"
)

// DirectoryOptions say where in a directory to look, and for what.
type DirectoryOptions = directory.Options

// How a connection to a directory is protected.
const (
	Sealed   = directory.Sealed
	StartTLS = directory.StartTLS
	LDAPS    = directory.LDAPS
)

// Security is one of these.
type Security = directory.Security

// Computers are those of a directory.
type Computers = directory.Found

// InDirectory finds the computers of an Active Directory domain whose accounts are
// enabled. What they are called was written by whoever may write into the directory:
// it is no host name before lists.CheckName says so.
func InDirectory(ctx context.Context, o DirectoryOptions) (*Computers, error) {
	return directory.Search(ctx, o)
}

//go:build !unix

package seal

import "os"

// openPrivate leaves the rights of the file to the system.
func openPrivate(name string) (*os.File, error) { return os.Open(name) }

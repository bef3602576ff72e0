//go:build !unix

package krb5

import "io/fs"

// ours cannot tell; folders for temporary files are each user's own here.
func ours(fs.FileInfo) bool { return true }

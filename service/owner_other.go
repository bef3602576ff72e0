//go:build !unix

package service

import "io/fs"

// ownedBy leaves the decision to the system, whose files carry access lists.
func ownedBy(fs.FileInfo, int) bool { return true }

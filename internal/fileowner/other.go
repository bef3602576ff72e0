//go:build !unix

package fileowner

import "os"

// GiveLike has nothing to do: no process is root, the rights of the folder hold.
func GiveLike(*os.File, string) error { return nil }

// Keep has nothing to do either.
func Keep(*os.File, string) error { return nil }

//go:build !unix

package ipmi

import "os"

// giveLike does nothing: a file belongs to who made it.
func giveLike(*os.File, string) error { return nil }

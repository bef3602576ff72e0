//go:build !unix

package consumers

import "errors"

// openFolder is not supported on this system.
func openFolder(string) (folder, error) { return nil, errors.ErrUnsupported }

//go:build !unix

package consumers

import "errors"

// OwnFolder opens a folder as the user of this process. It is not supported on
// this system.
func OwnFolder(string) (Folder, error) {
	return nil, errors.ErrUnsupported
}

//go:build !linux

package host

import "errors"

func renice(int, int) error { return errors.ErrUnsupported }

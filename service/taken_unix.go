//go:build unix

package service

import (
	"errors"
	"syscall"
)

// taken tells that a port belongs to another program.
func taken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

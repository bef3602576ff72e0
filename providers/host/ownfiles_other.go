//go:build !linux

package host

import (
	"context"
	"errors"
	"io"
)

// OwnFiles is the [FileActor] and [FileWriter] of the user that this process runs as. It is for Linux, whose kernel can refuse links.
type OwnFiles struct{}

var (
	_ FileActor  = OwnFiles{}
	_ FileWriter = OwnFiles{}
)

// Copy fails with errors.ErrUnsupported.
func (OwnFiles) Copy(context.Context, string, string) error { return errors.ErrUnsupported }

// Rename fails with errors.ErrUnsupported.
func (OwnFiles) Rename(context.Context, string, string) error { return errors.ErrUnsupported }

// Remove fails with errors.ErrUnsupported.
func (OwnFiles) Remove(context.Context, string) error { return errors.ErrUnsupported }

// Write fails with errors.ErrUnsupported.
func (OwnFiles) Write(context.Context, string, io.Reader) error { return errors.ErrUnsupported }

package casement

import (
	"context"
	"errors"
)

func (c *Connection) copyTo(context.Context, string, string, CopyOptions) (CopyResult, error) {
	return CopyResult{}, errors.ErrUnsupported
}

func (c *Connection) copyFrom(context.Context, string, string, CopyOptions) (CopyResult, error) {
	return CopyResult{}, errors.ErrUnsupported
}

package wsmanserver

import (
	"context"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

// cimDelete removes an instance. See [MS-WSMV] 3.1.4.4.
func (c *call) cimDelete(ctx context.Context, session cim.Session, class *cim.Class) (wsman.Body, error) {
	path, err := c.path(class)
	if err != nil {
		return nil, err
	}
	return nil, session.Delete(ctx, path, cim.OperationOptions{Timeout: c.timeout()})
}

// slashes writes a namespace as URIs and selectors do.
func slashes(namespace string) string { return strings.ReplaceAll(namespace, `\`, "/") }

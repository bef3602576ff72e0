package wsmanserver

import (
	"context"

	"strings"

	"github.com/casementhq/casement/wsman"
)

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

// metadata serves class definitions in CIM-XML. See [MS-WSMV] 3.1.4.1.38.
func (c *call) metadata(ctx context.Context, op operation) (wsman.Body, error) {
	return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
}

package wsmanserver

import (
	"context"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// listSource gives items that are at hand.
type listSource struct {
	items [][]byte
	more  []soap.NS
}

func (s *listSource) next(_ context.Context, dst []byte, limit, budget int) (_ []byte, n int, end bool, err error) {
	for n < limit && len(s.items) > 0 {
		if len(dst)+len(s.items[0]) > budget {
			if n == 0 {
				return dst, 0, false, errTooLarge
			}
			return dst, n, false, nil
		}
		dst = append(dst, s.items[0]...)
		s.items = s.items[1:]
		n++
	}
	return dst, n, len(s.items) == 0, nil
}

func (s *listSource) spaces() []soap.NS { return s.more }

func (s *listSource) close() {}

// startList answers an Enumerate with items that are at hand.
func (c *call) startList(ctx context.Context, m *wsman.Enumerate, items [][]byte, more ...soap.NS) (wsman.Body, error) {
	release, err := c.server.ledger.Operation(userKey(c.caller.Token), "")
	if err != nil {
		return nil, c.operationQuota(err)
	}
	return c.start(ctx, m, &listSource{items, more}, func() {}, release)
}

// itemXML writes one item in the mode that was asked for.
func itemXML(mode wsman.EnumerationMode, object wsman.Body, epr wsman.EPR) ([]byte, error) {
	w := soap.NewWriter(nil)
	var err error
	switch mode {
	case wsman.EnumerateObject:
		err = object.WriteBody(w)
	case wsman.EnumerateEPR:
		epr.Write(w, soap.Addressing, "EndpointReference")
	case wsman.EnumerateObjectAndEPR:
		w.Start(soap.WSMan, "Item")
		err = object.WriteBody(w)
		epr.Write(w, soap.Addressing, "EndpointReference")
		w.End()
	default:
		return nil, wsman.NewFault(wsman.CodeEnumerationModeUnsupported, "")
	}
	return w.Bytes(), err
}

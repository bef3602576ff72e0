package wmiserver

import (
	"context"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

// smartEnum is IWbemWCOSmartEnum: the same objects, many in one packet, each class once for each client that says who it is. See
// [MS-WMI] 3.1.4.7 and 2.2.14.
type smartEnum struct {
	enumerator

	mu      sync.Mutex
	proxies map[security.GUID]*wmio.ArrayWriter
}

var smartMethods = methods{iwbem.OpSmartNext: on("Next", 0, (*smartEnum).next)}

func (e *smartEnum) methods(iid security.GUID) methods {
	if iid == wmi.IIDWCOSmartEnum {
		return smartMethods
	}
	return nil
}

// maxProxies bounds how many clients of one enumerator it remembers classes for.
const maxProxies = 16

// writer writes for a client, and knows what he knows of classes. Who comes too late gets every class with each packet.
func (e *smartEnum) writer(proxy security.GUID) *wmio.ArrayWriter {
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := e.proxies[proxy]; known != nil {
		return known
	}
	fresh := e.server.codec.NewArrayWriter(wmio.PacketNext)
	if e.proxies == nil {
		e.proxies = map[security.GUID]*wmio.ArrayWriter{}
	}
	if len(e.proxies) < maxProxies {
		e.proxies[proxy] = fresh
	}
	return fresh
}

func (e *smartEnum) next(ctx context.Context, c *call, r *iwbem.SmartNextRequest) ndr.Marshaler {
	out := &iwbem.SmartNextResponse{}
	if err := e.permit(ctx, c); err != nil {
		out.Result = result(err)
		return c.answer(out, err)
	}
	writer := e.writer(r.Proxy)
	var packet *wmio.Packet
	got, code, err := e.cursor.next(ctx, uint32(r.Timeout), count(r.Count), func(i *cim.Instance) error {
		if packet == nil { // in turn with other calls
			packet = writer.Begin(nil)
		}
		if packet.Len() >= e.server.o.Limits.ResponseBytes || packet.Objects() >= maxObjects {
			return errFull
		}
		return packet.Add(i)
	})
	out.Returned, out.Result = uint32(got), code
	if got > 0 {
		out.Buffer = packet.End()
	}
	c.about = e.subject
	return c.answer(out, err)
}

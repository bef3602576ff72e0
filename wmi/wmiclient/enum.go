package wmiclient

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

// Enum is IEnumWbemClassObject method by method. It is for one goroutine at a time. See [MS-WMI] 3.1.4.4.
type Enum struct {
	c *Client
	p *dcom.Proxy

	smart  *dcom.Proxy // IWbemWCOSmartEnum, nil for objects one by one
	proxy  security.GUID
	reader *wmio.ArrayReader
}

// milliseconds is a time limit as it travels; a negative one never ends.
func milliseconds(d time.Duration) int32 {
	if d < 0 {
		return iwbem.Forever
	}
	return int32(min(d.Milliseconds(), 1<<31-1))
}

// Next gives up to count objects. The status is StatusOK for exactly count, StatusFalse at the end, StatusTimedOut where the time was over before, and
// at the end of partial results what they are. See [MS-WMI] 3.1.4.4.2 and 3.1.4.7.1.
func (e *Enum) Next(ctx context.Context, timeout time.Duration, count uint32) (objects []*cim.Instance, status cim.Status, err error) {
	if e.smart != nil {
		out := &iwbem.SmartNextResponse{}
		in := &iwbem.SmartNextRequest{Proxy: e.proxy, Timeout: milliseconds(timeout), Count: count}
		err = e.c.call(ctx, e.smart, "IWbemWCOSmartEnum::Next", iwbem.OpSmartNext, in, out)
		if err == nil && len(out.Buffer) > 0 {
			objects, err = e.reader.Append(nil, out.Buffer)
		}
		return objects, cim.Status(out.Result), err
	}
	out := &iwbem.NextResponse{}
	in := &iwbem.NextRequest{Timeout: milliseconds(timeout), Count: count}
	if err = e.c.call(ctx, e.p, "IEnumWbemClassObject::Next", iwbem.OpNext, in, out); err != nil {
		return nil, cim.Status(out.Result), err
	}
	for _, unit := range out.Objects {
		i, err := e.c.decode(unit)
		if err != nil {
			return objects, cim.Status(out.Result), err
		}
		objects = append(objects, i)
	}
	return objects, cim.Status(out.Result), nil
}

// Reset goes back to the first object: ErrInvalidOperation where it was asked for forward only. See [MS-WMI] 3.1.4.4.1.
func (e *Enum) Reset(ctx context.Context) error {
	return e.c.call(ctx, e.p, "IEnumWbemClassObject::Reset", iwbem.OpReset, &iwbem.ResetRequest{}, &iwbem.ResetResponse{})
}

// Clone is another enumerator at the same place: ErrInvalidOperation as Reset. See [MS-WMI] 3.1.4.4.4.
func (e *Enum) Clone(ctx context.Context) (*Enum, error) {
	out := &iwbem.CloneResponse{}
	if err := e.c.call(ctx, e.p, "IEnumWbemClassObject::Clone", iwbem.OpClone, &iwbem.CloneRequest{}, out); err != nil {
		return nil, err
	}
	p, err := unmarshal(ctx, e.p, out.Ref)
	if err != nil {
		return nil, err
	}
	return &Enum{c: e.c, p: p}, nil
}

// Skip passes count objects; the status is that of Next. See [MS-WMI] 3.1.4.4.5.
func (e *Enum) Skip(ctx context.Context, timeout time.Duration, count uint32) (cim.Status, error) {
	out := &iwbem.SkipResponse{}
	err := e.c.call(ctx, e.p, "IEnumWbemClassObject::Skip", iwbem.OpSkip, &iwbem.SkipRequest{Timeout: milliseconds(timeout), Count: count}, out)
	return cim.Status(out.Result), err
}

// Close gives the enumerator back, which cancels its operation.
func (e *Enum) Close() error {
	e.release(context.Background())
	return nil
}

func (e *Enum) release(ctx context.Context) { e.c.release(ctx, e.smart, e.p) }

// optimize makes Next ask for packets, in which a class travels once. A host that has none goes on with objects. See [MS-WMI] 3.2.4.2.8.
func (e *Enum) optimize(ctx context.Context) {
	c := e.c
	if c.plain.Load() {
		return
	}
	fetch, err := e.p.QueryInterface(ctx, wmi.IIDFetchSmartEnum)
	if err == nil {
		out := &iwbem.GetSmartEnumResponse{}
		if err = c.call(ctx, fetch, "IWbemFetchSmartEnum::GetSmartEnum", iwbem.OpGetSmartEnum, &iwbem.GetSmartEnumRequest{}, out); err == nil {
			e.smart, err = unmarshal(ctx, fetch, out.Ref)
		}
		c.release(ctx, fetch)
	}
	if err != nil {
		var hr *dcom.Error
		if errors.As(err, &hr) && hr.HRESULT == dcom.E_NOINTERFACE {
			c.plain.Store(true)
		}
		c.without(ctx, "IWbemWCOSmartEnum", err)
		return
	}
	rand.Read(e.proxy[:]) //nolint:errcheck // never fails
	e.reader = c.codec.NewArrayReader()
}

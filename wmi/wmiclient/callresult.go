package wmiclient

import (
	"context"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// slice is how long one call waits at the host for what is not there yet. A call that is given up costs the host no more than that.
const slice = 2 * time.Second

// resultString waits for the end of a semisynchronous operation and for the string that it gives, "" for none. See [MS-WMI] 3.1.4.5.2.
func (c *Client) resultString(ctx context.Context, result *dcom.Proxy) (string, error) {
	for {
		out := &iwbem.GetResultStringResponse{}
		in := &iwbem.GetResultStringRequest{Timeout: int32(slice.Milliseconds())}
		begin := time.Now()
		if err := c.call(ctx, result, "IWbemCallResult::GetResultString", iwbem.OpGetResultString, in, out); err != nil {
			return "", err
		}
		if out.Result != uint32(cim.StatusTimedOut) {
			return out.Text.Text, nil
		}
		if err := pace(ctx, begin); err != nil {
			return "", err
		}
	}
}

// pace keeps a host that answers too early that nothing is there yet from being asked all the time.
func pace(ctx context.Context, begin time.Time) error {
	if time.Since(begin) > slice/2 {
		return nil
	}
	t := time.NewTimer(50 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return callError(context.Cause(ctx))
	}
}

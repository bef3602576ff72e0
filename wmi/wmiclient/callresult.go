package wmiclient

import (
	"context"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// CallResult is IWbemCallResult method by method: a semisynchronous call that is under way. Each method waits up to its time limit, for ever where
// that is negative, and has the status StatusTimedOut where the call is not at its end by then. An error is that of the call. See [MS-WMI] 3.1.4.5.
type CallResult struct {
	c *Client
	p *dcom.Proxy
}

// Object is what GetObject or ExecMethod gave. See [MS-WMI] 3.1.4.5.1.
func (r *CallResult) Object(ctx context.Context, timeout time.Duration) (*cim.Instance, cim.Status, error) {
	out := &iwbem.GetResultObjectResponse{}
	err := r.c.call(ctx, r.p, "IWbemCallResult::GetResultObject", iwbem.OpGetResultObject, &iwbem.GetResultObjectRequest{Timeout: milliseconds(timeout)}, out)
	if err != nil || out.Object == nil {
		return nil, cim.Status(out.Result), err
	}
	i, err := r.c.decode(out.Object)
	return i, cim.Status(out.Result), err
}

// Text is the path after PutInstance, "" for none. See [MS-WMI] 3.1.4.5.2.
func (r *CallResult) Text(ctx context.Context, timeout time.Duration) (string, cim.Status, error) {
	out := &iwbem.GetResultStringResponse{}
	err := r.c.call(ctx, r.p, "IWbemCallResult::GetResultString", iwbem.OpGetResultString, &iwbem.GetResultStringRequest{Timeout: milliseconds(timeout)}, out)
	return out.Text.Text, cim.Status(out.Result), err
}

// Services is what OpenNamespace opened. See [MS-WMI] 3.1.4.5.3.
func (r *CallResult) Services(ctx context.Context, timeout time.Duration) (*Services, cim.Status, error) {
	out := &iwbem.GetResultServicesResponse{}
	err := r.c.call(ctx, r.p, "IWbemCallResult::GetResultServices", iwbem.OpGetResultServices, &iwbem.GetResultServicesRequest{Timeout: milliseconds(timeout)}, out)
	if err != nil || out.Ref == nil {
		return nil, cim.Status(out.Result), err
	}
	p, err := unmarshal(ctx, r.p, out.Ref)
	if err != nil {
		return nil, cim.Status(out.Result), err
	}
	return &Services{r.c, p}, cim.Status(out.Result), nil
}

// Status is how the call ended, where the second status is StatusOK. See [MS-WMI] 3.1.4.5.4.
func (r *CallResult) Status(ctx context.Context, timeout time.Duration) (ended, status cim.Status, err error) {
	out := &iwbem.GetCallStatusResponse{}
	err = r.c.call(ctx, r.p, "IWbemCallResult::GetCallStatus", iwbem.OpGetCallStatus, &iwbem.GetCallStatusRequest{Timeout: milliseconds(timeout)}, out)
	return cim.Status(out.Status), cim.Status(out.Result), err
}

// Close gives the call result back, which cancels a call that is under way.
func (r *CallResult) Close() error {
	r.c.release(context.Background(), r.p)
	return nil
}

// slice is how long one call waits at the host for what is not there yet. A call that is given up costs the host no more than that.
const slice = 2 * time.Second

// text waits for the end of the call and for its text.
func (r *CallResult) text(ctx context.Context) (string, error) {
	for {
		begin := time.Now()
		text, status, err := r.Text(ctx, slice)
		if err != nil || status != cim.StatusTimedOut {
			return text, err
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

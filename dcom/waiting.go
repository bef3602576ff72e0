package dcom

import "context"

// WaitError is within the error of a call that ended with its context: what it waited for then.
type WaitError struct {
	// For is what was awaited and where, for example "the answer to the bind from 192.0.2.1:135".
	For string
	// Advice is what its reader can check.
	Advice string
	// Err is the error of the context.
	Err error
}

// Error tells what was awaited.
func (e *WaitError) Error() string {
	return "waiting for " + e.For + ": " + e.Err.Error() + "; " + e.Advice
}

// Unwrap gives the error of the context.
func (e *WaitError) Unwrap() error { return e.Err }

const (
	adviceConnect = "is the machine up, and does its firewall, or one on the way, let this port through?"
	adviceSilent  = "something there accepts connections and says nothing: is it the RPC endpoint mapper or WMI, and does a firewall hold its answers back?"
	adviceCall    = "the host works on it still, or its answer is lost; allow more time"
)

// waiting says what was awaited where ctx has ended.
func waiting(ctx context.Context, err error, awaited, advice string) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return &WaitError{awaited, advice, ctx.Err()}
}

package wmiclient_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// Where a network swallows the packets of a connection, the error says that it was
// the connection which was awaited, and to which port.
func TestNoConnectionInTime(t *testing.T) {
	reason := errors.New("too long for me")
	for name, row := range map[string]struct {
		timeout time.Duration // of the client
		caller  time.Duration
		want    string
	}{
		"the caller's time":  {0, 100 * time.Millisecond, "too long for me, while waiting for a connection to far.example:135; is the machine up"},
		"the client's limit": {20 * time.Millisecond, time.Minute, "did not answer within 20ms, while waiting for a connection to far.example:135; is the machine up"},
	} {
		c, err := wmiclient.New("far.example", wmiclient.Options{Timeout: row.timeout, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), row.caller, reason)
		_, err = c.Open(ctx, cim.Caller{}, "", cim.OpenOptions{})
		cancel()
		c.Close()
		if !errors.Is(err, cim.ErrTimedOut) || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "deadline") {
			t.Errorf("%s: %v", name, err)
		}
		if row.timeout == 0 && !errors.Is(err, reason) {
			t.Errorf("%s: the cause is not in %v", name, err)
		}
	}
}

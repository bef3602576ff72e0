package wmiclient_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// Each step of a host to a sink is told to who has the sink, and to nobody after its
// end.
func TestCalledBackIsTold(t *testing.T) {
	c := newCaller(t)
	var mu sync.Mutex
	var steps []wmiclient.Callback
	o := c.options()
	o.Sinks = wmiclient.NewSinks(wmiclient.SinkOptions{Address: "127.0.0.1", Anonymous: func() error { return nil },
		Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
			if address == "127.0.0.1:135" {
				return nil, errors.New("not for tests")
			}
			return new(net.ListenConfig).Listen(ctx, network, address)
		}})
	ctx := wmiclient.WithTrace(within(t), &wmiclient.Trace{CalledBack: func(b wmiclient.Callback) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, b)
	}})
	a, err := c.open(t, o).(*wmiclient.Session).QueryAsync(ctx, "SELECT * FROM Thing", cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ports := a.Ports()
	service := dcom.NewClient(dcom.ClientOptions{})
	defer service.Close()
	p, err := service.Unmarshal(within(t), "127.0.0.1", <-c.sinks)
	if err != nil {
		t.Fatal(err)
	}
	c.setStatus(p, wmi.StatusComplete, 0)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	legs := map[wmiclient.CallbackLeg]int{}
	for _, b := range steps {
		legs[b.Leg]++
		if b.Peer == nil || b.Err != nil || b.Leg != wmiclient.CallbackResolved && b.Port != ports.Objects || b.Leg == wmiclient.CallbackCalled && b.Level != dcerpc.LevelNone {
			t.Errorf("the step %+v", b)
		}
	}
	if legs[wmiclient.CallbackConnected] == 0 || legs[wmiclient.CallbackResolved] != 1 || legs[wmiclient.CallbackCalled] == 0 || legs[wmiclient.CallbackProved] != 0 {
		t.Errorf("the steps are %v", legs)
	}
}

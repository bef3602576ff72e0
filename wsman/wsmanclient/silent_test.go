package wsmanclient_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Against a host that takes connections and says nothing, a query and a method
// end with their context, although both want a class first.
func TestSilentHostCostsTheCallersPatienceOnly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := wsmanclient.New("http://"+l.Addr().String()+"/wsman", wsmanclient.Options{Credentials: auth.Credentials{Username: "u", Password: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := c.Session(`root\cimv2`)
	for name, do := range map[string]func(context.Context) error{
		"query": func(ctx context.Context) error {
			e, err := s.Query(ctx, "SELECT Name FROM Win32_Service", cim.QueryOptions{})
			if err == nil {
				_, err = cim.Collect(ctx, e)
			}
			return err
		},
		"method": func(ctx context.Context) error {
			_, err := s.Invoke(ctx, cim.ObjectPath{Class: "Win32_Process"}, "Create", nil, cim.OperationOptions{})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		began := time.Now()
		if err := do(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
			t.Errorf("%s: after %s: %v", name, time.Since(began), err)
		}
		cancel()
	}
}

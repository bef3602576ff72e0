package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// A query and a subscription of events begin: no quota is used up.
func init() {
	register(check{id: "wmi.quota", layer: LayerQuota, title: "Quotas leave room", transport: "dcom", needs: []string{"wmi.namespace"}, after: []string{"wmi.rights", "uac.filter"}, degrades: true, run: wmiQuota})
}

// usedUp are the statuses of a host that has no room, by row of spec/wmi.md 1.9.
var usedUp = map[string]int{"0x8004106C": 27, "0x80041045": 28, "0x80041061": 28, "0x80041067": 28}

// arbitrator are the limits that the host tells.
var arbitrator = []string{
	"TemporarySubscriptionsPerUser", "TemporarySubscriptionsTotal", "PermanentSubscriptionsPerUser", "PermanentSubscriptionsTotal",
	"PollingInstructionsPerUser", "PollingInstructionsTotal", "PollingMemoryPerUser", "PollingMemoryTotal",
}

func wmiQuota(ctx context.Context, x *examination) found {
	f := found{seen: compact([]string{x.limits(ctx)})}
	for _, try := range []struct {
		what  string
		begin func() error
	}{
		{"a query", func() error {
			return query(ctx, x.dcom.session, "SELECT __RELPATH FROM __NAMESPACE", func(*cim.Instance) {})
		}},
		{"a subscription of events", func() error {
			e, err := x.dcom.session.Subscribe(ctx, "SELECT * FROM __NamespaceOperationEvent", cim.SubscribeOptions{})
			if err == nil {
				err = e.Close()
			}
			return err
		}},
	} {
		err := try.begin()
		code := codeText(hresultOf(err))
		switch {
		case err == nil:
			continue
		case usedUp[code] != 0:
			g := failure(err, try.what+" is refused: the host has no room for it")
			g.seen = append(f.seen, g.seen...)
			return g
		}
		f.seen = append(f.seen, fmt.Sprintf("%s fails for another reason: %v", try.what, err))
	}
	f.detail = "a query and a subscription of events begin"
	return f
}

// limits reads what __ArbitratorConfiguration tells; "" where it is not told.
func (x *examination) limits(ctx context.Context) string {
	s, err := x.root(ctx)
	if err != nil {
		return ""
	}
	i, err := s.Get(ctx, cim.ObjectPath{Class: "__ArbitratorConfiguration", Singleton: true}, cim.GetOptions{})
	if err != nil {
		return ""
	}
	var list []string
	for _, name := range arbitrator {
		if v := i.Get(name); !v.IsNull() {
			list = append(list, name+" "+v.String())
		}
	}
	return strings.Join(list, ", ")
}

// root is a session in the namespace root.
func (x *examination) root(ctx context.Context) (*wmiclient.Session, error) {
	s, _, err := x.open(ctx, x.dcom.client, "root")
	if err != nil {
		return nil, err
	}
	x.atEnd(func() { s.Close() }) //nolint:errcheck // nothing is under way
	return s, nil
}

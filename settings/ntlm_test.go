package settings

import (
	"testing"

	"github.com/casementhq/casement/registry"
)

// The three values of "Network security: Restrict NTLM", as their policies describe them.
func TestNTLM(t *testing.T) {
	dword := func(n uint32) *registry.Value { v := registry.DWORD(n); return &v }
	text := registry.SZ("2")
	servers := registry.MultiSZ("srv1", "*.corp.example", "web*.net", "2001:db8::1")
	for _, row := range []struct {
		receiving, sending, servers *registry.Value
		local, domain               bool
		yes, no                     []string
		problems                    int
	}{
		{nil, nil, nil, true, true, []string{"any"}, nil, 0},
		{dword(0), dword(0), nil, true, true, []string{"any"}, nil, 0},
		{dword(1), dword(1), nil, true, false, []string{"any"}, nil, 0},
		{dword(2), dword(2), nil, false, false, nil, []string{"any", "localhost"}, 0},
		{dword(2), dword(2), &servers, false, false, []string{"SRV1", "a.corp.example", "web.net", "WEB1.NET", "[2001:db8::1]"}, []string{"srv2", "corp.example", "web.org", "xweb.net", ""}, 0},
		{dword(3), dword(3), nil, false, false, nil, []string{"any"}, 2},
		{&text, &text, &text, false, false, nil, []string{"any"}, 3},
	} {
		tree, err := registry.NewTree().Edit(func(tx *registry.Tx) error {
			for name, v := range map[string]*registry.Value{"RestrictReceivingNTLMTraffic": row.receiving, "RestrictSendingNTLMTraffic": row.sending, "ClientAllowedNTLMServers": row.servers} {
				if v == nil {
					continue
				}
				if err := tx.Set(`HKLM\SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0`, name, *v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		n, bad := LoadNTLM(tree)
		if n.Accepts(false) != row.local || n.Accepts(true) != row.domain || len(bad) != row.problems {
			t.Errorf("%+v: local %v, domain %v, problems %v", n, n.Accepts(false), n.Accepts(true), bad)
		}
		for _, host := range row.yes {
			if !n.SendsTo(host) {
				t.Errorf("%+v: not to %q", n, host)
			}
		}
		for _, host := range row.no {
			if n.SendsTo(host) {
				t.Errorf("%+v: to %q", n, host)
			}
		}
	}
}

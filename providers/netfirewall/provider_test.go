package netfirewall

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

func administrator() cim.Caller {
	return cim.Caller{Token: &security.Token{Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}}}
}

func open(t *testing.T) (cim.Session, *registry.Hive, *cimom.Manager) {
	t.Helper()
	h, err := registry.Open(filepath.Join(t.TempDir(), "hklm.reg"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	err = h.Update(func(tx *registry.Tx) error {
		mine := firewall.Rule{ID: "{MINE}", Name: "Mine", Description: "For the lab", Action: firewall.Block, Active: true, Dir: firewall.Out, Protocol: 6, RemotePorts: []string{"25"},
			Extra: []firewall.Field{{Name: "Edge", Value: "TRUE"}, {Name: "LUOwn", Value: "S-1-5-21-1-2-3-1001"}}}
		if err := firewall.Put(tx, mine); err != nil {
			return err
		}
		return tx.Set(firewall.KeyPolicy, "{POLICY}", registry.SZ("v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5985|Name=By policy|"))
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Hive: h})
	if err != nil {
		t.Fatal(err)
	}
	m := cimom.New(cimom.Options{Server: "BOX"})
	t.Cleanup(func() { _ = m.Close() })
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	s, err := m.Open(context.Background(), administrator(), `root\standardcimv2`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, h, m
}

func query(t *testing.T, s cim.Session, text string) []*cim.Instance {
	t.Helper()
	e, err := s.Query(context.Background(), text, cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := cim.Collect(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func one(t *testing.T, s cim.Session, id string) *cim.Instance {
	t.Helper()
	out := query(t, s, "SELECT * FROM MSFT_NetFirewallRule WHERE InstanceID = '"+id+"'")
	if len(out) != 1 {
		t.Fatalf("%s: %v", id, out)
	}
	return out[0]
}

func expect(t *testing.T, i *cim.Instance, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := i.Get(name).String(); got != value {
			t.Errorf("%s of %v is %s, want %s", name, i.Get("InstanceID"), got, value)
		}
	}
}

// The values of the enumerations are those of the documentation of MSFT_NetFirewallRule.
func TestRules(t *testing.T) {
	s, h, _ := open(t)
	rules, _ := firewall.Rules(h.Snapshot())
	if n := len(query(t, s, "SELECT InstanceID FROM MSFT_NetFirewallRule")); n != len(rules) {
		t.Errorf("%d rules, the firewall has %d", n, len(rules))
	}
	expect(t, one(t, s, "WINRM-HTTP-In-TCP"), map[string]string{"DisplayName": "Windows Remote Management (HTTP-In)", "RuleGroup": "Windows Remote Management", "Enabled": "2",
		"Direction": "1", "Action": "2", "Profiles": "4", "EdgeTraversalPolicy": "0", "PolicyStoreSourceType": "1", "PrimaryStatus": "1", "Owner": "null",
		"CreationClassName": "MSFT|FW|FirewallRule|WINRM-HTTP-In-TCP", "SystemName": "", "EnforcementStatus": "null"})
	expect(t, one(t, s, "WINRM-HTTP-In-TCP-NoScope"), map[string]string{"Profiles": "3"})
	expect(t, one(t, s, "{MINE}"), map[string]string{"Enabled": "1", "Direction": "2", "Action": "4", "Profiles": "0", "EdgeTraversalPolicy": "1", "Owner": "S-1-5-21-1-2-3-1001",
		"Description": "For the lab", "DisplayGroup": "null"})
	expect(t, one(t, s, "{POLICY}"), map[string]string{"PolicyStoreSourceType": "2", "PolicyStoreSource": "null"})
	if out := query(t, s, "SELECT * FROM MSFT_NetFirewallRule WHERE Direction = 2 AND Action = 4"); len(out) != 1 {
		t.Errorf("blocking rules outwards %v", out)
	}
}

func TestSwitchingARule(t *testing.T) {
	ctx := context.Background()
	s, h, m := open(t)
	active := func(id string) bool {
		rules, _ := firewall.Rules(h.Snapshot())
		for _, r := range rules {
			if strings.EqualFold(r.ID, id) {
				return r.Active
			}
		}
		t.Fatalf("no rule %s", id)
		return false
	}
	i := one(t, s, "WINRM-HTTP-In-TCP")
	if err := i.Set("Enabled", cim.U16(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, i, cim.PutOptions{}); err != nil || !active("WINRM-HTTP-In-TCP") {
		t.Errorf("Put: %v, active %v", err, active("WINRM-HTTP-In-TCP"))
	}
	path, _ := i.Path()
	for _, method := range []string{"Disable", "Enable"} {
		want := method == "Enable"
		r, err := s.Invoke(ctx, path, method, nil, cim.OperationOptions{})
		if err != nil || r.ReturnValue.String() != "0" || active("WINRM-HTTP-In-TCP") != want {
			t.Errorf("%s: %v, %v, active %v", method, r.ReturnValue, err, active("WINRM-HTTP-In-TCP"))
		}
	}
	other := one(t, s, "{MINE}")
	if err := other.Set("DisplayName", cim.Str("Yours")); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, other, cim.PutOptions{}); !errors.Is(err, cim.ErrReadOnly) {
		t.Errorf("another name: %v", err)
	}
	odd := one(t, s, "{MINE}")
	if err := odd.Set("Enabled", cim.U16(7)); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, odd, cim.PutOptions{}); !errors.Is(err, cim.ErrValueOutOfRange) {
		t.Errorf("an odd value: %v", err)
	}
	policy, _ := one(t, s, "{POLICY}").Path()
	if _, err := s.Invoke(ctx, policy, "Disable", nil, cim.OperationOptions{}); !errors.Is(err, cim.ErrAccessDenied) || !active("{POLICY}") {
		t.Errorf("a rule of Group Policy: %v", err)
	}
	if err := s.Delete(ctx, policy, cim.OperationOptions{}); !errors.Is(err, cim.ErrProviderNotCapable) {
		t.Errorf("Delete: %v", err)
	}
	user := cim.Caller{Token: &security.Token{User: security.SIDUsers, Groups: []security.GroupEntry{{SID: security.SIDAuthenticatedUsers}}}}
	theirs, err := m.Open(ctx, user, `root\standardcimv2`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if _, err := theirs.Invoke(ctx, path, "Disable", nil, cim.OperationOptions{}); !errors.Is(err, cim.ErrAccessDenied) || !active("WINRM-HTTP-In-TCP") {
		t.Errorf("by somebody who is no administrator: %v", err)
	}
}

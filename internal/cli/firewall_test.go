package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
)

func TestFirewallCommand(t *testing.T) {
	dir := state(t)
	rules := func(args ...string) []map[string]any {
		t.Helper()
		var list []map[string]any
		r := cli(t, "", append([]string{"casement", "firewall"}, args...)...).want(t, 0)
		if err := json.Unmarshal([]byte(r.out), &list); err != nil {
			t.Fatalf("%v: %s", err, r.out)
		}
		return list
	}
	const group = "windows management INSTRUMENTATION (wmi)"
	if list := rules("list", group, "-o", "json"); len(list) != 4 || slices.ContainsFunc(list, func(r map[string]any) bool { return r["Enabled"] != false || r["Source"] != "Built-in" }) {
		t.Errorf("the group of WMI: %v", list)
	}
	cli(t, "", "casement", "firewall", "enable", group).want(t, 0, "Windows Management Instrumentation (WMI): 4 rules enabled.")
	if list := rules("list", "--enabled", "--in", "-o", "json"); len(list) != 3 {
		t.Errorf("enabled, inbound: %v", list)
	}
	if list := rules("list", "--enabled", "--out", "-o", "json"); len(list) != 1 || list[0]["Name"] != "Windows Management Instrumentation (WMI-Out)" {
		t.Errorf("enabled, outbound: %v", list)
	}
	cli(t, "", "casement", "firewall", "disable", group).want(t, 0, "4 rules disabled")
	if list := rules("list", "--enabled", "-o", "json"); len(list) != 0 {
		t.Errorf("disabled: %v", list)
	}
	cli(t, "", "casement", "firewall", "enable", "com+ network access (dcom-in)").want(t, 0, "COM+ Network Access (DCOM-In): 1 rule enabled.")
	cli(t, "", "casement", "netsh", "advfirewall", "firewall", "add", "rule", "name=mine", "dir=out", "action=block", "protocol=tcp", "remoteport=25", "remoteip=10.0.0.1").want(t, 0, "Ok.")
	if list := rules("show", "mine", "-o", "json"); len(list) != 1 || list[0]["Source"] != "Local" || list[0]["RemoteIP"] != "10.0.0.1/32" || list[0]["RemotePort"] != "25" || list[0]["Enabled"] != true {
		t.Errorf("a rule of one's own: %v", list)
	}
	// The pipe of the event log guards nothing here (checklist 3.35).
	if list := rules("show", "Remote Event Log Management (NP-In)", "-o", "json"); len(list) != 1 || !strings.Contains(list[0]["Note"].(string), "guards nothing here") {
		t.Errorf("a rule without effect: %v", list)
	}
	var p registry.Policy
	p.Set(`SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules`, "ComPlusNetworkAccess-DCOM-In", registry.SZ("v2.31|Action=Allow|Active=FALSE|Dir=In|Protocol=6|LPort=135|Name=COM+ Network Access (DCOM-In)|EmbedCtxt=COM+ Network Access|"))
	p.Set(`SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules`, "{P}", registry.SZ("v2.31|Action=Block|Active=TRUE|Dir=In|Name=forbidden|"))
	p.Set(`SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules`, "{bad}", registry.SZ("nonsense"))
	if err := os.WriteFile(filepath.Join(dir, "Registry.pol"), p.AppendPol(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	// The rule of a policy stands over the local one, stays off, and is not changed here (checklist 3.33).
	if list := rules("list", "COM+ Network Access (DCOM-In)", "-o", "json"); len(list) != 1 || list[0]["Source"] != "GPO" || list[0]["Enabled"] != false {
		t.Errorf("with a policy: %v", list)
	}
	cli(t, "", "casement", "firewall", "disable", "forbidden").want(t, 1, `"forbidden" comes from Group Policy`)
	cli(t, "", "casement", "firewall", "list").want(t, 0, "forbidden", `"{bad}" in the hive is damaged`)
	cli(t, "", "casement", "firewall", "enable", "nothing").want(t, 1, `"nothing"`, "COM+ Network Access")
	cli(t, "", "casement", "firewall", "show", "nothing").want(t, 1, `"nothing"`)
	cli(t, "", "casement", "firewall", "list", "--in", "--out").want(t, 2)
	cli(t, "", "casement", "firewall", "open").want(t, 2, "open")
	cli(t, "", "casement", "firewall", "groups", "-o", "csv").want(t, 0, "Windows Remote Management,4,0")
	cli(t, "", "casement", "netsh", "advfirewall", "set", "publicprofile", "firewallpolicy", "blockinboundalways,blockoutbound").want(t, 0)
	cli(t, "", "casement", "firewall", "profiles", "-o", "csv").want(t, 0, "Private,true,true,Block,Allow,false,true", "Public,false,true,Block,Block,true,true")
}

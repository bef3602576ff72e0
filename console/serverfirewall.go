package console

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/internal/machine"
	"github.com/casementhq/casement/pool"
)

// firewallData is what the tab Firewall shows: the groups, or the rules of the
// advanced page.
type firewallData struct {
	Groups    []machine.RuleGroup
	Rules     []machine.FirewallRule
	Total     int
	Advanced  bool
	Text      string
	Direction string
}

func (c *Console) loadFirewall(ctx context.Context, rq *request, _ Entry, conn *casement.Connection) (any, bool, error) {
	q := rq.URL.Query()
	d := firewallData{Advanced: q.Get("view") == "rules", Text: q.Get("q"), Direction: q.Get("dir")}
	var cut bool
	err := session(ctx, conn, machine.FirewallNamespace, func(s cim.Session) (err error) {
		d.Rules, cut, err = machine.FirewallRules(ctx, s)
		return err
	})
	d.Groups, d.Total = machine.RuleGroups(d.Rules), len(d.Rules)
	words := strings.ToLower(d.Text)
	d.Rules = slices.DeleteFunc(d.Rules, func(r machine.FirewallRule) bool {
		return !strings.Contains(strings.ToLower(r.Name+" "+r.Group), words) || d.Direction != "" && !strings.EqualFold(r.Direction, d.Direction)
	})
	return d, cut, err
}

// doFirewall begins the work that switches a rule, or all rules of a group, on or
// off.
func (c *Console) doFirewall(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	rule, group, method := rq.PostFormValue("rule"), rq.PostFormValue("group"), "Disable"
	if rq.PostFormValue("on") == "1" {
		method = "Enable"
	}
	if rule == "" && group == "" || rule != "" && group != "" {
		return &problem{Status: http.StatusBadRequest, Text: "Name a rule or a group."}
	}
	parameters := pool.InvokeParameters{Namespace: machine.FirewallNamespace, Method: method}
	if rule != "" {
		parameters.Path = (cim.ObjectPath{Class: "MSFT_NetFirewallRule", Keys: []cim.Key{{Name: "InstanceID", Value: cim.Str(rule)}}}).Relative()
	} else {
		parameters.Query = "SELECT * FROM MSFT_NetFirewallRule WHERE DisplayGroup = " + machine.Quote(group)
	}
	raw, err := json.Marshal(parameters)
	if err != nil {
		return err
	}
	return c.begin(rq, e, "rule-"+strings.ToLower(method), pool.Action{Kind: pool.KindInvoke, Parameters: raw}, map[string]string{"rule": rule, "group": group})
}

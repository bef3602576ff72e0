package console

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/auditlog"
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

// doFirewall switches a rule, or all rules of a group, on or off. Off is confirmed.
func (c *Console) doFirewall(rq *request) (result, error) {
	e, err := c.server(rq)
	if err != nil {
		return result{}, err
	}
	f := rq.PostForm
	rule, group, what, on := f.Get("rule"), f.Get("group"), f.Get("name"), f.Get("on") == "1"
	what = map[bool]string{true: "the group " + group, false: "the rule " + cmpOr(what, rule)}[rule == ""]
	if (rule == "") == (group == "") {
		return result{}, errNoRule
	}
	if !on {
		k := confirmation{Level: 1, Title: "Disable " + what + " on " + e.Name, List: []string{e.Name}, Do: "Disable",
			Effect: "What it lets in comes in no more, unless another rule lets it in."}
		if carries(cmpOr(group, f.Get("ofgroup")), e.snapshot().Transport) {
			k.Level, k.Effect = 2, "Casement itself will lose "+e.Name+": it comes in by this. "+c.otherWay(rq, e)
		}
		if err := rq.confirm(k); err != nil {
			return result{}, err
		}
	}
	back := serverPath(e.Name, "firewall")
	if b := local(f.Get("back")); strings.HasPrefix(b, back) {
		back = b
	}
	o, doing, err := c.switchRules(rq, e, rule, group, what, on)
	return o.answer(doing, back), err
}

var errNoRule = &problem{Status: http.StatusBadRequest, Title: "Not understood", Text: "Name a rule or a group."}

// switchRules switches a rule, or all of a group, on or off. what is how it is told.
func (c *Console) switchRules(rq *request, e Entry, rule, group, what string, on bool) (o outcome, doing string, err error) {
	parameters := pool.InvokeParameters{Namespace: machine.FirewallNamespace, Method: map[bool]string{true: "Enable", false: "Disable"}[on]}
	if rule != "" {
		parameters.Query = "SELECT * FROM MSFT_NetFirewallRule WHERE InstanceID = " + machine.Quote(rule) // which is no key of it
	} else {
		parameters.Query = "SELECT * FROM MSFT_NetFirewallRule WHERE DisplayGroup = " + machine.Quote(group)
	}
	doing = map[bool]string{true: "Enabling ", false: "Disabling "}[on] + what + " on " + e.Name
	a, err := actionOf(pool.KindInvoke, parameters)
	if err != nil {
		return o, doing, err
	}
	o, err = c.perform(rq, auditlog.Entry{Action: "rule-" + strings.ToLower(parameters.Method), Parameters: map[string]string{"rule": rule, "group": group}}, a, e, doing)
	return o, doing, err
}

// The groups of rules by which Casement comes to a server.
const (
	groupWinRM = "Windows Remote Management"
	groupWMI   = "Windows Management Instrumentation (WMI)"
)

// carries tells whether a group of rules lets in the way that a server is reached by.
func carries(group string, by pool.Transport) bool {
	if by == pool.DCOM {
		return strings.EqualFold(group, groupWMI)
	}
	return strings.EqualFold(group, groupWinRM)
}

// otherWay says whether a server that is reached by one transport answers by the other.
func (c *Console) otherWay(rq *request, e Entry) string {
	if e.snapshot().Transport == pool.DCOM {
		return "To be switched on again somebody does so at the server."
	}
	if err := c.overDCOM(rq.Context(), e); err != nil {
		return "DCOM does not answer there (" + spoken(err) + ") To be switched on again somebody does so at the server."
	}
	return "DCOM answers there and remains."
}

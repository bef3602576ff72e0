package netfirewall

import (
	"context"
	"embed"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// ProviderName is the Provider qualifier of MSFT_NetFirewallRule.
const ProviderName = "CasementFirewall"

//go:embed schema/*.mof
var schemaFiles embed.FS

var loadClasses = sync.OnceValues(func() ([]*cim.Class, error) {
	classes, _, err := mof.Definitions(schemaFiles, "schema/rule.mof")
	return classes, err
})

// Options are what the provider works on.
type Options struct {
	// Hive holds the rules. It is required and stays the caller's.
	Hive *registry.Hive
	// Log gets rules that cannot be read; nil discards it.
	Log *slog.Logger
}

// Provider serves MSFT_NetFirewallRule. It is safe for concurrent use.
type Provider struct {
	hive    *registry.Hive
	log     *slog.Logger
	classes []*cim.Class
}

var (
	_ cimom.InstanceLister = (*Provider)(nil)
	_ cimom.InstanceWriter = (*Provider)(nil)
	_ cimom.MethodInvoker  = (*Provider)(nil)
	_ cimom.Named          = (*Provider)(nil)
)

// New makes a provider. It fails only by a mistake in the definition of the classes.
func New(o Options) (*Provider, error) {
	classes, err := loadClasses()
	if err != nil {
		return nil, err
	}
	p := &Provider{hive: o.Hive, log: o.Log, classes: classes}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	return p, nil
}

// ProviderName is the name by which the provider is known.
func (p *Provider) ProviderName() string { return ProviderName }

// Classes are MSFT_NetFirewallRule and its superclasses.
func (p *Provider) Classes() []*cim.Class { return p.classes }

// List yields the rules; where one has several rows, that of Group Policy is another rule of the same name.
func (p *Provider) List(ctx context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	rules, bad := firewall.Rules(p.hive.Snapshot())
	for _, err := range bad {
		p.log.Warn("a firewall rule cannot be read", "error", err)
	}
	seen := map[string]bool{}
	for n := len(rules) - 1; n >= 0; n-- { // Group Policy, which comes last, beats the local rule of the same name
		if key := cim.Fold(rules[n].ID); seen[key] {
			rules[n].ID = ""
		} else {
			seen[key] = true
		}
	}
	i := cim.NewInstance(r.Class)
	for n := range rules {
		if err := ctx.Err(); err != nil {
			return err
		}
		if rules[n].ID == "" {
			continue
		}
		if err := fill(i, &rules[n]); err != nil {
			return err
		}
		if err := yield(i); err != nil {
			return err
		}
	}
	return nil
}

// Create fails: rules are made where the firewall is configured.
func (p *Provider) Create(context.Context, *cimom.Request, *cim.Instance) error {
	return &cim.Error{Status: cim.ErrProviderNotCapable, Detail: "rules are made with netsh advfirewall firewall add rule"}
}

// Delete fails, as Create does.
func (p *Provider) Delete(context.Context, *cimom.Request, cim.ObjectPath) error {
	return &cim.Error{Status: cim.ErrProviderNotCapable, Detail: "rules are removed with netsh advfirewall firewall delete rule"}
}

// Put switches a rule; any other change fails with cim.ErrReadOnly.
func (p *Provider) Put(_ context.Context, r *cimom.Request, i *cim.Instance) error {
	id, ok := strings.CutPrefix(text(i.Get("CreationClassName")), creationClass)
	if !ok {
		return cim.ErrNotFound
	}
	change := func(rule *firewall.Rule) error {
		now := cim.NewInstance(r.Class)
		if err := fill(now, rule); err != nil {
			return err
		}
		for n := range r.Class.Properties {
			property := &r.Class.Properties[n]
			if r.WantsAt(n) && !cim.EqualFold(property.Name, "Enabled") && !i.At(n).Equal(now.At(n)) {
				return &cim.Error{Status: cim.ErrReadOnly, Path: property.Name, Detail: "only Enabled can be written"}
			}
		}
		if !r.Wants("Enabled") {
			return nil
		}
		switch n, _ := i.Get("Enabled").Uint(); n {
		case enabledTrue, enabledFalse:
			rule.Active = n == enabledTrue
			return nil
		}
		return &cim.Error{Status: cim.ErrValueOutOfRange, Path: "Enabled", Detail: "Enabled is 1, true, or 2, false"}
	}
	return p.change(r.Caller, id, change)
}

// Invoke runs Enable and Disable.
func (p *Provider) Invoke(_ context.Context, r *cimom.Request, path cim.ObjectPath, method string, _ cim.Arguments) (cim.Result, error) {
	var active bool
	switch cim.Fold(method) {
	case "enable":
		active = true
	case "disable":
	default:
		return cim.Result{}, cim.ErrMethodNotImplemented
	}
	key, _ := path.Key("CreationClassName")
	err := p.change(r.Caller, strings.TrimPrefix(text(key), creationClass), func(rule *firewall.Rule) error {
		rule.Active = active
		return nil
	})
	return cim.Result{ReturnValue: cim.U32(0)}, err
}

func text(v cim.Value) string { s, _ := v.Str(); return s }

// change changes one rule of the hive, for administrators only. A rule of Group Policy is changed in the policy.
func (p *Provider) change(caller cim.Caller, id string, f func(*firewall.Rule) error) error {
	if caller.Token == nil || !caller.Token.Has(security.SIDAdministrators) {
		return &cim.Error{Status: cim.ErrAccessDenied, Detail: "firewall rules are changed by administrators"}
	}
	return p.hive.Update(func(tx *registry.Tx) error {
		rules, _ := firewall.Rules(tx)
		named := func(r firewall.Rule) bool { return strings.EqualFold(r.ID, id) }
		n := slices.IndexFunc(rules, named)
		if n < 0 {
			return cim.ErrNotFound
		}
		if slices.ContainsFunc(rules, func(r firewall.Rule) bool { return named(r) && r.Source == registry.SourceGPO }) {
			return &cim.Error{Status: cim.ErrAccessDenied, Path: id, Detail: "the rule comes from Group Policy"}
		}
		was := rules[n].Active
		if err := f(&rules[n]); err != nil || rules[n].Active == was {
			return err
		}
		return firewall.Put(tx, rules[n])
	})
}

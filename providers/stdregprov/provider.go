package stdregprov

import (
	"context"
	"log/slog"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// ProviderName is the Provider qualifier of StdRegProv and of the event classes.
const ProviderName = "RegProv"

// DefaultAccess is the descriptor of keys: administrators and the system write, who signed in reads. Only those keys have
// one of their own for which Options.Access knows it, and secrets are not in the hive.
const DefaultAccess = "O:BAG:SYD:(A;CI;KA;;;BA)(A;CI;KA;;;SY)(A;CI;KR;;;AU)"

// Options are what the provider works on.
type Options struct {
	// Hive is required.
	Hive *registry.Hive
	// Access is the descriptor that decides about a key (HKLM\...); where it is nil, and for keys of which it gives nil,
	// DefaultAccess does.
	Access func(key string) *security.SecurityDescriptor
	// Now is the clock of events; nil is time.Now.
	Now func() time.Time
	// Log gets failed writes of the hive; nil discards it.
	Log *slog.Logger
}

// Provider is StdRegProv over one hive. It is safe for concurrent use and owns nothing: the hive stays the caller's.
type Provider struct {
	hive   *registry.Hive
	access func(key string) *security.SecurityDescriptor
	usual  *security.SecurityDescriptor
	now    func() time.Time
	log    *slog.Logger
}

var (
	_ cimom.MethodInvoker = (*Provider)(nil)
	_ cimom.EventSource   = (*Provider)(nil)
	_ cimom.Named         = (*Provider)(nil)
)

// New makes a provider.
func New(o Options) (*Provider, error) {
	p := &Provider{hive: o.Hive, access: o.Access, now: o.Now, log: o.Log}
	var err error
	if p.usual, err = security.ParseSDDL(DefaultAccess); err != nil {
		return nil, err
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	return p, nil
}

// ProviderName is the name by which the provider is known.
func (p *Provider) ProviderName() string { return ProviderName }

// Invoke runs a method of StdRegProv. What goes wrong with a key is its return value; see [cimom.MethodInvoker].
func (p *Provider) Invoke(_ context.Context, r *cimom.Request, _ cim.ObjectPath, name string, in cim.Arguments) (cim.Result, error) {
	m, ok := methods[cim.Fold(name)]
	if !ok {
		return cim.Result{}, &cim.Error{Status: cim.ErrMethodNotImplemented, Operation: "Invoke", Path: "StdRegProv." + name}
	}
	c := &call{p: p, token: r.Caller.Token, in: in}
	code := c.locate(m.right)
	if code == success {
		code = m.run(c)
	}
	return cim.Result{ReturnValue: cim.U32(uint32(code)), Out: c.out}, nil
}

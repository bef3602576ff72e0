package fleetsim

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

// namedServices are those of the services of a host, by number, that people know; all of
// them run, and start by themselves but for Fax, which needs Spooler.
var namedServices = map[int]string{1: "Spooler", 4: dependent, 7: "W32Time"}

const dependent = "Fax"

// antecedents are what services need, by name.
var antecedents = map[string]string{dependent: "Spooler"}

// ReturnValues of the methods of Win32_Service.
const (
	success           = 0
	notSupported      = 1
	dependentsRunning = 3
	notActive         = 6
	alreadyRunning    = 10
)

func (p *provider) hold(host string, held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[host] = held
}

// now puts the state of a service in its instance.
func (p *provider) now(host string, i *cim.Instance) error {
	if !cim.EqualFold(i.Class().Name, "Win32_Service") {
		return nil
	}
	name, _ := i.Get("Name").Str()
	p.mu.Lock()
	state, changed := p.states[host+"/"+cim.Fold(name)]
	p.mu.Unlock()
	if !changed {
		return nil
	}
	if err := i.Set("Started", cim.Bool(state == "Running")); err != nil {
		return err
	}
	return i.Set("State", cim.Str(state))
}

// state is that of a service of a host. p.mu is held.
func (p *provider) state(host, service string) string {
	if s, ok := p.states[host+"/"+cim.Fold(service)]; ok {
		return s
	}
	for _, i := range p.instances[cim.Fold("Win32_Service")] {
		if name, _ := i.Get("Name").Str(); cim.EqualFold(name, service) {
			s, _ := i.Get("State").Str()
			return s
		}
	}
	return ""
}

// Invoke starts and stops services, as Windows does: what another service needs that
// runs is not stopped.
func (p *provider) Invoke(ctx context.Context, r *cimom.Request, path cim.ObjectPath, method string, _ cim.Arguments) (cim.Result, error) {
	host := contextValue(r, contextHost)
	name := ""
	for _, k := range path.Keys {
		name, _ = k.Value.Str()
	}
	p.mu.Lock()
	held := p.held[host]
	if cim.EqualFold(method, "StopService") {
		p.stops[host+"/"+cim.Fold(name)]++
	}
	p.mu.Unlock()
	if held {
		<-ctx.Done()
		return cim.Result{}, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code, running := uint32(success), p.state(host, name) == "Running"
	switch {
	case cim.EqualFold(method, "StartService") && running:
		code = alreadyRunning
	case cim.EqualFold(method, "StartService"):
		p.states[host+"/"+cim.Fold(name)] = "Running"
	case cim.EqualFold(method, "StopService") && !running:
		code = notActive
	case cim.EqualFold(method, "StopService"):
		for needs, needed := range antecedents {
			if cim.EqualFold(needed, name) && p.state(host, needs) == "Running" {
				code = dependentsRunning
			}
		}
		if code == success {
			p.states[host+"/"+cim.Fold(name)] = "Stopped"
		}
	default:
		code = notSupported
	}
	return cim.Result{ReturnValue: cim.U32(code)}, nil
}

package doctor

import (
	"context"
	"fmt"
)

// The host is permitted to call without authentication exactly where it has to.
func init() {
	register(check{id: "callback.allow", layer: LayerCallback, title: "The host may call, and no more than it needs", transport: "dcom", needs: []string{"wmi.namespace"},
		after: []string{"wmi.subscriptions", "callback.in135", "callback.sink", "callback.level", "callback.anonymous"}, degrades: true, applies: hasSinks, run: callbackAllow})
}

// callbackSwitches are the values of the host that decide. See spec/wmi.md 1.7.
type callbackSwitches struct {
	read           bool
	allow, control registryValue
}

// anonymous tells whether both permit a call without authentication.
func (s callbackSwitches) anonymous() bool { return s.allow.is(1) && s.control.is(0) }

const (
	cimomKey    = `SOFTWARE\Microsoft\WBEM\CIMOM`
	allowName   = "AllowAnonymousCallback"
	controlName = "UnsecAppAccessControlDefault"
)

func callbackAllow(ctx context.Context, x *examination) found {
	s, t := &x.dcom.allow, x.dcom.callback
	var err error
	if s.allow, err = x.registry(ctx, cimomKey, allowName); err == nil {
		s.control, err = x.registry(ctx, cimomKey, controlName)
	}
	if err != nil {
		return found{outcome: Info, detail: allowName + " of the host cannot be read: " + err.Error()}
	}
	s.read = true
	f := found{detail: fmt.Sprintf("%s %s, %s %s", allowName, s.allow, controlName, s.control)}
	switch {
	case t == nil || t.denied != nil:
	case t.authenticated() && s.allow.is(1):
		f.outcome = Warn
		f.detail += ": the host may call without authentication, though it calls with it"
	case !t.arrived() && !s.anonymous() && (t.dropped || t.onlyUnproven()):
		f.outcome = Fail
		f.detail += ": without trust the host may not call at all"
	}
	return f
}

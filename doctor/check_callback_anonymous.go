package doctor

import (
	"context"

	"github.com/casementhq/casement/dcerpc"
)

// This machine lets a call through that proves no identity, where that is what
// comes.
func init() {
	register(check{id: "callback.anonymous", layer: LayerCallback, title: "This machine takes the call", transport: "dcom", needs: []string{"callback.level"}, degrades: true,
		applies: hasSinks, run: callbackAnonymous})
}

func callbackAnonymous(_ context.Context, x *examination) found {
	t := x.dcom.callback
	t.mu.Lock()
	called := t.called()
	t.mu.Unlock()
	switch {
	case called == nil:
		return found{outcome: Info, detail: "who hosts the sink does not tell"}
	case called.Level > dcerpc.LevelNone && !called.Identity.Anonymous:
		return found{detail: "the call was authenticated: nothing anonymous is needed"}
	case called.Err != nil:
		return found{outcome: Fail, code: "0x80070005", name: "E_ACCESSDENIED", detail: "this machine refuses a call without authentication: " + called.Err.Error(), seen: t.seen()}
	}
	return found{detail: "a call without authentication is let through"}
}

package doctor

import (
	"context"
	"fmt"

	"github.com/casementhq/casement/dcerpc"
)

// The host calls the sink, and how protected. Without trust between the machines
// only a call without authentication can arrive.
func init() {
	register(check{id: "callback.level", layer: LayerCallback, title: "The host calls the sink", transport: "dcom", needs: []string{"callback.sink"}, degrades: true,
		applies: hasSinks, run: callbackLevel})
}

func callbackLevel(ctx context.Context, x *examination) found {
	t := x.dcom.callback
	t.waitProved(ctx, func() bool { return t.ended || t.called() != nil })
	t.mu.Lock()
	called := t.called()
	t.mu.Unlock()
	f := found{seen: t.seen()}
	switch {
	case called == nil && t.arrived():
		f.outcome, f.detail = Info, "the results came; who hosts the sink does not tell how"
	case called == nil && t.notVerified() != "":
		f.outcome, f.detail = Fail, t.notVerified()
	case called == nil:
		f.outcome, f.detail = Fail, "the host connected and never called"
	case called.Level <= dcerpc.LevelNone || called.Identity.Anonymous:
		f.outcome, f.detail = Info, "without authentication: this machine has no trust with "+x.target.Name
	case called.Err != nil:
		f.outcome, f.code, f.name = Fail, "0x80070005", "E_ACCESSDENIED"
		f.detail = fmt.Sprintf("at level %d (%s): %v", called.Level, called.Level, called.Err)
	default:
		f.detail = fmt.Sprintf("as %s at level %d (%s)", called.Identity, called.Level, called.Level)
	}
	return f
}

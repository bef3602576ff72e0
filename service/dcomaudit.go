package service

import (
	"context"
	"log/slog"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/audit"
	"github.com/casementhq/casement/security"
)

// gateRecord is what came of a question to a descriptor of DCOM.
type gateRecord struct {
	call    *dcerpc.Call
	token   *security.Token
	class   security.GUID // of an activation
	err     error
	refused string // what is said of a refusal
	event   int    // its number on Windows, 0 for none
	audited bool   // an entry of a SACL asks for a line
}

// gateAccess is what makes two records the same.
type gateAccess struct {
	activation bool
	reason     string
}

// record writes down a refusal, and what a SACL asks for.
func (g *dcomGate) record(ctx context.Context, r gateRecord) {
	if r.err == nil && !r.audited {
		return
	}
	attrs := []any{"protocol", "DCOM"}
	what := gateAccess{activation: r.class != security.GUID{}}
	if what.activation {
		attrs = append(attrs, "class", r.class)
	}
	e := audit.Entry{User: r.token, Address: r.call.Peer.String(), Granted: r.err == nil}
	if r.err != nil {
		what.reason = r.err.Error()
		e.Level, e.Message = slog.LevelWarn, r.refused
		if r.event != 0 {
			attrs = append(attrs, "event", r.event)
		}
		attrs = append(attrs, "filtered", r.token.Filtered, "error", r.err)
	}
	e.What, e.Attrs = what, attrs
	g.audit.Write(ctx, e)
	if r.err != nil && r.audited {
		what.reason = "audit"
		e.Level, e.Message, e.What = slog.LevelInfo, "", what
		g.audit.Write(ctx, e)
	}
}

// tooLow is told of activations with too low an authentication level.
func (g *dcomGate) tooLow(ctx context.Context, a dcom.Activation) {
	t, err := g.token(ctx, a.Call)
	if err != nil {
		t = &security.Token{User: security.SIDAnonymous, UserName: "ANONYMOUS LOGON", Domain: "NT AUTHORITY"}
	}
	level := a.Call.Security.Level()
	g.audit.Write(ctx, audit.Entry{
		Level: slog.LevelWarn, Message: "the authentication level of an activation over DCOM is below packet integrity",
		User: t, Address: a.Call.Peer.String(), What: level,
		Attrs: []any{"event", eventActivationLevel, "class", a.CLSID, "level", level},
	})
}

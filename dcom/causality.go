package dcom

import (
	"context"

	"github.com/casementhq/casement/security"
)

type causalityKey struct{}

// WithCausality makes the calls under ctx part of a chain of calls: a handler's ctx has the causality of its call already, so that what it calls
// is known to come of it. See [MS-DCOM] 1.3.5.
func WithCausality(ctx context.Context, cid security.GUID) context.Context {
	return context.WithValue(ctx, causalityKey{}, cid)
}

// causality is the chain that ctx belongs to, or a new one.
func causality(ctx context.Context) security.GUID {
	if cid, ok := ctx.Value(causalityKey{}).(security.GUID); ok {
		return cid
	}
	return randomGUID()
}

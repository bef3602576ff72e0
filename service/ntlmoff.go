package service

import (
	"context"
	"fmt"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/settings"
)

// noNTLM is NTLM where the machine's settings forbid it: it fails at once.
type noNTLM struct{}

func (noNTLM) Step(context.Context, []byte) ([]byte, bool, error) {
	return nil, false, fmt.Errorf("%w: %s of %s is 2", auth.ErrNTLMBlocked, settings.RestrictReceivingNTLM, settings.KeyNTLM)
}

func (noNTLM) Context() auth.Context { return nil }

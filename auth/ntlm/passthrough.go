package ntlm

import (
	"context"
	"fmt"

	"github.com/casementhq/casement/auth"
)

// Response is what a client proves itself with, as somebody else can verify it who has the account's hash: a domain
// controller, see [MS-APDS] 3.1.5.
type Response struct {
	// Domain, User and Workstation as the client spelled them.
	Domain, User, Workstation string
	// Challenge is the one that was answered; LM and NT are the answers.
	Challenge [8]byte
	LM, NT    []byte
}

// Verifier verifies responses. It gives the session base key and who the account is. A wrong response is
// auth.ErrLogonFailure; any other error is reported beside that one.
type Verifier func(ctx context.Context, r Response) (baseKey [16]byte, account *auth.DomainAccount, err error)

// passThrough has a response verified elsewhere. See [MS-NLMP] 3.2.5.1.2.
func (a *Acceptor) passThrough(ctx context.Context, verify Verifier, msg *authenticate) ([]byte, *auth.DomainAccount, error) {
	key, account, err := verify(ctx, Response{Domain: msg.domain, User: msg.user, Workstation: msg.workstation,
		Challenge: a.nonce, LM: msg.lmResponse, NT: msg.ntResponse})
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("ntlm: %w: %w", auth.ErrLogonFailure, err)
	case account == nil:
		return nil, nil, fmt.Errorf("ntlm: %w: nobody vouches for the account", auth.ErrLogonFailure)
	}
	return key[:], account, nil
}

// elsewhere is who verifies the response, nil for this machine itself.
func (a *Acceptor) elsewhere(msg *authenticate) Verifier {
	if a.opts.PassThrough == nil {
		return nil
	}
	return a.opts.PassThrough(msg.domain, msg.user)
}

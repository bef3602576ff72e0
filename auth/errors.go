package auth

import "errors"

// Errors that every mechanism reports, wrapped with what was tried. Test with errors.Is.
var (
	// ErrLogonFailure says that the proof failed. It never tells an unknown user from a wrong password
	// (STATUS_LOGON_FAILURE, 0xC000006D).
	ErrLogonFailure = errors.New("logon failure (0xC000006D): unknown user name or wrong password")
	// ErrBadToken says that a token is malformed or came out of turn (SEC_E_INVALID_TOKEN, 0x80090308).
	ErrBadToken = errors.New("invalid authentication token (0x80090308)")
	// ErrBadBindings says that the peer is bound to another TLS channel, or to none where one is demanded
	// (SEC_E_BAD_BINDINGS, 0x80090346).
	ErrBadBindings = errors.New("channel bindings do not match (0x80090346)")
	// ErrMessageAltered says that a message failed its check: forged, changed, replayed, or out of order
	// (SEC_E_MESSAGE_ALTERED, 0x8009030F).
	ErrMessageAltered = errors.New("message altered, replayed or out of sequence (0x8009030F)")
	// ErrNotProtected says that the exchange did not agree on signing or sealing
	// (SEC_E_QOP_NOT_SUPPORTED, 0x8009030A).
	ErrNotProtected = errors.New("message protection was not negotiated (0x8009030A)")
	// ErrNTLMBlocked says that NTLM is switched off where it was tried (STATUS_NTLM_BLOCKED, 0xC0000418).
	ErrNTLMBlocked = errors.New("NTLM is switched off (0xC0000418)")
	// ErrUnsupported says that the peer offers too little for our policy, or no common mechanism
	// (SEC_E_UNSUPPORTED_FUNCTION, 0x80090302).
	ErrUnsupported = errors.New("the peer does not offer a sufficient mechanism (0x80090302)")
)

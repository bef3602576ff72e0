package krb5

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"

	"github.com/casementhq/casement/auth"
)

// Code says what went wrong with the number that Windows has for it (SEC_E_…).
type Code uint32

// Codes of [Error].
const (
	TargetUnknown             Code = 0x80090303 // the KDC knows no such service principal name
	LogonDenied               Code = 0x8009030C // unknown account, wrong password, expired or locked
	NoCredentials             Code = 0x8009030E // nothing to prove an identity with
	NoAuthenticatingAuthority Code = 0x80090311 // no KDC answers
	ContextExpired            Code = 0x80090317 // the ticket is no longer valid
	WrongPrincipal            Code = 0x80090322 // the service has another key than its name says
	TimeSkew                  Code = 0x80090324 // clocks differ by more than five minutes
	EtypeNotSupported         Code = 0x80090342 // no encryption type in common
	DelegationRequired        Code = 0x80090345 // the service is not trusted for delegation, or the ticket cannot be forwarded
	InvalidToken              Code = 0x80090308 // any other error that the other end reports
	MutualAuthFailed          Code = 0x80090363 // the service did not prove its identity
)

// Error is a failure of the client's side that has a cause to tell: the KDC's or the service's word, or its silence. errors.Is finds
// auth.ErrLogonFailure in LogonDenied and auth.ErrBadToken in InvalidToken and MutualAuthFailed.
type Error struct {
	// Code is the number.
	Code Code
	// KDC is the error code of Kerberos ([RFC4120] 7.5.9) where a message of Kerberos brought it; else 0.
	KDC int32
	// SPN is the service principal name that was asked for; empty where it does not matter.
	SPN string
	// Skew is how far the other end's clock is ahead of ours (negative: behind), in TimeSkew.
	Skew time.Duration
	// Detail is what a person needs to know.
	Detail string
	// Err is the cause, or nil.
	Err error
}

// Error gives the detail, the number and the cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("krb5: %s (0x%08X)", e.Detail, uint32(e.Code))
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is compares with the errors that all mechanisms have in common.
func (e *Error) Is(target error) bool {
	switch e.Code {
	case LogonDenied:
		return target == auth.ErrLogonFailure
	case InvalidToken, MutualAuthFailed:
		return target == auth.ErrBadToken
	}
	return false
}

func badToken(format string, args ...any) error {
	return fmt.Errorf("krb5: %s: %w", fmt.Sprintf(format, args...), auth.ErrBadToken)
}

func denied(format string, args ...any) error {
	return fmt.Errorf("krb5: %s: %w", fmt.Sprintf(format, args...), auth.ErrLogonFailure)
}

func altered(format string, args ...any) error {
	return fmt.Errorf("krb5: %s: %w", fmt.Sprintf(format, args...), auth.ErrMessageAltered)
}

// explain turns a KRB-ERROR into an Error. who is "the KDC of REALM" or the service; spn what was asked for, account who asked.
// Nothing in a KRB-ERROR is authenticated: it explains a failure and permits nothing.
func explain(k *messages.KRBError, who, spn, account string, now time.Time) *Error {
	e := &Error{KDC: k.ErrorCode, SPN: spn, Code: InvalidToken}
	switch k.ErrorCode {
	case errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN, errorcode.KDC_ERR_SERVER_NOMATCH:
		e.Code, e.Detail = TargetUnknown, fmt.Sprintf("%s knows no service principal name %s", who, spn)
	case errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN:
		e.Code, e.Detail = LogonDenied, fmt.Sprintf("%s knows no account %s", who, account)
	case errorcode.KDC_ERR_PREAUTH_FAILED, errorcode.KRB_AP_ERR_BAD_INTEGRITY:
		e.Code, e.Detail = LogonDenied, fmt.Sprintf("%s refuses the password or key of %s", who, account)
	case errorcode.KDC_ERR_KEY_EXPIRED:
		e.Code, e.Detail = LogonDenied, fmt.Sprintf("the password of %s has expired", account)
	case errorcode.KDC_ERR_CLIENT_REVOKED, errorcode.KDC_ERR_NAME_EXP, errorcode.KDC_ERR_CLIENT_NOTYET, errorcode.KDC_ERR_POLICY:
		e.Code, e.Detail = LogonDenied, fmt.Sprintf("%s does not let %s in: the account is locked, disabled, expired or restricted", who, account)
	case errorcode.KDC_ERR_ETYPE_NOSUPP:
		e.Code, e.Detail = EtypeNotSupported, who+" and we have no encryption type in common"
	case errorcode.KRB_AP_ERR_SKEW:
		e.Code, e.Skew = TimeSkew, k.STime.Sub(now).Round(time.Second)
		e.Detail = "the clock of " + who + " " + skewText(e.Skew) + "; at most five minutes are permitted"
	case errorcode.KRB_AP_ERR_TKT_EXPIRED:
		e.Code, e.Detail = ContextExpired, "the ticket has expired, says "+who
	case errorcode.KRB_AP_ERR_TKT_NYV:
		e.Code, e.Skew = TimeSkew, k.STime.Sub(now).Round(time.Second)
		e.Detail = "the ticket is not valid yet, says " + who + ", whose clock " + skewText(e.Skew)
	case errorcode.KRB_AP_ERR_MODIFIED, errorcode.KRB_AP_ERR_NOT_US, errorcode.KRB_AP_ERR_NOKEY, errorcode.KRB_AP_ERR_BADKEYVER:
		e.Code = WrongPrincipal
		e.Detail = fmt.Sprintf("%s cannot read a ticket for %s: the name belongs to another account, or its keytab is old", who, spn)
	default:
		e.Detail = fmt.Sprintf("%s answers with error %d", who, k.ErrorCode)
	}
	if k.EText != "" {
		e.Err = errors.New(printable(k.EText))
	}
	return e
}

func skewText(d time.Duration) string {
	switch {
	case d > 0:
		return "is " + d.String() + " ahead of ours"
	case d < 0:
		return "is " + (-d).String() + " behind ours"
	}
	return "agrees with ours to the second"
}

// printable makes what the other end says fit to stand in a line.
func printable(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xFFFD {
			return '?'
		}
		return r
	}, s)
}

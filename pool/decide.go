package pool

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/doctor"
	"github.com/casementhq/casement/wsman"
)

// This file is the one place where what was found becomes a state: from an error, from
// the doctor's report, or from the data. See spec/console.md 3.3 and spec/winrm.md 9.

// verdict is a state and why.
type verdict struct {
	state               State
	reason, code, check string
	// hint is what else its reader can do, whatever the reason.
	hint string
	// plain says that there is nothing to examine: the reason is all there is.
	plain bool
}

// Codes that package wsman has no constants for.
const (
	codeNoConnection    wsman.Code = 0x80338112 // also HTTP 503
	codeHTML            wsman.Code = 0x80338173
	codeCannotDecrypt   wsman.Code = 0x803380F9
	codeRedirect        wsman.Code = 0x80338110
	codeHTTPServerError wsman.Code = 0x80338170
	codeHTTPBadRequest  wsman.Code = 0x80338171
	codeName            wsman.Code = 0x803381B9
	codeTLS             wsman.Code = 0x803381BA
	codeNTLMBlocked     wsman.Code = 0x80070791 // ERROR_NTLM_BLOCKED
	codeStatusNTLM      wsman.Code = 0xC0000418 // STATUS_NTLM_BLOCKED
	codeLogonFailure    wsman.Code = 0x8007052E
	codeNamelessAddress wsman.Code = 0x803381BB // an address, and nothing to sign in with
)

// stateOfCode is what a code means for the server, whoever saw it.
var stateOfCode = map[uint32]State{
	uint32(codeNoConnection):                      NotComputerAccessible,
	uint32(wsman.CodeNetworkTimedOut):             NotComputerAccessible,
	uint32(wsman.CodeDestinationUnreachable):      NotComputerAccessible, // also a connection that is taken and reset, as by the firewall of a host
	uint32(codeTLS):                               NotComputerAccessible,
	dcom.FromWin32(dcom.RPC_S_SERVER_UNAVAILABLE): NotComputerAccessible,
	0x800706D9:               NotComputerAccessible, // EPT_S_NOT_REGISTERED
	dcom.RPC_E_TIMEOUT:       NotComputerAccessible,
	dcom.REGDB_E_CLASSNOTREG: NotComputerAccessible,

	// Something answers, and it is no WinRM that could be used.
	uint32(wsman.CodeHTTPNotFound):            VerifyWinRM,
	uint32(codeHTML):                          VerifyWinRM,
	uint32(codeRedirect):                      VerifyWinRM,
	uint32(codeHTTPServerError):               VerifyWinRM,
	uint32(codeHTTPBadRequest):                VerifyWinRM,
	uint32(codeCannotDecrypt):                 VerifyWinRM,
	uint32(wsman.CodeInvalidXML):              VerifyWinRM,
	uint32(wsman.CodeMaxEnvelopeSizeExceeded): VerifyWinRM,

	uint32(codeName):                       KerberosResolution,
	uint32(krb5.TargetUnknown):             KerberosResolution,
	uint32(krb5.WrongPrincipal):            KerberosAuthentication,
	uint32(krb5.TimeSkew):                  KerberosAuthentication,
	uint32(krb5.ContextExpired):            KerberosAuthentication,
	uint32(krb5.InvalidToken):              KerberosAuthentication,
	uint32(krb5.MutualAuthFailed):          KerberosAuthentication,
	uint32(krb5.EtypeNotSupported):         KerberosAuthentication,
	uint32(krb5.DelegationRequired):        KerberosAuthentication,
	uint32(krb5.NoAuthenticatingAuthority): KerberosAuthentication,

	uint32(krb5.LogonDenied):                      CredentialsNotValid,
	uint32(krb5.NoCredentials):                    CredentialsNotValid,
	uint32(codeLogonFailure):                      CredentialsNotValid,
	uint32(wsman.CodeExplicitCredentialsRequired): CredentialsNotValid,
	uint32(codeNamelessAddress):                   CredentialsNotValid,

	uint32(wsman.CodeServerNotTrusted): NegotiateError,
	uint32(codeNTLMBlocked):            NegotiateError,
	uint32(codeStatusNTLM):             NegotiateError,
	0x80090346:                         NegotiateError, // SEC_E_BAD_BINDINGS
	0x80090302:                         NegotiateError, // SEC_E_UNSUPPORTED_FUNCTION

	uint32(wsman.CodeWMIServiceAccessDenied):  AccessDenied,
	uint32(wsman.CodeWMIProviderAccessDenied): AccessDenied,
	uint32(wsman.CodeWMIConnectAccessDenied):  AccessDenied,
	dcom.E_ACCESSDENIED:                       AccessDenied,
	dcom.RPC_E_ACCESS_DENIED:                  AccessDenied,
	uint32(cim.ErrAccessDenied):               AccessDenied,

	uint32(wsman.CodeRemoteAccessDisabled): ManagementByPolicy,

	uint32(wsman.CodeQuotaLimit):         DataRetrievalFailures,
	uint32(wsman.CodeQuotaMaxOperations): DataRetrievalFailures,
	uint32(wsman.CodeQuotaMaxShells):     DataRetrievalFailures,
	uint32(wsman.CodeQuotaUser):          DataRetrievalFailures,
	uint32(wsman.CodeQuotaSystem):        DataRetrievalFailures,
	uint32(wsman.CodeQuotaMaxShellUsers): DataRetrievalFailures,
	uint32(cim.ErrQuotaViolation):        DataRetrievalFailures,
	uint32(cim.ErrServerTooBusy):         DataRetrievalFailures,
	uint32(cim.ErrTooMuchData):           DataRetrievalFailures,
	uint32(cim.ErrInvalidNamespace):      DataRetrievalFailures,
	uint32(cim.ErrInvalidClass):          DataRetrievalFailures,
}

// stateOfCheck is what the failure of one of the doctor's checks means where its code
// does not say. An ID that ends with a dot stands for all that begin with it.
var stateOfCheck = []struct {
	id    string
	state State
}{
	{"resolve", KerberosResolution}, {"route", NotComputerAccessible}, {"tcp.", NotComputerAccessible}, {"tls", NotComputerAccessible},
	{"http", VerifyWinRM}, {"auth.offer", NegotiateError}, {"clock", KerberosAuthentication}, {"auth.kerberos", KerberosAuthentication},
	{"auth.ntlm", CredentialsNotValid}, {"auth.", NegotiateError}, {"bindings", NegotiateError}, {"encryption", NegotiateError},
	{"winrm.identify", VerifyWinRM}, {"winrm.authorize", AccessDenied}, {"winrm.quota", DataRetrievalFailures}, {"uac.filter", AccessDenied},
	{"epm", NotComputerAccessible}, {"rpc.auth", CredentialsNotValid}, {"dcom.bindings", NotComputerAccessible}, {"dcom.call", NotComputerAccessible},
	{"dcom.activate", AccessDenied}, {"dcom.enabled", NotComputerAccessible}, {"wmi.quota", DataRetrievalFailures},
	{"wmi.subscriptions", DataRetrievalFailures}, {"wmi.", AccessDenied},
}

// decide is the state of a server that was just asked.
func decide(s *Snapshot, r reached) verdict {
	if r.err == nil {
		return verdictOfData(s)
	}
	v := verdictOfError(r.err)
	if s.Facts != nil && s.Facts.Windows && releaseOf(s.Facts.Version).onlineOnly && v.state == NotComputerAccessible {
		v.state, v.plain = Offline, true
	}
	if r.product.tooOld() && v.state.Level() == LevelBlocked {
		old := releaseOf(r.product.os)
		v.state, v.reason = old.state, old.name+" needs Windows Management Framework "+old.wmf+"; "+v.reason
	}
	v.hint = r.hint
	return v
}

// verdictOfError is the state of a server that did not answer as it should.
func verdictOfError(err error) verdict {
	code, text := codeOf(err)
	v := verdict{reason: sentence(err), code: hexOf(code)}
	state, known := stateOfCode[code]
	var f *wsman.Fault
	isFault := errors.As(err, &f)
	switch {
	case errors.Is(err, auth.ErrLogonFailure), unproved(err):
		v.state = CredentialsNotValid
	case known && state != NotComputerAccessible && code>>16 == 0x8009: // of Kerberos
		v.state = state
	case errors.Is(err, auth.ErrBadToken):
		v.state = VerifyWinRM // what answers does not go on with the sign-in: it is something else
	case errors.Is(err, auth.ErrUnsupported), errors.Is(err, auth.ErrBadBindings), errors.Is(err, auth.ErrNTLMBlocked), errors.Is(err, auth.ErrNotProtected):
		v.state = NegotiateError
	case code == uint32(wsman.CodeRemoteAccessDisabled) && strings.Contains(text, "Configure-SMRemoting"):
		v.state = ManagementDisabled // the switch of the machine, which its administrator can turn
	case code == uint32(codeNoConnection) && isFault && f.Err == nil && strings.Contains(f.Message, "503"):
		v.state = DataRetrievalFailures // it is there, and has no room
	case known:
		v.state = state
	case lost(err):
		v.state = NotComputerAccessible
	default:
		v.state = DataRetrievalFailures
	}
	return v
}

// unproved tells whether the runtime of RPC refused, and no answer did: NTLM shows a
// wrong password in no other way. See spec/wmi.md 1.9, row 7.
func unproved(err error) bool {
	var f *dcerpc.Fault
	return errors.As(err, &f) && f.Status == dcerpc.StatusAccessDenied
}

// lost tells whether an operation failed below the level at which a host says why.
func lost(err error) bool {
	s := cim.StatusOf(err)
	return s == cim.ErrTransportFailure || s == cim.ErrTimedOut || s == cim.ErrCallCancelled || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, dcerpc.ErrNotRPC) || errors.Is(err, dcerpc.ErrClosed)
}

// codeOf is the number that tells most about an error, 0 where there is none, and the
// host's own words.
func codeOf(err error) (code uint32, words string) {
	var f *wsman.Fault
	var k *krb5.Error
	var h *dcom.Error
	var rpc *dcerpc.Fault
	var own *cim.Error
	var bare wsman.Code
	switch {
	case errors.As(err, &k):
		return uint32(k.Code), k.Detail
	case errors.Is(err, auth.ErrLogonFailure):
		return uint32(codeLogonFailure), ""
	case errors.As(err, &h):
		return h.HRESULT, ""
	case errors.As(err, &rpc):
		return dcom.FromWin32(uint32(rpc.Status)), ""
	case errors.As(err, &own) && own.Status.Failed() && own.Status != cim.ErrTransportFailure && own.Status != cim.ErrFailed && !errors.As(err, &f):
		return uint32(own.Status), own.Detail
	case errors.As(err, &f):
		if own != nil && own.Remote && own.Status == cim.ErrAccessDenied && f.Code != wsman.CodeAccessDenied {
			return uint32(own.Status), f.Text()
		}
		return dcom.FromWin32(uint32(f.Code)), f.Text() + " " + f.Message
	case errors.As(err, &bare):
		return dcom.FromWin32(uint32(bare)), ""
	case errors.Is(err, context.DeadlineExceeded):
		return uint32(wsman.CodeNetworkTimedOut), ""
	}
	return 0, ""
}

// hexOf is a code as it is shown, "" for none.
func hexOf(code uint32) string {
	if code == 0 {
		return ""
	}
	return fmt.Sprintf("0x%08X", code)
}

// noCredential is why nobody could sign in.
const noCredential = "no credential is bound to it, and there are no Kerberos tickets; 'casement pool credential add NAME --user USER --for all' keeps one"

// sentence says in a sentence what went wrong, with its code and the code's name.
func sentence(err error) string {
	code, _ := codeOf(err)
	words := ""
	var own *cim.Error
	var f *wsman.Fault
	var k *krb5.Error
	switch {
	case errors.As(err, &k):
		words = k.Detail
	case errors.As(err, &f) && (f.Code == wsman.CodeExplicitCredentialsRequired || f.Code == codeNamelessAddress):
		words = noCredential // our own client says so: it has nothing to sign in with
	case errors.As(err, &f):
		if words = f.Message; words == "" {
			words = f.Text()
		}
	case errors.As(err, &own) && own.Detail != "":
		words = own.Detail
	case errors.As(err, &own) && own.Err == nil:
		words = own.Status.Text()
	default:
		words = err.Error()
	}
	words = strings.TrimSuffix(clean(words, maxSentence), ".")
	if name := nameOf(code); name != "" && !strings.Contains(words, hexOf(code)) {
		words += " (" + hexOf(code) + " " + name + ")"
	}
	return words
}

// nameOf is the name of a code, "" where it has none here.
func nameOf(code uint32) string {
	if n := cim.Status(code).Name(); n != "" && code != 0 {
		return n
	}
	if n := wsman.Code(code).Name(); n != "" {
		return n
	}
	if n := dcom.ResultName(code); code != 0 && !strings.HasPrefix(n, "0x") {
		return n
	}
	return ""
}

// verdictOfReport is the state that the doctor's report means. What he does not find
// stays as it was.
func verdictOfReport(r *doctor.Report, v verdict, t Transport) verdict {
	first := firstFailed(r, t)
	if first == nil {
		return v
	}
	if state, ok := stateOfResult(*first); ok && v.state.Level() == LevelBlocked {
		v.state = state
	}
	v.check, v.reason = first.ID, first.Detail
	if first.Code != "" {
		v.code = first.Code
	}
	if c := r.Cause; c != nil {
		v.check, v.reason = c.Check, c.Title
		if c.Confidence != doctor.Certain {
			v.reason += " (" + string(c.Confidence) + ")"
		}
		if first.Detail != "" && !strings.Contains(c.Title, first.Detail) {
			v.reason += ": " + first.Detail
		}
	}
	v.reason = strings.TrimSuffix(clean(v.reason, maxSentence), ".")
	if first.Name != "" && !strings.Contains(v.reason, first.Code) {
		v.reason += " (" + first.Code + " " + first.Name + ")"
	}
	return v
}

// firstFailed is the first failed check in the path of a transport, nil where none failed.
func firstFailed(r *doctor.Report, t Transport) *doctor.Result {
	for n := range r.Checks {
		c := &r.Checks[n]
		if c.Outcome == doctor.Fail && (t == DCOM) == ofDCOM(c.ID) || c.Outcome == doctor.Fail && shared(c.ID) {
			return c
		}
	}
	return nil
}

// ofDCOM tells whether a check is about DCOM alone, shared whether about both.
func ofDCOM(id string) bool {
	for _, p := range []string{"tcp.135", "tcp.dynamic", "epm", "rpc.", "dcom.", "wmi.", "callback."} {
		if strings.HasPrefix(id, p) {
			return true
		}
	}
	return false
}

func shared(id string) bool {
	return id == "resolve" || id == "route" || id == "clock" || id == "uac.filter"
}

// stateOfResult is what a failed check means: its code decides before its place, but a
// code that says no more than "no" leaves it to the place.
func stateOfResult(c doctor.Result) (State, bool) {
	var code uint32
	if _, err := fmt.Sscanf(c.Code, "0x%X", &code); err == nil {
		switch s, ok := stateOfCode[dcom.FromWin32(code)]; {
		case !ok, s == AccessDenied && (strings.HasPrefix(c.ID, "auth.") || c.ID == "rpc.auth"), s == NotComputerAccessible && c.ID == "resolve":
		case s == ManagementByPolicy && strings.Contains(c.Detail, "Configure-SMRemoting"):
			return ManagementDisabled, true
		default:
			return s, true
		}
	}
	for _, k := range stateOfCheck {
		if c.ID == k.id || strings.HasSuffix(k.id, ".") && strings.HasPrefix(c.ID, k.id) {
			return k.state, true
		}
	}
	return "", false
}

// verdictOfData is the state of a server that answers, by what is known of it.
func verdictOfData(s *Snapshot) verdict {
	f := s.Facts
	if f != nil && f.ProductType == productClient {
		return verdict{state: ClientSystem, plain: true, reason: firstOf(f.OS, "it") + " is a client operating system; only servers are managed this way"}
	}
	if f != nil && f.Windows {
		if v, ok := verdictOfRelease(releaseOf(f.Version), s.Software); ok {
			return v
		}
	}
	switch roles := hasFailed(s.Failures, rolesTile); {
	case len(s.Failures) > 0 && !(roles && len(s.Failures) == 1):
		return verdict{state: DataRetrievalFailures, reason: failureReason(s.Failures), code: s.Failures[0].Code}
	case roles:
		return verdict{state: NoRoleData, reason: failureReason(s.Failures), code: s.Failures[0].Code}
	case f != nil && f.RestartPending != nil && *f.RestartPending:
		return verdict{state: RestartPending, reason: "updates or roles wait for a restart"}
	case s.Counters != nil && s.Counters.Missing != "":
		return verdict{state: CountersNotStarted, reason: s.Counters.Missing}
	}
	return verdict{state: Online}
}

// verdictOfRelease is the state of a release that cannot be managed in full, and whether
// it is one. See rows 3.03 to 3.10.
func verdictOfRelease(r release, s *Software) (verdict, bool) {
	if r.onlineOnly {
		return verdict{state: Online, plain: true, reason: r.name + ": no more than whether it is online is shown"}, true
	}
	missing := r.missing(s)
	if len(missing) == 0 {
		return verdict{}, false
	}
	return verdict{state: r.state, plain: true, reason: fmt.Sprintf("%s needs .NET Framework %s and Windows Management Framework %s; missing: %s",
		r.name, strings.TrimSuffix(r.framework, ".0"), r.wmf, strings.Join(missing, ", "))}, true
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func hasFailed(list []TileFailure, tile string) bool {
	for _, f := range list {
		if f.Tile == tile {
			return true
		}
	}
	return false
}

func failureReason(list []TileFailure) string {
	text := list[0].Tile + ": " + list[0].Reason
	if n := len(list) - 1; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return text
}

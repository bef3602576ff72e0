package wmiclient

import (
	"os"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
)

// newBlanket is what every call is made with. See spec/wmi.md 1.6.
func newBlanket(host string, o *Options) (dcom.Blanket, error) {
	level := o.impersonation()
	switch {
	case o.delegates() && o.Authority.Kerberos == "":
		return dcom.Blanket{}, invalid(`the impersonation level delegate without Kerberos; name the host in an authority, "Kerberos:domain\server"`)
	case level != wmi.ImpersonationImpersonate && !o.delegates():
		return dcom.Blanket{}, &cim.Error{Status: cim.ErrAccessDenied, Detail: "WMI does nothing for a caller whose impersonation level is " + level.String() + "; it has to be impersonate"}
	case o.Authentication > wmi.AuthenticationPktPrivacy:
		return dcom.Blanket{}, invalid("the authentication level %d", o.Authentication)
	}
	domain, user, err := o.Authority.User(o.Credentials.Username)
	if err != nil {
		return dcom.Blanket{}, err
	}
	credentials := o.Credentials
	if credentials.Username = user; domain != "" {
		credentials.Username = domain + `\` + user
	}
	b := dcom.Blanket{Level: dcerpc.Level(o.Authentication), AuthType: dcerpc.AuthSPNEGO}
	b.Exactly = o.Authentication == wmi.AuthenticationPktIntegrity // lower ones are raised: an activation needs this one
	if o.Authentication == wmi.AuthenticationNone {
		return b, nil
	}
	switch {
	case o.Authority.NTLMDomain != "":
		b.AuthType = dcerpc.AuthNTLM
	case o.Authority.Kerberos != "":
		b.AuthType = dcerpc.AuthKerberos
		b.Initiator = func(spn, _ string) (auth.Initiator, error) { return o.ticket(credentials, spn) }
		return b, nil
	}
	b.Initiator = func(spn, _ string) (auth.Initiator, error) {
		var mechs []spnego.InitiatorMechanism
		if b.AuthType == dcerpc.AuthSPNEGO && o.Tickets.Domain(credentials, host) {
			mechs = append(mechs, spnego.InitiatorMechanism{OID: spnego.OIDKerberos, New: func() auth.Initiator {
				i, err := o.ticket(credentials, spn)
				if err != nil {
					return noTicket{err}
				}
				return i
			}})
		}
		if len(mechs) > 0 && (credentials.Username == "" || o.NTLM != nil && !o.NTLM().SendsTo(host)) {
			return spnego.NewInitiator(mechs...), nil
		}
		if credentials.Username == "" {
			return nil, &cim.Error{Status: cim.ErrAccessDenied, Detail: "no user is named, there are no tickets (kinit makes some; a remote shell has its caller's where that was opened with delegation), and the host asks who calls"}
		}
		if o.NTLM != nil && !o.NTLM().SendsTo(host) {
			return nil, &cim.Error{Status: cim.ErrAccessDenied, Err: auth.ErrNTLMBlocked, Detail: "this machine must not use NTLM with " + host + ": its setting " +
				"RestrictSendingNTLMTraffic is 2 and ClientAllowedNTLMServers does not name the host"}
		}
		proof := func() auth.Initiator {
			return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: credentials, TargetName: spn, Workstation: workstation()})
		}
		if b.AuthType == dcerpc.AuthNTLM {
			return proof(), nil
		}
		return spnego.NewInitiator(append(mechs, spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: proof})...), nil
	}
	return b, nil
}

// workstation is the NetBIOS name of this machine.
func workstation() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	name, _, _ = strings.Cut(name, ".")
	return strings.ToUpper(name[:min(len(name), 15)])
}

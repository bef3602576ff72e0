package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// The account is taken for who it is: something that everybody may ask is asked as
// this account, since the last word of NTLM is answered by the first call alone.
func init() {
	register(check{id: "rpc.auth", layer: LayerAuth, title: "The account signs in over RPC", transport: "dcom", needs: []string{"epm"}, run: rpcAuth})
}

func rpcAuth(ctx context.Context, x *examination) found {
	o := x.options
	client, err := wmiclient.New(x.target.Name, wmiclient.Options{
		Credentials: o.Credentials, Tickets: o.Tickets, Authentication: o.Authentication, Port: x.target.ResolverPort, Sinks: o.Sinks,
		NTLM: o.NTLM, DialContext: x.dialDCOM, Logger: x.log,
	})
	if err != nil {
		return failure(err, err.Error())
	}
	x.atEnd(func() { client.Close() }) //nolint:errcheck // what is held ends with the connection
	x.dcom.client, x.dcom.blanket = client, client.Blanket()
	b := &x.dcom.blanket
	if o.Authentication != wmi.AuthenticationDefault {
		b.Level, b.Exactly = dcerpc.Level(o.Authentication), true
	}
	if b.Initiator == nil {
		return found{outcome: Warn, detail: "nobody signs in: the authentication level is none"}
	}
	level := dcerpc.Level(o.level())
	alive, mechanism, err := x.proveRPC(ctx, level)
	if err != nil {
		x.dcom.unproved = err
		return unproved(x, err)
	}
	x.dcom.mechanism = mechanism
	return found{detail: fmt.Sprintf("%s at level %d (%s), as %s", mechanism, level, o.level(), x.account()),
		seen: []string{fmt.Sprintf("ServerAlive2 was answered, DCOM %d.%d", alive.Version.Major, alive.Version.Minor)}}
}

// proveRPC proves the account to the resolver.
func (x *examination) proveRPC(ctx context.Context, level dcerpc.Level) (*dcom.ServerAlive2Response, string, error) {
	b := x.dcom.blanket
	i, err := b.Initiator("RPCSS/"+x.target.Name, x.target.Name)
	if err != nil {
		return nil, "", err
	}
	nc, err := x.dialDCOM(ctx, "tcp", hostPort(x.target.Name, x.target.resolverPort()))
	if err != nil {
		return nil, "", err
	}
	c := dcerpc.NewConn(nc, dcerpc.Options{OnlyNDR20: true})
	defer c.Close() //nolint:errcheck // nothing is under way
	sec := c.NewSecurity(b.AuthType, level, i)
	alive, err := askResolver(ctx, c, sec)
	return alive, sec.Identity().Mechanism, err
}

// unproved says why nobody is signed in.
func unproved(x *examination, err error) found {
	var kerberos *krb5.Error
	var own *cim.Error
	switch {
	case errors.As(err, &kerberos):
		return found{outcome: Fail, code: codeText(uint32(kerberos.Code)), name: kerberosNames[kerberos.Code], detail: kerberos.Detail, seen: errorSeen(err)}
	case errors.As(err, &own):
		return found{outcome: Fail, detail: own.Detail, seen: errorSeen(err)}
	case errors.Is(err, auth.ErrNTLMBlocked):
		return failure(err, "NTLM is switched off")
	}
	f := failure(err, fmt.Sprintf("the host refuses the sign-in of %s", x.account()))
	if code := hresultOf(err); code == 0 && errors.Is(err, auth.ErrLogonFailure) {
		f.code, f.name = "0x8007052E", "ERROR_LOGON_FAILURE"
	}
	return f
}

// kerberosNames are those of Windows.
var kerberosNames = map[krb5.Code]string{
	krb5.TargetUnknown: "SEC_E_TARGET_UNKNOWN", krb5.LogonDenied: "SEC_E_LOGON_DENIED", krb5.NoCredentials: "SEC_E_NO_CREDENTIALS",
	krb5.NoAuthenticatingAuthority: "SEC_E_NO_AUTHENTICATING_AUTHORITY", krb5.ContextExpired: "SEC_E_CONTEXT_EXPIRED",
	krb5.WrongPrincipal: "SEC_E_WRONG_PRINCIPAL", krb5.TimeSkew: "SEC_E_TIME_SKEW", krb5.EtypeNotSupported: "SEC_E_KDC_UNKNOWN_ETYPE",
	krb5.DelegationRequired: "SEC_E_DELEGATION_REQUIRED", krb5.InvalidToken: "SEC_E_INVALID_TOKEN", krb5.MutualAuthFailed: "SEC_E_MUTUAL_AUTH_FAILED",
}

package wmiserver

import (
	"context"
	"crypto/rand"
	"math"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// login is what a client activates: the way to a namespace. See [MS-WMI] 3.1.4.1.
type login struct{ server *Server }

var loginMethods = methods{
	iwbem.OpEstablishPosition: on("EstablishPosition", 0, (*login).establishPosition),
	iwbem.OpRequestChallenge:  on("RequestChallenge", 0, (*login).requestChallenge),
	iwbem.OpWBEMLogin:         on("WBEMLogin", 0, (*login).wbemLogin),
	iwbem.OpNTLMLogin:         on("NTLMLogin", 0, (*login).ntlmLogin),
}

var clientIDMethods = methods{iwbem.OpSetClientInfo: on("SetClientInfo", math.MaxUint32, (*login).setClientInfo)}

var clientIDExMethods = methods{iwbem.OpSetClientInfoEx: on("SetClientInfoEx", math.MaxUint32, (*login).setClientInfoEx)}

func (l *login) methods(iid security.GUID) methods {
	switch iid {
	case wmi.IIDLevel1Login:
		return loginMethods
	case wmi.IIDLoginClientID:
		return clientIDMethods
	case wmi.IIDLoginClientIDEx:
		return clientIDExMethods
	}
	return nil // IWbemLoginHelper is of no use to anybody: [MS-WMI] 3.2.3
}

func (l *login) released() {}

// establishPosition does nothing but to say that unknown locales are ignored. See [MS-WMI] 3.1.4.1.1.
func (l *login) establishPosition(context.Context, *call, *iwbem.EstablishPositionRequest) ndr.Marshaler {
	return &iwbem.EstablishPositionResponse{LocaleVersion: 1}
}

func (l *login) requestChallenge(context.Context, *call, *iwbem.RequestChallengeRequest) ndr.Marshaler {
	return &iwbem.RequestChallengeResponse{Result: uint32(cim.ErrNotSupported)}
}

func (l *login) wbemLogin(context.Context, *call, *iwbem.WBEMLoginRequest) ndr.Marshaler {
	return &iwbem.WBEMLoginResponse{Result: resultNotImpl}
}

// ntlmLogin opens a namespace. See [MS-WMI] 3.1.4.1.4.
func (l *login) ntlmLogin(ctx context.Context, c *call, r *iwbem.NTLMLoginRequest) ndr.Marshaler {
	ref, err := l.open(ctx, c, r)
	return c.answer(&iwbem.NTLMLoginResponse{Ref: ref, Result: result(err)}, err)
}

func (l *login) open(ctx context.Context, c *call, r *iwbem.NTLMLoginRequest) (*dcom.ObjRef, error) {
	leave, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := c.accept(r.Flags); err != nil {
		return nil, err
	}
	namespace, err := namespaceOf(r.NetworkResource.Text)
	if err != nil {
		return nil, err
	}
	values, err := c.values(r.Context)
	if err != nil {
		return nil, err
	}
	connection, err := l.server.connect(ctx, c.caller, namespace, localesOf(r.PreferredLocale.Text), values)
	if err != nil {
		l.explain(ctx, c, namespace, err)
		return nil, err
	}
	return l.server.export(c, newServices(l.server, connection), wmi.IIDServices)
}

// explain records where a login was refused for its lack of encryption alone: WBEM_MC_WBEM_REQUIRES_ENCRYPTION_DENIED, 0xC00015E5. See
// spec/wmi.md 1.7.
func (l *login) explain(ctx context.Context, c *call, namespace string, refused error) {
	if cim.StatusOf(refused) != cim.ErrAccessDenied || c.caller.Protection >= cim.ProtectionPktPrivacy {
		return
	}
	sealed := c.caller
	sealed.Protection = cim.ProtectionPktPrivacy
	connection, err := l.server.connect(ctx, sealed, namespace, nil, nil)
	if err != nil {
		return
	}
	connection.release()
	l.server.log.Warn("the namespace requires an encrypted connection", "event", eventDenied, "namespace", namespace, "user", c.owner, "address", c.caller.Address)
}

// setClientInfo tells who the client says to be, which is for the log alone. See [MS-WMI] 3.1.4.8.1.
func (l *login) setClientInfo(_ context.Context, c *call, r *iwbem.SetClientInfoRequest) ndr.Marshaler {
	l.server.log.Debug("a client gives its name", "user", c.owner, "address", c.caller.Address, "machine", clip(r.ClientMachine.Text), "process", r.ClientProcess)
	return &iwbem.SetClientInfoResponse{}
}

func (l *login) setClientInfoEx(_ context.Context, c *call, r *iwbem.SetClientInfoExRequest) ndr.Marshaler {
	l.server.log.Debug("a client gives its name", "user", c.owner, "address", c.caller.Address, "machine", clip(r.ClientMachine.Text), "process", r.ClientProcess)
	return &iwbem.SetClientInfoExResponse{}
}

// clip shortens what a client says for the log.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// newGUID is a random GUID.
func newGUID() (g security.GUID) {
	rand.Read(g[:])
	g[7] = g[7]&0x0f | 0x40
	g[8] = g[8]&0x3f | 0x80
	return g
}

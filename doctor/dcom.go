package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// dcomPath is what the checks of WMI over DCOM found, each field by the check
// that is named beside it, for those that need it.
type dcomPath struct {
	mapper    portAnswer         // tcp.135
	client    *wmiclient.Client  // rpc.auth
	blanket   dcom.Blanket       // rpc.auth: who calls, and how protected
	mechanism string             // rpc.auth: NTLM or Kerberos, "" where nothing was proved
	unproved  error              // rpc.auth: why not
	login     *dcom.Proxy        // dcom.activate
	off       bool               // dcom.enabled: EnableDCOM is N
	raised    bool               // dcom.activate: refused as asked for, and granted at packet integrity
	foreign   []string           // dcom.bindings: none of them is an address that was dialled
	ports     []uint16           // dcom.bindings
	dynamic   []portAnswer       // tcp.dynamic
	shut      atomic.Bool        // tcp.dynamic: nothing more is dialled
	session   *wmiclient.Session // wmi.namespace
	encrypted bool               // wmi.namespace: it opens at packet privacy
	rights    uint32             // wmi.rights
	filter    tokenFilter        // uac.filter
	callback  *callbackTry       // callback.in135
	allow     callbackSwitches   // callback.allow
}

// host is the target as the clients of DCOM name it: with the port of its
// resolver, where that is not 135.
func (t Target) dcomHost() string { return dcom.FormatStringBinding(t.Name, t.ResolverPort) }

func (t Target) resolverPort() uint16 {
	if t.ResolverPort == 0 {
		return 135
	}
	return t.ResolverPort
}

func hostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// errShut is why nothing is dialled after the port of WMI turned out to be shut:
// what is held at the host ends without being given back.
var errShut = errors.New("the port was found shut before")

// dialDCOM connects to the target: to its Address in place of its Name.
func (x *examination) dialDCOM(ctx context.Context, network, address string) (net.Conn, error) {
	if x.dcom.shut.Load() {
		return nil, errShut
	}
	if host, port, err := net.SplitHostPort(address); err == nil && host == x.target.Name {
		address = net.JoinHostPort(x.target.host(), port)
	}
	if x.options.DialContext != nil {
		return x.options.DialContext(ctx, network, address)
	}
	d := net.Dialer{Resolver: x.options.Resolver}
	return d.DialContext(ctx, network, address)
}

// objects makes a client of objects that calls with a blanket.
func (x *examination) objects(b dcom.Blanket) *dcom.Client {
	return dcom.NewClient(dcom.ClientOptions{Blanket: b, Dial: x.dialDCOM, DialTimeout: defaultLimit, Log: x.log})
}

// portAnswer is what a port said.
type portAnswer struct {
	address string
	state   portState
	took    time.Duration
	err     error
}

// portState is how a port answers.
type portState string

const (
	portOpen        portState = "open"
	portRefused     portState = "refused"     // nothing listens
	portSilent      portState = "silent"      // what is sent is dropped
	portUnreachable portState = "unreachable" // a router or a firewall says so
	portProhibited  portState = "prohibited"  // this machine does not let it out
	portReset       portState = "reset"       // taken, and cut off before a word
	portMute        portState = "mute"        // taken, and no word
	portOther       portState = "other"       // something else than RPC
)

// askPort connects to a port and asks for an interface, without signing in.
func (x *examination) askPort(ctx context.Context, port uint16, id dcerpc.SyntaxID) (k portAnswer) {
	k.address = hostPort(x.target.host(), port)
	start := time.Now()
	nc, err := x.dialDCOM(ctx, "tcp", hostPort(x.target.Name, port))
	k.took, k.err = time.Since(start), err
	if err != nil {
		k.state = stateOf(err)
		return k
	}
	c := dcerpc.NewConn(nc, dcerpc.Options{OnlyNDR20: true})
	defer c.Close() //nolint:errcheck // nothing is under way
	_, k.err = c.Bind(ctx, id, nil)
	k.state = saidOf(ctx, k.err)
	return k
}

// saidOf is what came back for a bind.
func saidOf(ctx context.Context, err error) portState {
	var nak *dcerpc.BindError
	var rejected *dcerpc.RejectedError
	var fault *dcerpc.Fault
	var op *net.OpError
	switch {
	case err == nil, errors.As(err, &nak), errors.As(err, &rejected), errors.As(err, &fault):
		return portOpen
	case ctx.Err() != nil:
		return portMute
	case errors.Is(err, dcerpc.ErrNotRPC):
		return portOther
	case errors.As(err, &op), endedAtOnce(err):
		return portReset
	}
	return portOther // what it sent is no RPC
}

// text says it in words.
func (k portAnswer) text() string {
	switch k.state {
	case portOpen:
		if k.took < time.Millisecond {
			return k.address + " answers at once"
		}
		return fmt.Sprintf("%s answers after %s", k.address, took(k.took))
	case portRefused:
		return k.address + " refuses the connection: nothing listens there, or a firewall says so"
	case portSilent:
		return fmt.Sprintf("%s is silent for %s", k.address, took(k.took))
	case portUnreachable:
		return k.address + " is unreachable: a router or a firewall on the way says so"
	case portProhibited:
		return "this machine does not let a connection to " + k.address + " out"
	case portReset:
		return k.address + " takes the connection and cuts it off before a word: so does a firewall that speaks for the host"
	case portMute:
		return k.address + " takes the connection and says nothing"
	}
	return fmt.Sprintf("%s speaks something else than RPC: %v", k.address, k.err)
}

// took is a duration as a person reads it.
func took(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// shut is the result of a port that cannot be used.
func (k portAnswer) shut() found {
	return found{outcome: Fail, code: "0x800706BA", name: "RPC_S_SERVER_UNAVAILABLE", detail: k.text(), seen: errorSeen(k.err)}
}

func errorSeen(errs ...error) (seen []string) {
	for _, err := range errs {
		if err != nil {
			seen = append(seen, err.Error())
		}
	}
	return seen
}

// hresultOf is the code by which the field knows an error: that of the lowest
// layer that has one; 0 where none has.
func hresultOf(err error) uint32 {
	var hr *dcom.Error
	var fault *dcerpc.Fault
	var c *cim.Error
	switch {
	case errors.As(err, &hr):
		return hr.HRESULT
	case errors.As(err, &fault):
		return dcom.FromWin32(uint32(fault.Status))
	case errors.As(err, &c):
		return uint32(c.Status)
	case errors.Is(err, context.DeadlineExceeded):
		return dcom.RPC_E_TIMEOUT
	}
	return 0
}

// codeText is a code as reports have it, "" for 0.
func codeText(code uint32) string {
	if code == 0 {
		return ""
	}
	return fmt.Sprintf("0x%08X", code)
}

// names are those of codes that no table of the clients has.
var names = map[uint32]string{
	0x80070422: "ERROR_SERVICE_DISABLED", 0x8001011C: "RPC_E_REMOTE_DISABLED", 0x800706D9: "EPT_S_NOT_REGISTERED",
	0x8007052E: "ERROR_LOGON_FAILURE", 0x80070721: "RPC_S_SEC_PKG_ERROR",
}

// nameOfCode is the name of a code, "" where it has none.
func nameOfCode(code uint32) string {
	if n := names[code]; n != "" {
		return n
	}
	if n := cim.Status(code).Name(); n != "" {
		return n
	}
	if n := dcom.ResultName(code); n != codeText(code) {
		return n
	}
	return ""
}

// failure is the result of a call that failed.
func failure(err error, detail string) found {
	code := hresultOf(err)
	return found{outcome: Fail, code: codeText(code), name: nameOfCode(code), detail: detail, seen: errorSeen(err)}
}

// deniedByDCOM tells whether a code is access denied by DCOM or the sign-in.
func deniedByDCOM(code uint32) bool {
	return code == dcom.E_ACCESSDENIED || code == dcom.RPC_E_ACCESS_DENIED
}

// level is the protection that the examination is about.
func (o Options) level() wmi.AuthenticationLevel {
	if o.Authentication == wmi.AuthenticationDefault {
		return wmi.AuthenticationPktPrivacy
	}
	return o.Authentication
}

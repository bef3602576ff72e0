package wmiserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
)

// Callbacks says how the service calls sinks of its clients, which is the only thing that it ever dials. See [MS-WMI] 3.1.1.1.3.
type Callbacks struct {
	// Anonymous tells whether a sink may be called without any authentication, where it cannot be with: AllowAnonymousCallback is 1 and
	// UnsecAppAccessControlDefault is 0. It is asked for each operation. Default: never.
	Anonymous func() bool
	// Identity begins to authenticate as this machine, by Kerberos in SPNEGO, to the service spn on the host of a sink. Default: there
	// is none.
	Identity func(spn, host string) (auth.Initiator, error)
	// Known tells whether this machine has such an identity at the moment. Default: always.
	Known func() bool
	// Allowed are networks that sinks may be in besides the address that their caller came from. Default: none.
	Allowed []netip.Prefix
	// Dial dials. Default: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// manner is one way to call a sink: as this machine and sealed, or with nothing at all.
type manner struct {
	identity   bool
	protection cim.Protection
}

// manners are the ways in which a sink may be called, in the order in which they are tried. This is the one rule about what the service
// shows to whom it dials: its own identity by Kerberos, with packet privacy and nothing less; or nothing at all, where both values of the
// hive permit that. Never NTLM, and never what a caller or anybody else has left here: whoever passes a sink chooses who is dialled.
// Where a namespace demands encryption, least is packet privacy, and nothing at all is no way.
//
// The documents have a first attempt at packet privacy always (spec/wmi.md 1.7). Without an identity there is nothing that it could
// protect with, and it is left out.
func (b *Callbacks) manners(least cim.Protection) (list []manner) {
	if b.Identity != nil && (b.Known == nil || b.Known()) {
		list = append(list, manner{true, cim.ProtectionPktPrivacy})
	}
	if least <= cim.ProtectionNone && b.Anonymous != nil && b.Anonymous() {
		list = append(list, manner{false, cim.ProtectionNone})
	}
	return list
}

var errNoIdentity = errors.New("this machine has no Kerberos identity for the client, and anonymous callbacks are not permitted (AllowAnonymousCallback must be 1 and UnsecAppAccessControlDefault 0)")

// hosts are the machines that a sink may be at: the address that its caller came from, and those that the reference names and the options
// allow. Names are not looked up.
func (b *Callbacks) hosts(caller string, ref *dcom.ObjRef) []string {
	list := []string{caller}
	for _, s := range ref.Resolver.Strings {
		host, _, err := dcom.ParseStringBinding(s.Address)
		if err != nil || slices.Contains(list, host) {
			continue
		}
		address, err := netip.ParseAddr(host)
		if err == nil && slices.ContainsFunc(b.Allowed, func(p netip.Prefix) bool { return p.Contains(address.Unmap()) }) {
			list = append(list, host)
		}
	}
	return list
}

// keyOf reads the reference to a sink and says which it is.
func keyOf(owner string, ref *dcom.ObjRef) (sinkKey, error) {
	switch {
	case ref == nil:
		return sinkKey{}, refuse(cim.ErrInvalidParameter, "a sink must be given")
	case ref.Kind == dcom.ObjRefCustom || ref.IID != wmi.IIDObjectSink:
		return sinkKey{}, refuse(cim.ErrInvalidParameter, "the reference is to no sink")
	}
	return sinkKey{owner, ref.Std.OXID, ref.Std.OID}, nil
}

// sink is the sink of a caller, which is not called yet. An operation in a namespace that demands encryption does not begin unless the
// sink can be called so: access is denied. See spec/wmi.md 1.7.
func (s *Server) sink(ctx context.Context, c *call, connection *connection, ref *dcom.ObjRef) (sink, sinkKey, error) {
	key, err := keyOf(c.owner, ref)
	if err != nil {
		return nil, key, err
	}
	if err := admitted(ctx, connection.session, c.caller); err != nil {
		return nil, key, err
	}
	host, _, err := net.SplitHostPort(c.caller.Address)
	if err != nil {
		return nil, key, refuse(cim.ErrInvalidParameter, "the call came from nowhere that could be called")
	}
	least, open := cim.ProtectionNone, c.caller
	open.Protection = cim.ProtectionNone
	if err := admitted(ctx, connection.session, open); err != nil {
		least = cim.ProtectionPktPrivacy
	}
	manners := s.o.Callbacks.manners(least)
	if least > cim.ProtectionNone && len(manners) == 0 {
		s.log.Warn("the namespace requires an encrypted connection to the client's sink, which cannot be made", "event", eventAsyncDenied,
			"namespace", connection.namespace, "user", c.owner, "address", c.caller.Address)
		return nil, key, refuse(cim.ErrAccessDenied, "the namespace requires encryption, and the sink cannot be called so")
	}
	target := &clientSink{server: s, ref: ref, failed: &deadSink{stagePolicy, errNoIdentity}}
	for _, m := range manners {
		for _, h := range s.o.Callbacks.hosts(host, ref) {
			target.ways = append(target.ways, way{m, h})
		}
	}
	return target, key, nil
}

// The numbers of the events that tell of too little encryption.
const (
	eventDenied      = 5605
	eventAsyncDenied = 5606 // WBEM_MC_WBEM_REQUIRES_ENCRYPTION_ASYNC_DENIED, 0xC00015E6
)

package service

import (
	"errors"
	"net"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wsman/wsmanserver"
)

var errNoKeytab = errors.New("this machine has no keytab, and so no Kerberos: 'casement keytab add FILE' gives it one")

// kerberosReady tells whether this machine has the keys of a machine account.
func (p *people) kerberosReady() bool { return p.state.Keytab() != nil }

// kerberos is the service's side of the scheme Kerberos over HTTP, which has the
// mechanism alone; some clients put it into SPNEGO there, too.
func (p *people) kerberos(peer wsmanserver.Peer) auth.Acceptor {
	return spnego.NewAcceptor(p.kerberosMechanism(ntlm.AcceptorOptions{ChannelBindings: peer.Bindings, Hardening: p.hardening()}, false)...)
}

// kerberosMechanism is Kerberos where this machine has keys, and nothing else. What
// o says of channel bindings holds for it, too.
func (p *people) kerberosMechanism(o ntlm.AcceptorOptions, rpc bool) []spnego.AcceptorMechanism {
	keys := p.state.Keytab()
	if keys == nil {
		return nil
	}
	return []spnego.AcceptorMechanism{{OID: spnego.OIDKerberos, New: func() auth.Acceptor { return p.ticket(keys, o, rpc) }}}
}

// ticket judges one ticket, over HTTP or in the three legs of RPC.
func (p *people) ticket(keys *krb5.Keytab, o ntlm.AcceptorOptions, rpc bool) auth.Acceptor {
	options := krb5.AcceptorOptions{Keytab: keys, Replays: p.replays, Bindings: o.ChannelBindings, Hardening: o.Hardening, DCE: rpc, Now: p.now}
	if domains, err := p.store.Domains(); err == nil {
		options.MachineDomain = domains.Machine
	}
	return krb5.NewAcceptor(options)
}

// securityBindings are the ways to authenticate over RPC that clients are told. See
// [MS-DCOM] 2.2.19.4.
func (p *people) securityBindings() []dcom.SecurityBinding {
	list := []dcom.SecurityBinding{{AuthnSvc: uint16(dcerpc.AuthNTLM)}, {AuthnSvc: uint16(dcerpc.AuthSPNEGO)}}
	if keys := p.state.Keytab(); keys != nil {
		list = append(list, dcom.SecurityBinding{AuthnSvc: uint16(dcerpc.AuthKerberos), Principal: hostPrincipal(keys)})
	}
	return list
}

// hostPrincipal is the name of the host in a keytab, as a client asks for a ticket
// to it: the longest that there is, which has the domain.
func hostPrincipal(keys *krb5.Keytab) (name string) {
	for _, p := range keys.Principals() {
		p, _, _ = strings.Cut(p, "@")
		if class, _, ok := strings.Cut(p, "/"); ok && strings.EqualFold(class, "host") && len(p) > len(name) {
			name = p
		}
	}
	return name
}

// rpcKerberos is Kerberos alone over RPC.
func (p *people) rpcKerberos(net.Addr) (auth.Acceptor, error) {
	keys := p.state.Keytab()
	if keys == nil {
		return nil, errNoKeytab
	}
	return p.ticket(keys, ntlm.AcceptorOptions{}, true), nil
}

// hardening is how far the configuration demands channel bindings.
func (p *people) hardening() auth.Hardening {
	switch p.state.Snapshot().WinRM.Service.CbtHardeningLevel {
	case "None":
		return auth.None
	case "Relaxed":
		return auth.Relaxed
	}
	return auth.Strict
}

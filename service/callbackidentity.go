package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/dcerpc"
)

// machineAccount is this machine's identity in its domain, with which it calls the
// sinks of clients. See spec/wmi.md 1.7.
type machineAccount struct {
	state *State
	// names finds the names of a host by its address.
	names func(ctx context.Context, address string) ([]string, error)

	mu     sync.Mutex
	keys   *krb5.Keytab // that client was made of
	client *krb5.Client
}

// nameWait bounds the look-ups of the name of one host.
const nameWait = 5 * time.Second

func newMachineAccount(s *State) *machineAccount {
	return &machineAccount{state: s, names: confirmedNames}
}

// known tells whether there is such an identity now.
func (m *machineAccount) known() bool { return m.state.Keytab() != nil }

// initiator proves this machine to the host at an address by a ticket for that
// host's own name, and by nothing else: whoever passes a sink chooses who is called.
// A ticket is of no use to another host than the one that it names.
func (m *machineAccount) initiator(_, address string) (auth.Initiator, error) {
	client, err := m.tickets()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), nameWait)
	defer cancel()
	names, err := m.names(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("the name of %s, for which a ticket is needed, is not known: %w", address, err)
	}
	options := krb5.InitiatorOptions{Client: client, SPN: "host/" + names[0], DCE: true}
	return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDKerberos, New: func() auth.Initiator { return krb5.NewInitiator(options) }}), nil
}

// tickets is the client of the machine account, made again when its keys change.
func (m *machineAccount) tickets() (*krb5.Client, error) {
	keys := m.state.Keytab()
	if keys == nil {
		return nil, errNoKeytab
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client != nil && m.keys == keys {
		return m.client, nil
	}
	client, err := krb5.NewClient(krb5.ClientOptions{Keytab: keys})
	if err != nil {
		return nil, err
	}
	if m.client != nil {
		m.client.Close() //nolint:errcheck // says nothing
	}
	m.client, m.keys = client, keys
	return client, nil
}

// confirmedNames are the names of an address that lead back to it, as the name
// service has them.
func confirmedNames(ctx context.Context, address string) ([]string, error) {
	var r net.Resolver
	found, err := r.LookupAddr(ctx, address)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range found {
		name = strings.TrimSuffix(name, ".")
		if back, err := r.LookupHost(ctx, name); err == nil && slices.Contains(back, address) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no name of it leads back to it")
	}
	return names, nil
}

// SinkAcceptor proves to sinks of this machine who calls them: by Kerberos, where the
// state folder has a keytab. What calls are then refused or taken is the sinks' to
// say.
func SinkAcceptor(dir string) func(kind dcerpc.AuthType, peer net.Addr) (auth.Acceptor, error) {
	replays := krb5.NewReplays()
	return func(kind dcerpc.AuthType, _ net.Addr) (auth.Acceptor, error) {
		keys, err := krb5.LoadKeytab(filepath.Join(dir, keytabName))
		if err != nil {
			return nil, errNoKeytab
		}
		ticket := func() auth.Acceptor {
			return krb5.NewAcceptor(krb5.AcceptorOptions{Keytab: keys, Replays: replays, DCE: true})
		}
		switch kind {
		case dcerpc.AuthKerberos:
			return ticket(), nil
		case dcerpc.AuthSPNEGO:
			return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDKerberos, New: ticket}), nil
		}
		return nil, errNoKeytab
	}
}

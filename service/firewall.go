package service

import (
	"log/slog"
	"net"
	"net/netip"

	"github.com/casementhq/casement/firewall"
)

// newGate asks the firewall's rules in a state folder, as they are at each
// connection.
func newGate(state *State, log *slog.Logger) *firewall.Gate {
	return firewall.NewGate(firewall.GateOptions{Log: log, Snapshot: func() (firewall.Snapshot, error) { return state.Hive.Snapshot(), nil }})
}

// admit is gate 1 for a part of the service.
func (s *Service) admit(p firewall.Part) func(local, peer net.Addr) error {
	return func(local, peer net.Addr) error { return s.gate.Admit(p, local, peer) }
}

// DCOMShut reports whether WMI over DCOM listens for other machines and the
// firewall lets none of them in.
func (s *Service) DCOMShut() bool {
	s.dcom.mu.Lock()
	o := s.dcom.open
	s.dcom.mu.Unlock()
	f, err := s.gate.Filter()
	if o == nil || err != nil {
		return false
	}
	at := func(l net.Listener) netip.AddrPort {
		a, _ := netip.ParseAddrPort(l.Addr().String()) // of TCP
		return a
	}
	resolver, wmi := at(o.Resolver), at(o.dcomPorts.WMI)
	return !resolver.Addr().IsLoopback() && (!f.Open(firewall.EndpointMapper(), resolver.Port()) || !f.Open(firewall.WMI(), wmi.Port()))
}

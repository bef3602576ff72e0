package dcom

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// resolverPort is the well-known endpoint of object resolvers ([MS-DCOM] 1.9).
const resolverPort = 135

// maxAdvertised bounds the addresses of a machine that are told.
const maxAdvertised = 16

// Endpoint is a listener as its peers may reach it.
type Endpoint struct {
	// Addr is where it listens. An unspecified address stands for all addresses of the machine.
	Addr netip.AddrPort
	// HostName is told beside the addresses, unless it is empty.
	HostName string
	// Advertise replaces all that with hosts, or host[port] where a port is forwarded: for machines behind a translation of addresses.
	Advertise []string
}

// advertiser tells peers of an endpoint. What addresses the machine has is asked for anew after a while only: it costs more than a call.
type advertiser struct {
	Endpoint

	mu    sync.Mutex
	found []netip.Addr
	asked time.Time
}

// addressesLast is how long what was found is believed. The address that a peer came to is told at once.
const addressesLast = 10 * time.Second

// bindings lists where the endpoint is for a peer that came to local: that address first, then the name, then the other addresses. A peer
// from another machine is told no loopback address. The port is left out where it is implied.
func (e *advertiser) bindings(local, peer net.Addr, implied uint16) []StringBinding {
	port := e.Addr.Port()
	if port == implied {
		port = 0
	}
	var out []StringBinding
	add := func(host string, port uint16) {
		b := StringBinding{TowerTCP, FormatStringBinding(host, port)}
		if len(out) < maxAdvertised && !slices.Contains(out, b) {
			out = append(out, b)
		}
	}
	if len(e.Advertise) > 0 {
		for _, a := range e.Advertise {
			if host, p, err := ParseStringBinding(a); err == nil {
				if p == 0 {
					p = port
				}
				add(host, p)
			}
		}
		return out
	}
	remote := !addrOf(peer).IsLoopback()
	told := func(a netip.Addr) bool { return a.IsValid() && !a.IsUnspecified() && !(remote && a.IsLoopback()) }
	if a := addrOf(local); told(a) {
		add(a.WithZone("").String(), port)
	}
	if e.HostName != "" {
		add(e.HostName, port)
	}
	for _, a := range e.addresses() {
		if told(a) && !a.IsLinkLocalUnicast() {
			add(a.String(), port)
		}
	}
	return out
}

// addresses are those that the listener has.
func (e *advertiser) addresses() []netip.Addr {
	at := e.Addr.Addr().Unmap()
	if at.IsValid() && !at.IsUnspecified() {
		return []netip.Addr{at}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.asked) < addressesLast {
		return e.found
	}
	e.found, e.asked = nil, time.Now()
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil // what the peer came to is enough
	}
	for _, f := range list {
		if n, ok := f.(*net.IPNet); ok {
			if a, ok := netip.AddrFromSlice(n.IP); ok {
				e.found = append(e.found, a.Unmap())
			}
		}
	}
	return e.found
}

func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

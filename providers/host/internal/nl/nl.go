// Package nl reads the network interfaces, addresses and routes of this machine. It is the only importer of the
// netlink module.
package nl

import "net/netip"

// Link is one network interface.
type Link struct {
	Index     int
	Name      string // eth0
	Alias     string // what an administrator called it; may be empty
	MAC       string // "00:11:22:aa:bb:cc" in lower case; empty where there is none
	Kind      string // "device" for hardware and what the kernel says nothing about, else "bridge", "veth", "bond", ...
	Type      string // encapsulation: "ether", "loopback", ...
	MTU       int
	Up        bool   // administratively up
	Running   bool   // the carrier is there
	OperState string // "up", "down", "unknown", "lower-layer-down", ...
	Loopback  bool
}

// Address is one address of an interface.
type Address struct {
	LinkIndex int
	Prefix    netip.Prefix // address and length
}

// Gateway is one default route.
type Gateway struct {
	LinkIndex int
	Address   netip.Addr
	Metric    int
}

// Route is one route of IPv4 in the main table; one with several next hops is several of them.
type Route struct {
	LinkIndex   int // 0: none
	Destination netip.Prefix
	Gateway     netip.Addr // zero: the destination is on the link
	Metric      int
	Protocol    int // RTPROT_*: who made it
	Type        int // RTN_*: 1 unicast, 6 blackhole, 7 unreachable, 8 prohibit, ...
}

// ProcessEvent says that a process began to run a program, or that it ended.
type ProcessEvent struct {
	PID   int
	Ended bool
	Code  uint32 // how it ended, as wait(2) has it
}

// Network is a picture of the network at one moment.
type Network struct {
	Links     []Link
	Addresses []Address
	Gateways  []Gateway
}

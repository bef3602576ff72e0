package nl

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// tries is how often a dump that the kernel says was interrupted by a change is asked for again.
const tries = 5

func dump[T any](what string, f func() (T, error)) (T, error) {
	var out T
	var err error
	for range tries {
		out, err = f()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		err = nil // it changes all the time: what was read is as good as it gets
	}
	if err != nil {
		return out, fmt.Errorf("list %s over netlink: %w", what, err)
	}
	return out, nil
}

// Links lists the interfaces.
func Links() ([]Link, error) {
	all, err := dump("interfaces", netlink.LinkList)
	if err != nil {
		return nil, err
	}
	out := make([]Link, len(all))
	for i, l := range all {
		a := l.Attrs()
		out[i] = Link{
			Index: a.Index, Name: a.Name, Alias: a.Alias, MAC: a.HardwareAddr.String(), Kind: l.Type(), Type: a.EncapType,
			MTU: a.MTU, Up: a.Flags&net.FlagUp != 0, Running: a.Flags&net.FlagRunning != 0,
			OperState: a.OperState.String(), Loopback: a.Flags&net.FlagLoopback != 0,
		}
	}
	return out, nil
}

// Addresses lists the addresses of one interface, or of all for 0.
func Addresses(link int) ([]Address, error) {
	all, err := dump("addresses", func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, err
	}
	var out []Address
	for _, a := range all {
		ip, ok := netip.AddrFromSlice(a.IP)
		if !ok || a.IPNet == nil || link != 0 && a.LinkIndex != link {
			continue
		}
		ones, _ := a.Mask.Size()
		out = append(out, Address{LinkIndex: a.LinkIndex, Prefix: netip.PrefixFrom(ip.Unmap(), ones)})
	}
	return out, nil
}

// Gateways lists the default routes of the main table.
func Gateways() ([]Gateway, error) {
	var out []Gateway
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		all, err := dump("routes", func() ([]netlink.Route, error) { return netlink.RouteList(nil, family) })
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			if !isDefault(r.Dst) {
				continue
			}
			out = appendGateway(out, r.LinkIndex, r.Gw, r.Priority)
			for _, hop := range r.MultiPath {
				out = appendGateway(out, hop.LinkIndex, hop.Gw, r.Priority)
			}
		}
	}
	return out, nil
}

func isDefault(dst *net.IPNet) bool {
	if dst == nil {
		return true
	}
	ones, _ := dst.Mask.Size()
	return ones == 0
}

func appendGateway(out []Gateway, link int, gw net.IP, metric int) []Gateway {
	if ip, ok := netip.AddrFromSlice(gw); ok {
		out = append(out, Gateway{LinkIndex: link, Address: ip.Unmap(), Metric: metric})
	}
	return out
}

// Routes lists the routes of IPv4 in the main table, as ip-route(8) does.
func Routes() ([]Route, error) {
	all, err := dump("routes", func() ([]netlink.Route, error) { return netlink.RouteList(nil, netlink.FAMILY_V4) })
	if err != nil {
		return nil, err
	}
	var out []Route
	for _, r := range all {
		destination := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if r.Dst != nil {
			ip, ok := netip.AddrFromSlice(r.Dst.IP)
			if !ok {
				continue
			}
			ones, _ := r.Dst.Mask.Size()
			destination = netip.PrefixFrom(ip.Unmap(), ones)
		}
		route := Route{LinkIndex: r.LinkIndex, Destination: destination, Metric: r.Priority, Protocol: int(r.Protocol), Type: r.Type}
		if len(r.MultiPath) == 0 {
			out = append(out, route.by(r.LinkIndex, r.Gw))
		}
		for _, hop := range r.MultiPath {
			out = append(out, route.by(hop.LinkIndex, hop.Gw))
		}
	}
	return out, nil
}

// by is the route over one next hop.
func (r Route) by(link int, gw net.IP) Route {
	r.LinkIndex = link
	if ip, ok := netip.AddrFromSlice(gw); ok {
		r.Gateway = ip.Unmap()
	}
	return r
}

package host

import (
	"context"
	"net"
	"strconv"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/providers/host/internal/nl"
)

type routeRow struct{ nl.Route }

func (r *routeRow) destination() string { return r.Destination.Addr().String() }
func (r *routeRow) mask() string        { return net.IP(net.CIDRMask(r.Destination.Bits(), 32)).String() }

// nextHop is 0.0.0.0 where the destination is on the link.
func (r *routeRow) nextHop() string {
	if !r.Gateway.IsValid() {
		return "0.0.0.0"
	}
	return r.Gateway.String()
}

func routeText(name string, get func(*routeRow) string) column[routeRow] {
	return column[routeRow]{name: name, get: func(r *routeRow) cim.Value { return cim.Str(get(r)) }}
}

// unusedMetric is the documented value of a metric that is not used.
var unusedMetric = fixedValue[routeRow](cim.S32(-1))

var routeTable = &table[routeRow]{name: "Win32_IP4RouteTable", gather: gatherRoutes, columns: []column[routeRow]{
	routeText("Destination", (*routeRow).destination),
	routeText("Mask", (*routeRow).mask),
	routeText("NextHop", (*routeRow).nextHop),
	routeText("Name", (*routeRow).destination),
	routeText("Caption", (*routeRow).destination),
	routeText("Description", func(r *routeRow) string { return r.destination() + " - " + r.mask() + " - " + r.nextHop() }),
	{name: "InterfaceIndex", get: func(r *routeRow) cim.Value { return cim.S32(int32(r.LinkIndex)) }},
	{name: "Metric1", get: func(r *routeRow) cim.Value { return cim.S32(int32(r.Metric)) }},
	{name: "Metric2", get: unusedMetric},
	{name: "Metric3", get: unusedMetric},
	{name: "Metric4", get: unusedMetric},
	{name: "Metric5", get: unusedMetric},
	{name: "Protocol", get: func(r *routeRow) cim.Value { return cim.U32(routeProtocol(r.Protocol)) }},
	{name: "Type", get: func(r *routeRow) cim.Value { return cim.U32(routeType(r)) }},
}}

// routeProtocol is the number of RFC 1213, ipRouteProto, for one of rtnetlink(7).
func routeProtocol(p int) uint32 {
	switch p {
	case 2: // RTPROT_KERNEL
		return 2 // local
	case 3, 4, 9, 15, 16: // RTPROT_BOOT, _STATIC, _RA, _DHCP by two clients
		return 3 // netmgmt
	case 1: // RTPROT_REDIRECT
		return 4 // icmp
	case 189:
		return 8 // rip
	case 187:
		return 9 // is-is
	case 188:
		return 13 // ospf
	case 186:
		return 14 // bgp
	}
	return 1 // other
}

// routeType is the number of RFC 1213, ipRouteType.
func routeType(r *routeRow) uint32 {
	const unicast, blackhole, prohibit = 1, 6, 8
	switch {
	case r.Type >= blackhole && r.Type <= prohibit:
		return 2 // invalid
	case r.Type != unicast && r.Type != 0:
		return 1 // other
	case r.Gateway.IsValid():
		return 4 // indirect
	}
	return 3 // direct
}

func gatherRoutes(_ context.Context, p *Provider, _ uint32, q query, f func(*routeRow) error) error {
	if p.system.routes == nil {
		return nil
	}
	all, err := p.system.routes()
	if err != nil {
		return err
	}
	index, one := q.text("InterfaceIndex")
	for _, r := range all {
		if one && index != strconv.Itoa(r.LinkIndex) {
			continue
		}
		if err := f(&routeRow{r}); err != nil {
			return err
		}
	}
	return nil
}

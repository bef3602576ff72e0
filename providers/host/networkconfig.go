package host

import (
	"context"
	"net"
	"sort"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/providers/host/internal/nl"
)

const (
	netAddresses uint32 = 1 << iota
	netGateways
	netLease
	netResolver
)

type configRow struct {
	adapterRow
	addresses []nl.Address
	gateways  []nl.Gateway
	lease     lease
	resolver  resolver
}

type configColumn = column[configRow]

func configText(name string, need uint32, get func(*configRow) string) configColumn {
	return configColumn{name: name, need: need, get: func(r *configRow) cim.Value { return strOrNull(get(r)) }}
}

var configurationTable = &table[configRow]{name: "Win32_NetworkAdapterConfiguration", gather: gatherConfigurations, columns: []configColumn{
	{name: "Index", get: func(r *configRow) cim.Value { return cim.U32(uint32(r.Index)) }},
	{name: "InterfaceIndex", get: func(r *configRow) cim.Value { return cim.U32(uint32(r.Index)) }},
	configText("Caption", 0, func(r *configRow) string { return r.Name }),
	configText("Description", 0, func(r *configRow) string { return r.Name }),
	configText("SettingID", 0, func(r *configRow) string { return r.p.interfaceGUID(r.Name) }),
	configText("ServiceName", 0, func(r *configRow) string { return r.driver() }),
	configText("MACAddress", 0, func(r *configRow) string { return macAddress(&r.adapterRow) }),
	{name: "MTU", get: func(r *configRow) cim.Value { return cim.U32(uint32(r.MTU)) }},
	{name: "IPEnabled", need: netAddresses, get: func(r *configRow) cim.Value {
		return cim.Bool(r.Up && len(r.addresses) > 0)
	}},
	{name: "IPAddress", need: netAddresses, get: func(r *configRow) cim.Value {
		var out []string
		for _, a := range r.addresses {
			out = append(out, a.Prefix.Addr().String())
		}
		return strsOrNull(out)
	}},
	{name: "IPSubnet", need: netAddresses, get: func(r *configRow) cim.Value {
		var out []string
		for _, a := range r.addresses {
			out = append(out, subnet(a))
		}
		return strsOrNull(out)
	}},
	{name: "DefaultIPGateway", need: netGateways, get: func(r *configRow) cim.Value {
		var out []string
		for _, g := range r.gateways {
			out = append(out, g.Address.String())
		}
		return strsOrNull(out)
	}},
	{name: "GatewayCostMetric", need: netGateways, get: func(r *configRow) cim.Value {
		var out []cim.Value
		for _, g := range r.gateways {
			out = append(out, cim.U16(uint16(min(g.Metric, 0xFFFF))))
		}
		if out == nil {
			return cim.Value{}
		}
		return cim.Array(cim.Uint16, out)
	}},
	{name: "IPConnectionMetric", need: netGateways, get: func(r *configRow) cim.Value {
		if len(r.gateways) == 0 {
			return cim.Value{}
		}
		return cim.U32(uint32(r.gateways[0].Metric))
	}},
	{name: "DHCPEnabled", need: netLease | netAddresses, get: func(r *configRow) cim.Value {
		if !r.lease.known {
			return cim.Value{}
		}
		return cim.Bool(r.lease.present)
	}},
	configText("DHCPServer", netLease|netAddresses, func(r *configRow) string { return r.lease.server }),
	{name: "DHCPLeaseObtained", need: netLease | netAddresses, get: func(r *configRow) cim.Value { return timeOrNull(r.lease.obtained, r.p.location()) }},
	{name: "DHCPLeaseExpires", need: netLease | netAddresses, get: func(r *configRow) cim.Value { return timeOrNull(r.lease.expires, r.p.location()) }},
	configText("DNSHostName", 0, func(r *configRow) string { short, _, _ := strings.Cut(r.csName, "."); return short }),
	configText("DNSDomain", netResolver, func(r *configRow) string { return r.resolver.domain }),
	{name: "DNSDomainSuffixSearchOrder", need: netResolver, get: func(r *configRow) cim.Value { return strsOrNull(r.resolver.search) }},
	{name: "DNSServerSearchOrder", need: netResolver | netAddresses, get: func(r *configRow) cim.Value {
		if r.Loopback || len(r.addresses) == 0 {
			return cim.Value{}
		}
		return strsOrNull(r.resolver.servers)
	}},
	{name: "DatabasePath", get: fixedStr[configRow]("/etc")},
	{name: "DefaultTTL", get: func(r *configRow) cim.Value { return number(cim.Uint8, r.p.read("proc/sys/net/ipv4/ip_default_ttl")) }},
	{name: "PMTUDiscoveryEnabled", get: func(r *configRow) cim.Value { return r.p.zero("proc/sys/net/ipv4/ip_no_pmtu_disc", true) }},
	{name: "PMTUBHDetectEnabled", get: func(r *configRow) cim.Value { return r.p.zero("proc/sys/net/ipv4/tcp_mtu_probing", false) }},
	{name: "KeepAliveTime", get: func(r *configRow) cim.Value { return r.p.seconds("proc/sys/net/ipv4/tcp_keepalive_time") }},
	{name: "KeepAliveInterval", get: func(r *configRow) cim.Value { return r.p.seconds("proc/sys/net/ipv4/tcp_keepalive_intvl") }},
	{name: "TcpMaxConnectRetransmissions", get: func(r *configRow) cim.Value {
		return number(cim.Uint32, r.p.read("proc/sys/net/ipv4/tcp_syn_retries"))
	}},
	{name: "TcpMaxDataRetransmissions", get: func(r *configRow) cim.Value {
		return number(cim.Uint32, r.p.read("proc/sys/net/ipv4/tcp_retries2"))
	}},
}}

// seconds is a file of seconds in milliseconds.
func (p *Provider) seconds(path string) cim.Value {
	n, err := strconv.ParseUint(p.read(path), 10, 22)
	if err != nil {
		return cim.Value{}
	}
	return cim.U32(uint32(n * 1000))
}

// zero tells whether a file holds the number 0, or the opposite; NULL where it holds none.
func (p *Provider) zero(path string, yes bool) cim.Value {
	n, err := strconv.Atoi(p.read(path))
	if err != nil {
		return cim.Value{}
	}
	return cim.Bool((n == 0) == yes)
}

// subnet is a dotted mask for IPv4 and the length of the prefix for IPv6.
func subnet(a nl.Address) string {
	if a.Prefix.Addr().Is4() {
		return net.IP(net.CIDRMask(a.Prefix.Bits(), 32)).String()
	}
	return strconv.Itoa(a.Prefix.Bits())
}

// resolver is resolv.conf(5).
type resolver struct {
	servers, search []string
	domain          string
}

func (p *Provider) resolver() resolver {
	r := parseResolver(p.read("etc/resolv.conf"))
	if len(r.servers) == 1 && r.servers[0] == "127.0.0.53" {
		// the stub of systemd-resolved; the servers that it asks stand here
		if up := parseResolver(p.read("run/systemd/resolve/resolv.conf")); len(up.servers) > 0 {
			r.servers = up.servers
		}
	}
	return r
}

func parseResolver(text string) (r resolver) {
	for _, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "nameserver":
			r.servers = append(r.servers, f[1])
		case "domain":
			r.domain = f[1]
		case "search":
			r.search = f[1:]
		}
	}
	if r.domain == "" && len(r.search) > 0 && r.search[0] != "." {
		r.domain = r.search[0]
	}
	return r
}

func gatherConfigurations(_ context.Context, p *Provider, need uint32, q query, f func(*configRow) error) error {
	all, err := p.links()
	if err != nil {
		return err
	}
	var addresses []nl.Address
	if need&netAddresses != 0 {
		if addresses, err = p.system.addresses(0); err != nil {
			return err
		}
	}
	var gateways []nl.Gateway
	if need&netGateways != 0 {
		if gateways, err = p.system.gateways(); err != nil {
			return err
		}
		sort.SliceStable(gateways, func(i, j int) bool { return gateways[i].Metric < gateways[j].Metric })
	}
	var res resolver
	if need&netResolver != 0 {
		res = p.resolver()
	}
	name := p.hostName()
	for _, l := range all {
		if !matchesIndex(q, l.Index) {
			continue
		}
		r := &configRow{adapterRow: adapterRow{p: p, csName: name, Link: l}, resolver: res}
		r.pick(addresses, gateways)
		if need&netLease != 0 {
			r.lease = p.lease(l, r.addresses)
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// pick takes what belongs to the interface; IPv4 comes first, as on Windows.
func (r *configRow) pick(addresses []nl.Address, gateways []nl.Gateway) {
	for _, four := range []bool{true, false} {
		for _, a := range addresses {
			if a.LinkIndex == r.Index && a.Prefix.Addr().Is4() == four {
				r.addresses = append(r.addresses, a)
			}
		}
		for _, g := range gateways {
			if g.LinkIndex == r.Index && g.Address.Is4() == four {
				r.gateways = append(r.gateways, g)
			}
		}
	}
}

package host

import (
	"context"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// perfInterfaceRow is one network interface.
type perfInterfaceRow struct {
	stamp
	name     string
	counters // by the headings of /proc/net/dev, and "speed" in bit/s
}

func perfInterface(name string, parts ...string) column[perfInterfaceRow] {
	return column[perfInterfaceRow]{name: name, get: func(r *perfInterfaceRow) cim.Value { return r.value(cim.Uint64, 1, parts...) }}
}

var perfInterfaceTable = &table[perfInterfaceRow]{name: "Win32_PerfRawData_Tcpip_NetworkInterface", gather: gatherPerfInterfaces,
	columns: stamped(func(r *perfInterfaceRow) *stamp { return &r.stamp }, false, []column[perfInterfaceRow]{
		{name: "Name", get: func(r *perfInterfaceRow) cim.Value { return cim.Str(r.name) }},
		perfInterface("BytesReceivedPersec", "rx bytes"),
		perfInterface("BytesSentPersec", "tx bytes"),
		perfInterface("BytesTotalPersec", "rx bytes", "tx bytes"),
		perfInterface("CurrentBandwidth", "speed"),
		perfInterface("PacketsReceivedPersec", "rx packets"),
		perfInterface("PacketsSentPersec", "tx packets"),
		perfInterface("PacketsPersec", "rx packets", "tx packets"),
		perfInterface("PacketsReceivedDiscarded", "rx drop"),
		perfInterface("PacketsReceivedErrors", "rx errs"),
		perfInterface("PacketsOutboundDiscarded", "tx drop"),
		perfInterface("PacketsOutboundErrors", "tx errs"),
	})}

// netDevColumns are the headings of /proc/net/dev.
var netDevColumns = [...]string{
	"rx bytes", "rx packets", "rx errs", "rx drop", "rx fifo", "rx frame", "rx compressed", "rx multicast",
	"tx bytes", "tx packets", "tx errs", "tx drop", "tx fifo", "tx colls", "tx carrier", "tx compressed",
}

func gatherPerfInterfaces(_ context.Context, p *Provider, _ uint32, _ query, f func(*perfInterfaceRow) error) error {
	at := p.stampNow()
	var names uniqueNames
	for line := range strings.Lines(p.read("proc/net/dev")) {
		name, values, ok := strings.Cut(line, ":")
		fields := strings.Fields(values)
		if !ok || len(fields) < len(netDevColumns) {
			continue // a heading
		}
		name = strings.TrimSpace(name)
		r := &perfInterfaceRow{stamp: at, name: names.next(interfaceInstance(name)), counters: counters{}}
		for i, column := range netDevColumns {
			if n, err := strconv.ParseUint(fields[i], 10, 64); err == nil {
				r.counters[column] = n
			}
		}
		// The driver says -1 or nothing where it does not know.
		if mbit, err := strconv.ParseUint(p.read("sys/class/net/"+name+"/speed"), 10, 32); err == nil && mbit > 0 {
			r.counters["speed"] = mbit * 1_000_000
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// interfaceInstance is the instance name of an interface: characters that mean something in the path of a counter are
// replaced, as Windows does. See spec/wmi.md 8.2, row 26.
func interfaceInstance(name string) string {
	return strings.NewReplacer("(", "[", ")", "]", "#", "_", "/", "_", `\`, "_").Replace(name)
}

// uniqueNames gives the second object of a name the name "NAME#1", the third "NAME#2" and so on.
type uniqueNames struct {
	seen  map[string]int
	given map[string]bool
}

func (u *uniqueNames) next(name string) string {
	if u.seen == nil {
		u.seen, u.given = map[string]int{}, map[string]bool{}
	}
	folded := cim.Fold(name)
	unique := name
	for n := u.seen[folded]; ; n++ {
		if n > 0 {
			unique = name + "#" + strconv.Itoa(n)
		}
		if key := cim.Fold(unique); !u.given[key] {
			u.seen[folded], u.given[key] = n+1, true
			return unique
		}
	}
}

// perfTCPRow has the numbers of the line "Tcp:" of /proc/net/snmp. The kernel counts IPv4 and IPv6 together there.
type perfTCPRow struct {
	stamp
	counters
}

func perfTCP(name string, parts ...string) column[perfTCPRow] {
	return column[perfTCPRow]{name: name, get: func(r *perfTCPRow) cim.Value { return r.value(cim.Uint32, 1, parts...) }}
}

var perfTCPTable = &table[perfTCPRow]{name: "Win32_PerfRawData_Tcpip_TCPv4", gather: gatherPerfTCP,
	columns: stamped(func(r *perfTCPRow) *stamp { return &r.stamp }, false, []column[perfTCPRow]{
		perfTCP("ConnectionsEstablished", "CurrEstab"),
		perfTCP("ConnectionsActive", "ActiveOpens"),
		perfTCP("ConnectionsPassive", "PassiveOpens"),
		perfTCP("ConnectionFailures", "AttemptFails"),
		perfTCP("ConnectionsReset", "EstabResets"),
		perfTCP("SegmentsReceivedPersec", "InSegs"),
		perfTCP("SegmentsSentPersec", "OutSegs"),
		perfTCP("SegmentsRetransmittedPersec", "RetransSegs"),
		perfTCP("SegmentsPersec", "InSegs", "OutSegs"),
	})}

func gatherPerfTCP(_ context.Context, p *Provider, _ uint32, _ query, f func(*perfTCPRow) error) error {
	r := &perfTCPRow{stamp: p.stampNow()}
	var names []string
	for line := range strings.Lines(p.read("proc/net/snmp")) {
		rest, ok := strings.CutPrefix(line, "Tcp:")
		if !ok {
			continue
		}
		if names == nil {
			names = strings.Fields(rest)
			continue
		}
		r.counters = counters{}
		for i, v := range strings.Fields(rest) {
			if n, err := strconv.ParseUint(v, 10, 64); err == nil && i < len(names) {
				r.counters[names[i]] = n
			}
		}
	}
	return f(r)
}

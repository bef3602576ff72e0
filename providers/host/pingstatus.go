package host

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/casementhq/casement/cim"
)

// Values of StatusCode: those of IP_STATUS. See the documentation of Win32_PingStatus.
const (
	pingSuccess         = 0
	pingNetUnreachable  = 11002
	pingHostUnreachable = 11003
	pingProtUnreachable = 11004
	pingPortUnreachable = 11005
	pingNoResources     = 11006
	pingPacketTooBig    = 11009
	pingTimedOut        = 11010
	pingTTLExpired      = 11013
	pingTTLReassembly   = 11014
	pingParameter       = 11015
	pingGeneralFailure  = 11050
)

// hostNotFound is the PrimaryAddressResolutionStatus of a name without an address: WSAHOST_NOT_FOUND.
const hostNotFound = 11001

// Limits of an echo request: the most that fits into a packet, and the longest wait.
const (
	mostPingBytes   = 65500
	mostPingTimeout = time.Minute
)

// pingOptions say what is sent, and how long an answer is waited for.
type pingOptions struct {
	address    netip.Addr
	payload    []byte
	ttl, tos   int
	noFragment bool
	timeout    time.Duration
}

// pingReply is what came back. Without an answer there is a status other than pingSuccess only.
type pingReply struct {
	status  uint32
	time    time.Duration
	ttl     int // 0: unknown
	payload []byte
}

// pingRow is one request with its answer.
type pingRow struct {
	name    string
	names   bool // ResolveAddressNames
	options pingOptions
	reply   pingReply
	found   bool // the address
	reverse string
}

func (r *pingRow) answered() bool { return r.found && r.reply.status == pingSuccess }

type pingColumn = column[pingRow]

// ofAnswer is a property that only an answer gives.
func ofAnswer(name string, get func(*pingRow) cim.Value) pingColumn {
	return pingColumn{name: name, get: func(r *pingRow) cim.Value {
		if !r.answered() {
			return cim.Value{}
		}
		return get(r)
	}}
}

var pingTable = &table[pingRow]{name: "Win32_PingStatus", gather: gatherPing, columns: []pingColumn{
	{name: "Address", get: func(r *pingRow) cim.Value { return cim.Str(r.name) }},
	{name: "BufferSize", get: func(r *pingRow) cim.Value { return cim.U32(uint32(len(r.options.payload))) }},
	{name: "NoFragmentation", get: func(r *pingRow) cim.Value { return cim.Bool(r.options.noFragment) }},
	{name: "ResolveAddressNames", get: func(r *pingRow) cim.Value { return cim.Bool(r.names) }},
	{name: "Timeout", get: func(r *pingRow) cim.Value { return cim.U32(uint32(r.options.timeout.Milliseconds())) }},
	{name: "TimeToLive", get: func(r *pingRow) cim.Value { return cim.U32(uint32(r.options.ttl)) }},
	{name: "TypeofService", get: func(r *pingRow) cim.Value { return cim.U32(uint32(r.options.tos)) }},
	{name: "RecordRoute", get: fixedValue[pingRow](cim.U32(0))},
	{name: "TimeStampRoute", get: fixedValue[pingRow](cim.U32(0))},
	{name: "SourceRouteType", get: fixedValue[pingRow](cim.U32(0))},
	{name: "SourceRoute", get: fixedStr[pingRow]("")},
	{name: "PrimaryAddressResolutionStatus", get: func(r *pingRow) cim.Value {
		if !r.found {
			return cim.U32(hostNotFound)
		}
		return cim.U32(0)
	}},
	{name: "ProtocolAddress", get: func(r *pingRow) cim.Value {
		if !r.found {
			return cim.Str("")
		}
		return cim.Str(r.options.address.String())
	}},
	{name: "ProtocolAddressResolved", get: func(r *pingRow) cim.Value { return cim.Str(r.reverse) }},
	{name: "StatusCode", get: func(r *pingRow) cim.Value {
		if !r.found {
			return cim.Value{}
		}
		return cim.U32(r.reply.status)
	}},
	ofAnswer("ResponseTime", func(r *pingRow) cim.Value { return cim.U32(uint32(r.reply.time.Milliseconds())) }),
	ofAnswer("ReplySize", func(r *pingRow) cim.Value { return cim.U32(uint32(len(r.reply.payload))) }),
	ofAnswer("ReplyInconsistency", func(r *pingRow) cim.Value { return cim.Bool(!bytes.Equal(r.options.payload, r.reply.payload)) }),
	ofAnswer("ResponseTimeToLive", func(r *pingRow) cim.Value {
		if r.reply.ttl == 0 {
			return cim.Value{}
		}
		return cim.U32(uint32(r.reply.ttl))
	}),
}}

// notCapable refuses a query that would have to ask everybody, or asks for what the kernel does not give to programs.
func notCapable(why string) error {
	return &cim.Error{Status: cim.ErrProviderNotCapable, Path: "Win32_PingStatus", Detail: why}
}

// gatherPing sends one echo request to the address that the query fixes.
func gatherPing(ctx context.Context, p *Provider, _ uint32, q query, f func(*pingRow) error) error {
	r := &pingRow{}
	var ok bool
	if r.name, ok = q.text("Address"); !ok || r.name == "" {
		return notCapable("the query needs WHERE Address='...'")
	}
	for _, property := range []string{"RecordRoute", "TimeStampRoute", "SourceRouteType"} {
		if v, ok := q.fixed(property); ok && v.String() != "0" {
			return notCapable(property + " must be 0")
		}
	}
	if p.system.ping == nil {
		return notCapable("this machine's network is not at hand")
	}
	numbers := map[string]uint64{"BufferSize": 32, "Timeout": 1000, "TimeToLive": 80, "TypeofService": 0}
	most := map[string]uint64{"BufferSize": mostPingBytes, "Timeout": uint64(mostPingTimeout.Milliseconds()), "TimeToLive": 255, "TypeofService": 255}
	for property := range numbers {
		if v, ok := q.fixed(property); ok {
			n, ok := v.Uint()
			if !ok || n > most[property] || n == 0 && property == "TimeToLive" {
				return &cim.Error{Status: cim.ErrInvalidParameter, Path: "Win32_PingStatus", Detail: property + " is not within its limits"}
			}
			numbers[property] = n
		}
	}
	yes := func(property string) bool {
		v, _ := q.fixed(property)
		b, _ := v.Bool()
		return b
	}
	r.names = yes("ResolveAddressNames")
	r.options = pingOptions{
		payload: pingPayload(int(numbers["BufferSize"])), timeout: time.Duration(numbers["Timeout"]) * time.Millisecond,
		ttl: int(numbers["TimeToLive"]), tos: int(numbers["TypeofService"]), noFragment: yes("NoFragmentation"),
	}
	if r.options.address, r.found = resolve(ctx, r.name); r.found {
		var err error
		if r.reply, err = p.system.ping(ctx, r.options); err != nil {
			return err
		}
		if r.names {
			if names, err := net.DefaultResolver.LookupAddr(ctx, r.options.address.WithZone("").String()); err == nil && len(names) > 0 {
				r.reverse = names[0]
			}
		}
	}
	return f(r)
}

// pingPayload is the text that ping.exe sends: the letters a to w again and again.
func pingPayload(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = 'a' + byte(i%23)
	}
	return out
}

// resolve is the address of a name, the first of IPv4 where there is one.
func resolve(ctx context.Context, name string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(name); err == nil {
		return a.Unmap(), true
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil || len(all) == 0 {
		return netip.Addr{}, false
	}
	for _, a := range all {
		if a.Unmap().Is4() {
			return a.Unmap(), true
		}
	}
	return all[0], true
}

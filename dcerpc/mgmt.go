package dcerpc

import (
	"context"

	"github.com/casementhq/casement/internal/ndr"
)

// MgmtID is the management interface that every server has. See [C706] appendix Q.
var MgmtID = Syntax("afa8bd80-7d8a-11c9-bef4-08002b102989", 1, 0)

var mgmtInterface = &Interface{ID: MgmtID, Name: "mgmt", MinLevel: LevelNone, Serve: serveMgmt}

const maxPrincipal = 4096 // [MS-RPCE] 2.2.1.3.4

// serveMgmt answers the operations of the management interface. See [MS-RPCE] 2.2.1.3.
func serveMgmt(_ context.Context, call *Call) error {
	in, out := call.In, call.Out
	switch call.Opnum {
	case 0: // inq_if_ids
		ids := call.server.registered()
		writeIDs(out, append(ids, MgmtID))
		out.Uint32(0)
	case 1: // inq_stats: at most the four counters
		count := in.Uint32()
		if in.Err() != nil {
			return in.Err()
		}
		s := &call.server.stats
		all := []uint32{s.callsIn.Load(), s.callsOut.Load(), s.packetsIn.Load(), s.packetsOut.Load()}
		n := min(int(count), len(all))
		out.Uint32(uint32(n))
		out.Count(n)
		for _, v := range all[:n] {
			out.Uint32(v)
		}
		out.Uint32(0)
	case 2: // is_server_listening
		out.Uint32(0) // status
		out.Uint32(1)
	case 3: // stop_server_listening: refused
		out.Uint32(uint32(StatusAccessDenied))
	case 4: // inq_princ_name
		kind, size := in.Uint32(), in.Uint32()
		if in.Err() == nil && size > maxPrincipal {
			in.Fail("a name of %d octets", size)
		}
		if in.Err() != nil {
			return in.Err()
		}
		name := ""
		if f := call.server.opts.PrincipalName; f != nil && kind <= 0xff {
			name = f(AuthType(kind))
		}
		status := uint32(0)
		switch {
		case name == "":
			status = 0x6D3 // RPC_S_UNKNOWN_AUTHN_SERVICE
		case uint32(len(name))+1 > size:
			status, name = 0x7A, "" // ERROR_INSUFFICIENT_BUFFER
		}
		writeASCII(out, name, int(size))
		out.Uint32(status)
	default:
		return &Fault{Status: StatusOpRange}
	}
	return nil
}

// writeIDs writes a unique pointer to rpc_if_id_vector_t: a conformant array of unique pointers, and then what they point to.
func writeIDs(e *ndr.Encoder, ids []SyntaxID) {
	e.Pointer(true)
	e.Count(len(ids))
	e.Uint32(uint32(len(ids)))
	e.AlignWide(4, 8)
	for range ids {
		e.Pointer(true)
	}
	for _, id := range ids {
		e.GUID(id.UUID)
		e.Uint16(id.Major)
		e.Uint16(id.Minor)
	}
}

// writeASCII writes a conformant and varying string of octets in an array of size; one without room for its terminator is left out.
func writeASCII(e *ndr.Encoder, s string, size int) {
	e.Count(size)
	if size == 0 {
		e.Count(0)
		e.Count(0)
		return
	}
	e.Count(0)
	e.Count(len(s) + 1)
	e.Raw([]byte(s))
	e.Uint8(0)
}

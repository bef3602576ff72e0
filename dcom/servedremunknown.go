package dcom

import (
	"context"
	"time"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/ndr"
)

// serveRemUnknown is the object of the exporter itself ([MS-DCOM] 3.1.1.5.6 and 3.1.1.5.7).
func (x *Exporter) serveRemUnknown(_ context.Context, call *Call) (ndr.Marshaler, error) {
	switch {
	case call.Opnum == opRemQueryInterface:
		return readAnd(call, x.remQueryInterface)
	case call.Opnum == opRemAddRef:
		return readAnd(call, x.remAddRef)
	case call.Opnum == opRemRelease:
		return readAnd(call, x.remRelease)
	case call.Opnum == opRemQueryInterface2 && call.Interface.ID.UUID == IIDRemUnknown2:
		return readAnd(call, x.remQueryInterface2)
	}
	return nil, &dcerpc.Fault{Status: dcerpc.StatusOpRange}
}

// readAnd reads the arguments of a call and lets f answer it.
func readAnd[T any, P interface {
	*T
	ndr.Unmarshaler
}](call *Call, f func(*Call, P) ndr.Marshaler) (ndr.Marshaler, error) {
	in := P(new(T))
	in.UnmarshalNDR(call.In)
	if err := call.In.Err(); err != nil {
		return nil, err
	}
	return f(call, in), nil
}

func (x *Exporter) remQueryInterface(call *Call, in *RemQueryInterfaceRequest) ndr.Marshaler {
	if in.Refs > maxRefsAsked {
		return &RemQueryInterfaceResponse{Result: E_INVALIDARG}
	}
	out := &RemQueryInterfaceResponse{Results: make([]RemQIResult, len(in.IIDs))}
	x.mu.Lock()
	defer x.mu.Unlock()
	at := x.find(in.IPID, call.Principal)
	if at == nil {
		return &RemQueryInterfaceResponse{Result: RPC_E_INVALID_OBJECT}
	}
	at.of.alive = time.Now()
	missing := 0
	for i, iid := range in.IIDs {
		e := x.query(at.of, iid)
		if e == nil {
			out.Results[i].Result = E_NOINTERFACE
			missing++
			continue
		}
		e.public += uint64(in.Refs)
		out.Results[i].Std = x.std(e, in.Refs)
	}
	out.Result = queried(len(in.IIDs), missing)
	return out
}

func (x *Exporter) remQueryInterface2(call *Call, in *RemQueryInterface2Request) ndr.Marshaler {
	resolver := x.resolver.bindings(call.Local, call.Peer)
	out := &RemQueryInterface2Response{Results: make([]uint32, len(in.IIDs)), Objects: make([]*ObjRef, len(in.IIDs))}
	x.mu.Lock()
	defer x.mu.Unlock()
	at := x.find(in.IPID, call.Principal)
	if at == nil {
		for i := range out.Results {
			out.Results[i] = RPC_E_INVALID_OBJECT
		}
		out.Result = RPC_E_INVALID_OBJECT
		return out
	}
	at.of.alive = time.Now()
	missing := 0
	for i, iid := range in.IIDs {
		e := x.query(at.of, iid)
		if e == nil {
			out.Results[i] = E_NOINTERFACE
			missing++
			continue
		}
		e.public += defaultRefs
		out.Objects[i] = &ObjRef{Kind: ObjRefStandard, IID: iid, Std: x.std(e, defaultRefs), Resolver: resolver}
	}
	out.Result = queried(len(in.IIDs), missing)
	return out
}

// queried is the result of a query as a whole: S_FALSE if some interfaces are missing, E_NOINTERFACE if all are, as Windows answers.
func queried(asked, missing int) uint32 {
	switch {
	case missing == 0:
		return S_OK
	case missing < asked:
		return S_FALSE
	}
	return E_NOINTERFACE
}

func (x *Exporter) remAddRef(call *Call, in *InterfaceRefsRequest) ndr.Marshaler {
	out := &RemAddRefResponse{Results: make([]uint32, len(in.Refs))}
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, r := range in.Refs {
		e := x.find(r.IPID, call.Principal)
		switch {
		case e == nil:
			out.Results[i] = CO_E_OBJNOTREG
		case r.Public > maxRefsAsked || r.Private > maxRefsAsked:
			out.Results[i] = E_INVALIDARG
		case r.Private > 0 && call.Security.Identity().Anonymous:
			out.Results[i] = E_ACCESSDENIED // private references belong to an identity ([MS-DCOM] <48>)
		case r.Private > 0 && e.private[call.Principal] == 0 && len(e.private) >= maxPrivateOwners:
			out.Results[i] = E_OUTOFMEMORY
		default:
			e.public += uint64(r.Public)
			if r.Private > 0 {
				if e.private == nil {
					e.private = map[string]uint64{}
				}
				e.private[call.Principal] += uint64(r.Private)
			}
			e.of.alive = time.Now()
		}
	}
	return out
}

func (x *Exporter) remRelease(call *Call, in *InterfaceRefsRequest) ndr.Marshaler {
	var gone []Object
	x.mu.Lock()
	for _, r := range in.Refs {
		if e := x.find(r.IPID, call.Principal); e != nil {
			if o := x.release(e, call.Principal, uint64(r.Public), uint64(r.Private)); o != nil {
				gone = append(gone, o)
			}
		}
	}
	x.mu.Unlock()
	for _, o := range gone {
		o.Released()
	}
	return &ResultResponse{}
}

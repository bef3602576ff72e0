package dcom

import (
	"crypto/rand"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Context is a client, prototype or envoy context: properties of the place that a call comes from. See [MS-DCOM] 2.2.20.
type Context struct {
	ID         security.GUID
	Properties []ContextProperty
}

// ContextProperty is one of them. See [MS-DCOM] 2.2.20.1.
type ContextProperty struct {
	CLSID, Policy security.GUID
	Flags         uint32
	Data          []byte
}

const (
	contextByValue       = 2
	maxContextProperties = 1024
)

// newContext gives an empty context, which each activation carries.
func newContext() *Context { return &Context{ID: randomGUID()} }

// ObjRef wraps the context as it travels.
func (c *Context) ObjRef() *ObjRef {
	e := ndr.NewEncoder(nil, ndr.Format{})
	e.Uint16(1) // MajorVersion
	e.Uint16(1) // MinVersion
	e.GUID(c.ID)
	e.Uint32(contextByValue)
	e.Uint32(0) // Reserved
	e.Uint32(0) // dwNumExtents
	e.Uint32(0) // cbExtents
	e.Uint32(0) // MshlFlags
	e.Uint32(uint32(len(c.Properties)))
	e.Uint32(1) // Frozen
	for _, p := range c.Properties {
		e.Raw(p.CLSID[:])
		e.Raw(p.Policy[:])
		for _, v := range []uint32{p.Flags, uint32(len(p.Data))} {
			e.Raw([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)})
		}
		e.Raw(p.Data)
	}
	return &ObjRef{Kind: ObjRefCustom, IID: IIDContext, CLSID: CLSIDContextMarshaler, Data: e.Stub(), Reserved: uint32(e.Len())}
}

// ParseContext reads a context. What is wrong is RPC_E_INVALID_OBJREF, which also says that it has extents, as the specification wants.
func ParseContext(r *ObjRef) (*Context, error) {
	if r == nil || r.Kind != ObjRefCustom || r.CLSID != CLSIDContextMarshaler {
		return nil, &Error{HRESULT: RPC_E_INVALID_OBJREF, Detail: "the object is not a context"}
	}
	d := ndr.NewDecoder(r.Data, ndr.Format{})
	if major, minor := d.Uint16(), d.Uint16(); d.Err() == nil && (major != 1 || minor != 1) {
		d.Fail("version %d.%d of a context", major, minor)
	}
	c := &Context{ID: d.GUID()}
	d.Uint32() // Flags
	d.Uint32() // Reserved
	if extents, size := d.Uint32(), d.Uint32(); extents != 0 || size != 0 {
		d.Fail("a context with extents")
	}
	d.Uint32() // MshlFlags
	n := d.Uint32()
	d.Uint32() // Frozen
	if n > maxContextProperties {
		d.Fail("%d context properties", n)
	}
	for i := uint32(0); i < n && d.Err() == nil; i++ {
		head := d.Raw(40)
		if head == nil {
			break
		}
		p := ContextProperty{CLSID: security.GUID(head[:16]), Policy: security.GUID(head[16:32]), Flags: le32(head[32:])}
		p.Data = d.Raw(int(le32(head[36:])))
		c.Properties = append(c.Properties, p)
	}
	if d.Err() != nil {
		return nil, &Error{HRESULT: RPC_E_INVALID_OBJREF, Err: d.Err()}
	}
	return c, nil
}

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// ContextExtension is data of context properties along with a call, in the extension ExtentContext. See [MS-DCOM] 2.2.21.4.
type ContextExtension struct {
	ServerResult uint32
	Policies     []Policy
}

// Policy is the data of one context property.
type Policy struct {
	ID   security.GUID
	Data []byte
}

const (
	contextExtensionSignature = 0x414e554b
	entryHeaderSignature      = 0x494e414e
	contextExtensionHeader    = 32
	entryHeaderSize           = 32
	maxPolicies               = 64
)

// Append appends the data of the extension.
func (x *ContextExtension) Append(b []byte) []byte {
	e := ndr.NewEncoder(b, ndr.Format{})
	data := contextExtensionHeader + entryHeaderSize*len(x.Policies)
	total := data
	for _, p := range x.Policies {
		total += (len(p.Data) + 7) &^ 7
	}
	e.Uint32(contextExtensionSignature)
	e.Uint32(0x0001_0000) // Version
	e.Uint32(uint32(len(x.Policies)))
	e.Uint32(uint32(total)) // cbBuffer, without meaning
	e.Uint32(uint32(data))  // cbSize
	e.Uint32(0)             // hr
	e.Uint32(x.ServerResult)
	e.Uint32(0) // reserved
	for _, p := range x.Policies {
		e.Uint32(entryHeaderSignature)
		e.Uint32(uint32(len(p.Data)))
		e.Uint32(uint32(data))
		e.Uint32(0) // reserved
		e.GUID(p.ID)
		data += (len(p.Data) + 7) &^ 7
	}
	for _, p := range x.Policies {
		e.Raw(p.Data)
		e.Align(8)
	}
	return e.Buffer()
}

// ParseContextExtension reads the data of the extension. What is wrong is RPC_E_INVALID_EXTENSION.
func ParseContextExtension(b []byte) (*ContextExtension, error) {
	d := ndr.NewDecoder(b, ndr.Format{})
	if s, v := d.Uint32(), d.Uint32(); d.Err() == nil && (s != contextExtensionSignature || v != 0x0001_0000) {
		d.Fail("a context extension with the signature %#x, version %#x", s, v)
	}
	n := d.Uint32()
	d.Uint32() // cbBuffer
	d.Uint32() // cbSize
	d.Uint32() // hr
	x := &ContextExtension{ServerResult: d.Uint32()}
	d.Uint32() // reserved
	if n > maxPolicies {
		d.Fail("%d policies", n)
	}
	for i := uint32(0); i < n && d.Err() == nil; i++ {
		signature, size, offset := d.Uint32(), d.Uint32(), d.Uint32()
		d.Uint32() // reserved
		p := Policy{ID: d.GUID()}
		switch {
		case d.Err() != nil:
		case signature != entryHeaderSignature:
			d.Fail("the signature %#x of an entry", signature)
		case size == 0 || uint64(offset)+uint64(size) > uint64(len(b)):
			d.Fail("%d octets of policy data at %d of %d", size, offset, len(b))
		default:
			p.Data = b[offset : offset+size : offset+size]
			x.Policies = append(x.Policies, p)
		}
	}
	if d.Err() != nil {
		return nil, &Error{HRESULT: RPC_E_INVALID_EXTENSION, Err: d.Err()}
	}
	return x, nil
}

// randomGUID gives a GUID of version 4.
func randomGUID() security.GUID {
	var g security.GUID
	_, _ = rand.Read(g[:]) // it does not fail: crypto/rand ends the program instead
	g[7] = g[7]&0x0f | 0x40
	g[8] = g[8]&0x3f | 0x80
	return g
}

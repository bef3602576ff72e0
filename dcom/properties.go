package dcom

import (
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Bits of InstantiationInfo.Flags ([MS-DCOM] 2.2.22.2.1).
const (
	ActivateDisableAAA   uint32 = 0x02
	Activate32BitServer  uint32 = 0x04
	Activate64BitServer  uint32 = 0x08
	ActivateNoFailureLog uint32 = 0x20
)

// InstantiationInfo is which class, and which interfaces of the new object. See [MS-DCOM] 2.2.22.2.1.
type InstantiationInfo struct {
	CLSID security.GUID
	// ClassContext is CLSCTX of the client, without meaning here: 0x14 on Windows.
	ClassContext uint32
	Flags        uint32
	IIDs         []security.GUID
	Version      ComVersion
}

func (*InstantiationInfo) class() security.GUID { return clsidInstantiation }

// MarshalNDR writes an InstantiationInfoData.
func (p *InstantiationInfo) MarshalNDR(e *ndr.Encoder) {
	e.GUID(p.CLSID)
	e.Uint32(p.ClassContext)
	e.Uint32(p.Flags)
	e.Uint32(0) // fIsSurrogate
	e.Uint32(uint32(len(p.IIDs)))
	e.Uint32(0) // instFlag
	e.Pointer(true)
	fixed := 16 + 8*4 + 4 // to the end of the structure, and the size of the array after it
	e.Uint32(uint32(serializedHeader + (fixed+16*len(p.IIDs)+7)&^7))
	p.Version.marshal(e)
	marshalGUIDs(e, p.IIDs)
}

// UnmarshalNDR reads an InstantiationInfoData.
func (p *InstantiationInfo) UnmarshalNDR(d *ndr.Decoder) {
	p.CLSID = d.GUID()
	p.ClassContext, p.Flags = d.Uint32(), d.Uint32()
	d.Uint32() // fIsSurrogate
	n := d.Uint32()
	d.Uint32() // instFlag
	present := d.Pointer()
	d.Uint32() // thisSize
	p.Version.unmarshal(d)
	if d.Err() == nil && (!present || n == 0 || n > maxInterfaces) {
		d.Fail("an activation of %d interfaces", n)
		return
	}
	p.IIDs = unmarshalGUIDs(d, int(n))
}

func marshalGUIDs(e *ndr.Encoder, ids []security.GUID) {
	e.Count(len(ids))
	for _, id := range ids {
		e.GUID(id)
	}
}

func unmarshalGUIDs(d *ndr.Decoder, n int) []security.GUID {
	ids := make([]security.GUID, exactCount(d, n, 16))
	for i := range ids {
		ids[i] = d.GUID()
	}
	return ids
}

// Bits of SpecialProperties.Flags ([MS-DCOM] 2.2.22.2.2 and section 6).
const (
	SpecialUseConsoleSession uint32 = 1
	SpecialUseDefaultLevel   uint32 = 2
)

// AnySession as SpecialProperties.Session accepts any logon session.
const AnySession uint32 = 0xffffffff

// SpecialProperties are parameters that a service without logon sessions ignores. See [MS-DCOM] 2.2.22.2.2; both definitions are read.
type SpecialProperties struct {
	Session              uint32
	RemoteThisSession    uint32
	ClientImpersonating  uint32
	PartitionPresent     uint32
	DefaultAuthnLevel    uint32
	Partition            security.GUID
	OriginalClassContext uint32
	Flags                uint32
}

func (*SpecialProperties) class() security.GUID { return clsidSpecialProperties }

// MarshalNDR writes a SpecialPropertiesData.
func (p *SpecialProperties) MarshalNDR(e *ndr.Encoder) {
	e.Uint32(p.Session)
	e.Uint32(p.RemoteThisSession)
	e.Uint32(p.ClientImpersonating)
	e.Uint32(p.PartitionPresent)
	e.Uint32(p.DefaultAuthnLevel)
	e.GUID(p.Partition)
	e.Uint32(0) // dwPRTFlags
	e.Uint32(p.OriginalClassContext)
	e.Uint32(p.Flags)
	e.Uint32(0) // Reserved1
	e.Uint64(0) // Reserved2
	for range 5 {
		e.Uint32(0) // Reserved3
	}
}

// UnmarshalNDR reads a SpecialPropertiesData, or what both definitions have in common.
func (p *SpecialProperties) UnmarshalNDR(d *ndr.Decoder) {
	p.Session, p.RemoteThisSession = d.Uint32(), d.Uint32()
	p.ClientImpersonating, p.PartitionPresent = d.Uint32(), d.Uint32()
	p.DefaultAuthnLevel = d.Uint32()
	p.Partition = d.GUID()
	d.Uint32() // dwPRTFlags
	p.OriginalClassContext, p.Flags = d.Uint32(), d.Uint32()
}

// InstanceInfo is what a persistent activation loads its object from. See [MS-DCOM] 2.2.22.2.3.
type InstanceInfo struct {
	File    *string
	Mode    uint32
	ROT     *ObjRef
	Storage *ObjRef
}

func (*InstanceInfo) class() security.GUID { return clsidInstance }

// MarshalNDR writes an InstanceInfoData.
func (p *InstanceInfo) MarshalNDR(e *ndr.Encoder) {
	e.Pointer(p.File != nil)
	e.Uint32(p.Mode)
	e.Pointer(p.ROT != nil)
	e.Pointer(p.Storage != nil)
	if p.File != nil {
		e.ConformantWideString(*p.File)
	}
	for _, r := range []*ObjRef{p.ROT, p.Storage} {
		if r != nil {
			r.MarshalNDR(e)
		}
	}
}

// UnmarshalNDR reads an InstanceInfoData.
func (p *InstanceInfo) UnmarshalNDR(d *ndr.Decoder) {
	file := d.Pointer()
	p.Mode = d.Uint32()
	rot, storage := d.Pointer(), d.Pointer()
	p.File = unmarshalName(d, file)
	p.ROT, p.Storage = unmarshalObjRef(d, rot), unmarshalObjRef(d, storage)
}

func unmarshalName(d *ndr.Decoder, present bool) *string {
	if !present {
		return nil
	}
	s := d.ConformantWideString(maxName)
	return &s
}

func marshalName(e *ndr.Encoder, s *string) {
	if s != nil {
		e.ConformantWideString(*s)
	}
}

func unmarshalObjRef(d *ndr.Decoder, present bool) *ObjRef {
	if !present {
		return nil
	}
	r := new(ObjRef)
	if r.UnmarshalNDR(d); r.Kind == 0 {
		return nil
	}
	return r
}

// ScmRequestInfo is which protocol sequences the client speaks. See [MS-DCOM] 2.2.22.2.4.
type ScmRequestInfo struct {
	ImpersonationLevel uint32
	Protseqs           []uint16
}

func (*ScmRequestInfo) class() security.GUID { return clsidScmRequest }

// MarshalNDR writes a ScmRequestInfoData.
func (p *ScmRequestInfo) MarshalNDR(e *ndr.Encoder) {
	e.Pointer(false) // pdwReserved
	e.Pointer(true)
	e.Uint32(p.ImpersonationLevel)
	e.Uint16(uint16(len(p.Protseqs)))
	e.Pointer(true)
	marshalProtseqs(e, p.Protseqs)
}

// UnmarshalNDR reads a ScmRequestInfoData.
func (p *ScmRequestInfo) UnmarshalNDR(d *ndr.Decoder) {
	reserved, remote := d.Pointer(), d.Pointer()
	if reserved {
		d.Uint32()
	}
	if !remote {
		d.Fail("an activation without a request")
		return
	}
	p.ImpersonationLevel = d.Uint32()
	n := d.Uint16()
	if d.Pointer() {
		p.Protseqs = unmarshalProtseqs(d, n)
	}
}

func marshalProtseqs(e *ndr.Encoder, seqs []uint16) {
	e.Count(len(seqs))
	for _, s := range seqs {
		e.Uint16(s)
	}
}

func unmarshalProtseqs(d *ndr.Decoder, n uint16) []uint16 {
	if n > maxProtseqs {
		d.Fail("%d protocol sequences", n)
		return nil
	}
	seqs := make([]uint16, exactCount(d, int(n), 2))
	for i := range seqs {
		seqs[i] = d.Uint16()
	}
	return seqs
}

// ActivationContextInfo is the context of the client, and one for the new object. See [MS-DCOM] 2.2.22.2.5.
type ActivationContextInfo struct {
	Client    *ObjRef
	Prototype *ObjRef
}

func (*ActivationContextInfo) class() security.GUID { return clsidActivationContext }

// MarshalNDR writes an ActivationContextInfoData.
func (p *ActivationContextInfo) MarshalNDR(e *ndr.Encoder) {
	for range 4 {
		e.Uint32(0) // clientOK, bReserved1, dwReserved1, dwReserved2
	}
	e.Pointer(p.Client != nil)
	e.Pointer(p.Prototype != nil)
	for _, r := range []*ObjRef{p.Client, p.Prototype} {
		if r != nil {
			r.MarshalNDR(e)
		}
	}
}

// UnmarshalNDR reads an ActivationContextInfoData.
func (p *ActivationContextInfo) UnmarshalNDR(d *ndr.Decoder) {
	for range 4 {
		d.Uint32()
	}
	client, prototype := d.Pointer(), d.Pointer()
	p.Client, p.Prototype = unmarshalObjRef(d, client), unmarshalObjRef(d, prototype)
}

// ServerLocationInfo has to be present and is ignored. See [MS-DCOM] 2.2.22.2.6.
type ServerLocationInfo struct {
	Machine                     *string
	Process, Apartment, Context uint32
}

func (*ServerLocationInfo) class() security.GUID { return clsidServerLocation }

// MarshalNDR writes a LocationInfoData.
func (p *ServerLocationInfo) MarshalNDR(e *ndr.Encoder) {
	e.Pointer(p.Machine != nil)
	e.Uint32(p.Process)
	e.Uint32(p.Apartment)
	e.Uint32(p.Context)
	marshalName(e, p.Machine)
}

// UnmarshalNDR reads a LocationInfoData.
func (p *ServerLocationInfo) UnmarshalNDR(d *ndr.Decoder) {
	machine := d.Pointer()
	p.Process, p.Apartment, p.Context = d.Uint32(), d.Uint32(), d.Uint32()
	p.Machine = unmarshalName(d, machine)
}

// SecurityInfo is sent by Windows and ignored. See [MS-DCOM] 2.2.22.2.7.
type SecurityInfo struct {
	// Server is NULL, or a COSERVERINFO with the name that the client was given.
	Server *COServerInfo
}

// COServerInfo is [MS-DCOM] 2.2.22.2.7.1.
type COServerInfo struct{ Name *string }

func (*SecurityInfo) class() security.GUID { return clsidSecurityInfo }

// MarshalNDR writes a SecurityInfoData.
func (p *SecurityInfo) MarshalNDR(e *ndr.Encoder) {
	e.Uint32(0) // dwAuthnFlags
	e.Pointer(p.Server != nil)
	e.Pointer(false) // pdwReserved
	if p.Server == nil {
		return
	}
	e.Uint32(0) // dwReserved1
	e.Pointer(p.Server.Name != nil)
	e.Pointer(false) // pdwReserved
	e.Uint32(0)      // dwReserved2
	marshalName(e, p.Server.Name)
}

// UnmarshalNDR reads a SecurityInfoData.
func (p *SecurityInfo) UnmarshalNDR(d *ndr.Decoder) {
	d.Uint32() // dwAuthnFlags
	server, reserved := d.Pointer(), d.Pointer()
	if server {
		p.Server = new(COServerInfo)
		d.Uint32() // dwReserved1
		name, inner := d.Pointer(), d.Pointer()
		d.Uint32() // dwReserved2
		p.Server.Name = unmarshalName(d, name)
		if inner {
			d.Uint32()
		}
	}
	if reserved {
		d.Uint32()
	}
}

// ExporterInfo is how an exporter is reached and called: what an activation and the resolution of an OXID answer.
type ExporterInfo struct {
	OXID       uint64
	Bindings   DualStringArray
	RemUnknown security.GUID
	// AuthnHint is the lowest authentication level that the exporter takes.
	AuthnHint uint32
	Version   ComVersion
}

// ScmReplyInfo tells of the exporter that the new object lives in. See [MS-DCOM] 2.2.22.2.8.
type ScmReplyInfo struct{ Exporter ExporterInfo }

func (*ScmReplyInfo) class() security.GUID { return clsidScmReply }

// MarshalNDR writes a ScmReplyInfoData.
func (p *ScmReplyInfo) MarshalNDR(e *ndr.Encoder) {
	e.Pointer(false) // pdwReserved
	e.Pointer(true)
	e.Uint64(p.Exporter.OXID)
	e.Pointer(true)
	e.GUID(p.Exporter.RemUnknown)
	e.Uint32(p.Exporter.AuthnHint)
	p.Exporter.Version.marshal(e)
	p.Exporter.Bindings.MarshalNDR(e)
}

// UnmarshalNDR reads a ScmReplyInfoData.
func (p *ScmReplyInfo) UnmarshalNDR(d *ndr.Decoder) {
	reserved, remote := d.Pointer(), d.Pointer()
	if reserved {
		d.Uint32()
	}
	if !remote {
		d.Fail("an activation without a reply")
		return
	}
	p.Exporter.OXID = d.Uint64()
	bindings := d.Pointer()
	p.Exporter.RemUnknown = d.GUID()
	p.Exporter.AuthnHint = d.Uint32()
	p.Exporter.Version.unmarshal(d)
	if bindings {
		p.Exporter.Bindings.UnmarshalNDR(d)
	}
}

// PropsOut is the interfaces of the new object. See [MS-DCOM] 2.2.22.2.9.
type PropsOut struct{ Interfaces []InterfaceResult }

// InterfaceResult is an interface that was asked for.
type InterfaceResult struct {
	IID    security.GUID
	Result uint32
	// Object is nil where Result is an error.
	Object *ObjRef
}

func (*PropsOut) class() security.GUID { return CLSIDActivationPropsOut }

// MarshalNDR writes a PropsOutInfo.
func (p *PropsOut) MarshalNDR(e *ndr.Encoder) {
	n := len(p.Interfaces)
	e.Uint32(uint32(n))
	e.Pointer(true)
	e.Pointer(true)
	e.Pointer(true)
	e.Count(n)
	for _, r := range p.Interfaces {
		e.GUID(r.IID)
	}
	e.Count(n)
	for _, r := range p.Interfaces {
		e.Uint32(r.Result)
	}
	refs := make([]*ObjRef, n)
	for i, r := range p.Interfaces {
		refs[i] = r.Object
	}
	marshalObjRefs(e, refs)
}

// UnmarshalNDR reads a PropsOutInfo.
func (p *PropsOut) UnmarshalNDR(d *ndr.Decoder) {
	n := d.Uint32()
	ids, results, data := d.Pointer(), d.Pointer(), d.Pointer()
	if d.Err() == nil && (n == 0 || n > maxInterfaces || !ids || !results || !data) {
		d.Fail("an activation that answers %d interfaces", n)
		return
	}
	p.Interfaces = make([]InterfaceResult, exactCount(d, int(n), 16))
	for i := range p.Interfaces {
		p.Interfaces[i].IID = d.GUID()
	}
	exactCount(d, int(n), 4)
	for i := range p.Interfaces {
		p.Interfaces[i].Result = d.Uint32()
	}
	refs := unmarshalObjRefs(d)
	if d.Err() == nil && len(refs) != len(p.Interfaces) {
		d.Fail("%d objects for %d interfaces", len(refs), len(p.Interfaces))
		return
	}
	for i := range p.Interfaces {
		if d.Err() == nil {
			p.Interfaces[i].Object = refs[i]
		}
	}
}

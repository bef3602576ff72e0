package dcom

import (
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// ErrorInfo is the standard form of what is said about an error beyond its code. See [MS-DCOM] 2.2.21.2.
type ErrorInfo struct {
	HelpContext uint32
	// IID is the interface that failed.
	IID security.GUID
	// Source, Description and HelpFile are nil where there is none.
	Source, Description, HelpFile *string
}

const presentSignature = 0xffffffff

// ObjRef wraps the information as it travels in the extension ExtentErrorInfo: an object by value.
func (i *ErrorInfo) ObjRef() *ObjRef {
	e := ndr.NewEncoder(nil, ndr.Format{})
	e.Uint32(0) // dwVersion
	e.Uint32(i.HelpContext)
	e.GUID(i.IID)
	for _, s := range []*string{i.Source, i.Description, i.HelpFile} {
		if s == nil {
			e.Uint32(0)
			continue
		}
		e.Uint32(presentSignature)
		e.ConformantWideString(*s)
	}
	return &ObjRef{Kind: ObjRefCustom, IID: IIDErrorInfo, CLSID: CLSIDErrorObject, Data: e.Stub(), Reserved: uint32(e.Len())}
}

// ParseErrorInfo reads the data of the extension ExtentErrorInfo. It fails with RPC_E_INVALID_EXTENSION if that is not the standard form.
func ParseErrorInfo(b []byte) (*ErrorInfo, error) {
	r, err := ParseObjRef(b)
	if err != nil {
		return nil, err
	}
	if r.Kind != ObjRefCustom || r.CLSID != CLSIDErrorObject {
		return nil, &Error{HRESULT: RPC_E_INVALID_EXTENSION, Detail: "the information about an error is an object of another class"}
	}
	d := ndr.NewDecoder(r.Data, ndr.Format{})
	if v := d.Uint32(); d.Err() == nil && v != 0 {
		d.Fail("version %d of the information about an error", v)
	}
	i := &ErrorInfo{HelpContext: d.Uint32(), IID: d.GUID()}
	for _, s := range []**string{&i.Source, &i.Description, &i.HelpFile} {
		switch signature := d.Uint32(); signature {
		case 0:
		case presentSignature:
			*s = unmarshalName(d, true)
		default:
			d.Fail("the signature %#x of a string", signature)
		}
	}
	if d.Err() != nil {
		return nil, &Error{HRESULT: RPC_E_INVALID_EXTENSION, Err: d.Err()}
	}
	return i, nil
}

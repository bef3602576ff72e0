package iwbem

import (
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// RefresherVersion is what both ends say as their version: WBEM_REFRESHER_VERSION.
const RefresherVersion uint32 = 2

// RefresherID says whose refresher it is. See [MS-WMI] 2.2.21.
type RefresherID struct {
	Machine String // NetBIOS name of the client
	Process uint32
	GUID    security.GUID
}

func (s stub) refresherID(v *RefresherID) {
	s.alignWide()
	present := !v.Machine.Null
	s.pointer(&present)
	s.uint32(&v.Process)
	s.guid(&v.GUID)
	s.alignEnd()
	if v.Machine.Null = !present; present {
		s.narrowText(&v.Machine.Text)
	}
}

// RefreshType says what a RefreshInfo holds: WBEM_REFRESH_TYPE, [MS-WMI] 2.2.25.
type RefreshType uint32

// The types.
const (
	RefreshInvalid   RefreshType = 0 // Status
	RefreshRemote    RefreshType = 3 // Refresher, Template, GUID
	RefreshNonHiPerf RefreshType = 6 // Namespace, Template
)

// RefreshInfo says how something is refreshed. See [MS-WMI] 2.2.20.
type RefreshInfo struct {
	Type      RefreshType
	Refresher *dcom.ObjRef
	Template  ClassObject
	GUID      security.GUID
	Namespace String
	Status    uint32
	CancelID  uint32
}

func (s stub) refreshInfo(v *RefreshInfo) {
	s.alignWide()
	s.uint32((*uint32)(&v.Type))
	s.alignWide() // a union has the alignment of its largest arm; its tag comes again
	tag := uint32(v.Type)
	s.uint32(&tag)
	if s.d != nil && tag != uint32(v.Type) {
		s.d.Fail("a union of type %d where %d is said", tag, v.Type)
		return
	}
	s.alignWide()
	refresher, template, namespace := v.Refresher != nil, v.Template != nil, !v.Namespace.Null
	switch v.Type {
	case RefreshRemote:
		s.pointer(&refresher)
		s.pointer(&template)
		s.guid(&v.GUID)
	case RefreshNonHiPerf:
		s.pointer(&namespace)
		s.pointer(&template)
	case RefreshInvalid:
		s.uint32(&v.Status)
	default:
		if s.d != nil {
			s.d.Fail("a union of type %d", v.Type)
			return
		}
	}
	s.uint32(&v.CancelID)
	s.alignEnd()
	switch v.Type {
	case RefreshRemote:
		if refresher {
			s.refBody(&v.Refresher)
		}
	case RefreshNonHiPerf:
		if v.Namespace.Null = !namespace; namespace {
			s.text(&v.Namespace.Text)
		}
	}
	if template && v.Type != RefreshInvalid {
		s.objectBody(&v.Template)
	}
}

// AddToRefresherRequest are the arguments of IWbemRefreshingServices::AddObjectToRefresher and AddEnumToRefresher. See [MS-WMI] 3.1.4.12.1 and 3.1.4.12.3.
type AddToRefresherRequest struct {
	Refresher RefresherID
	Path      string // or the name of the class
	Flags     uint32
	Context   Context
	Version   uint32
}

// MarshalNDR writes the request.
func (r *AddToRefresherRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *AddToRefresherRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *AddToRefresherRequest) code(s stub) {
	s.refresherID(&r.Refresher)
	s.text(&r.Path)
	s.uint32(&r.Flags)
	s.context(&r.Context)
	s.uint32(&r.Version)
}

// AddObjectToRefresherByTemplateRequest are the arguments of IWbemRefreshingServices::AddObjectToRefresherByTemplate. See [MS-WMI] 3.1.4.12.2.
type AddObjectToRefresherByTemplateRequest struct {
	Refresher RefresherID
	Template  ClassObject
	Flags     uint32
	Context   Context
	Version   uint32
}

// MarshalNDR writes the request.
func (r *AddObjectToRefresherByTemplateRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *AddObjectToRefresherByTemplateRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *AddObjectToRefresherByTemplateRequest) code(s stub) {
	s.refresherID(&r.Refresher)
	s.object(&r.Template)
	s.uint32(&r.Flags)
	s.context(&r.Context)
	s.uint32(&r.Version)
}

// RefreshInfoResponse answers the methods that add to a refresher.
type RefreshInfoResponse struct {
	Info    RefreshInfo
	Version uint32
	Result  uint32
}

// MarshalNDR writes the response.
func (r *RefreshInfoResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *RefreshInfoResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *RefreshInfoResponse) code(s stub) {
	s.refreshInfo(&r.Info)
	s.uint32(&r.Version)
	s.uint32(&r.Result)
}

// RemoveObjectFromRefresherRequest are the arguments of IWbemRefreshingServices::RemoveObjectFromRefresher. See [MS-WMI] 3.1.4.12.4.
type RemoveObjectFromRefresherRequest struct {
	Refresher RefresherID
	ID        uint32
	Flags     uint32
	Version   uint32
}

// MarshalNDR writes the request.
func (r *RemoveObjectFromRefresherRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *RemoveObjectFromRefresherRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *RemoveObjectFromRefresherRequest) code(s stub) {
	s.refresherID(&r.Refresher)
	s.uint32(&r.ID)
	s.uint32(&r.Flags)
	s.uint32(&r.Version)
}

// RemoveObjectFromRefresherResponse answers it.
type RemoveObjectFromRefresherResponse struct {
	Version uint32
	Result  uint32
}

// MarshalNDR writes the response.
func (r *RemoveObjectFromRefresherResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *RemoveObjectFromRefresherResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *RemoveObjectFromRefresherResponse) code(s stub) {
	s.uint32(&r.Version)
	s.uint32(&r.Result)
}

// GetRemoteRefresherRequest are the arguments of IWbemRefreshingServices::GetRemoteRefresher. See [MS-WMI] 3.1.4.12.5.
type GetRemoteRefresherRequest struct {
	Refresher RefresherID
	Flags     uint32
	Version   uint32
}

// MarshalNDR writes the request.
func (r *GetRemoteRefresherRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *GetRemoteRefresherRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *GetRemoteRefresherRequest) code(s stub) {
	s.refresherID(&r.Refresher)
	s.uint32(&r.Flags)
	s.uint32(&r.Version)
}

// GetRemoteRefresherResponse answers it.
type GetRemoteRefresherResponse struct {
	Refresher *dcom.ObjRef
	GUID      security.GUID
	Version   uint32
	Result    uint32
}

// MarshalNDR writes the response.
func (r *GetRemoteRefresherResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *GetRemoteRefresherResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *GetRemoteRefresherResponse) code(s stub) {
	s.ref(&r.Refresher)
	s.guid(&r.GUID)
	s.uint32(&r.Version)
	s.uint32(&r.Result)
}

// ReconnectInfo names something to refresh again. See [MS-WMI] 2.2.22.
type ReconnectInfo struct {
	Type uint32 // 0 an object, 1 an enumeration
	Path String
}

// ReconnectResult says what became of it. See [MS-WMI] 2.2.23.
type ReconnectResult struct{ ID, Status uint32 }

// ReconnectRemoteRefresherRequest are the arguments of IWbemRefreshingServices::ReconnectRemoteRefresher. See [MS-WMI] 3.1.4.12.6.
type ReconnectRemoteRefresherRequest struct {
	Refresher RefresherID
	Flags     uint32
	Version   uint32
	Infos     []ReconnectInfo
	Results   []ReconnectResult // as many
}

// MarshalNDR writes the request.
func (r *ReconnectRemoteRefresherRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *ReconnectRemoteRefresherRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *ReconnectRemoteRefresherRequest) code(s stub) {
	s.refresherID(&r.Refresher)
	s.uint32(&r.Flags)
	objects, n := uint32(len(r.Infos)), len(r.Infos)
	s.uint32(&objects)
	s.uint32(&r.Version)
	s.count(&n, 2*s.wide())
	if s.d != nil {
		if s.d.Err() == nil && int64(objects) != int64(n) {
			s.d.Fail("%d objects where %d are said", n, objects)
		}
		r.Infos = make([]ReconnectInfo, n)
	}
	for i := range r.Infos {
		s.alignWide()
		s.uint32(&r.Infos[i].Type)
		present := !r.Infos[i].Path.Null
		s.pointer(&present)
		r.Infos[i].Path.Null = !present
	}
	for i := range r.Infos {
		if !r.Infos[i].Path.Null {
			s.text(&r.Infos[i].Path.Text)
		}
	}
	s.reconnectResults(&r.Results)
	if s.d != nil && s.d.Err() == nil && len(r.Results) != n {
		s.d.Fail("%d results for %d objects", len(r.Results), n)
	}
}

func (s stub) reconnectResults(v *[]ReconnectResult) {
	n := len(*v)
	s.count(&n, 8)
	if s.d != nil {
		*v = make([]ReconnectResult, n)
	}
	for i := range *v {
		s.uint32(&(*v)[i].ID)
		s.uint32(&(*v)[i].Status)
	}
}

// ReconnectRemoteRefresherResponse answers it.
type ReconnectRemoteRefresherResponse struct {
	Results []ReconnectResult
	Version uint32
	Result  uint32
}

// MarshalNDR writes the response.
func (r *ReconnectRemoteRefresherResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *ReconnectRemoteRefresherResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *ReconnectRemoteRefresherResponse) code(s stub) {
	s.reconnectResults(&r.Results)
	s.uint32(&r.Version)
	s.uint32(&r.Result)
}

// RemoteRefreshRequest are the arguments of IWbemRemoteRefresher::RemoteRefresh. See [MS-WMI] 3.1.4.13.1.
type RemoteRefreshRequest struct{ Flags uint32 }

// MarshalNDR writes the request.
func (r *RemoteRefreshRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *RemoteRefreshRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *RemoteRefreshRequest) code(s stub) { s.uint32(&r.Flags) }

// BlobType says what a RefreshedObject holds: WBEM_INSTANCE_BLOB_TYPE, [MS-WMI] 2.2.17.
type BlobType uint32

// The types.
const (
	BlobAll   BlobType = 2 // an object
	BlobError BlobType = 3 // nothing
	BlobEnum  BlobType = 4 // an enumeration
)

// RefreshedObject is something refreshed. See [MS-WMI] 2.2.15.
type RefreshedObject struct {
	RequestID uint32
	Type      BlobType
	Blob      []byte // nil is NULL
}

// RemoteRefreshResponse answers RemoteRefresh.
type RemoteRefreshResponse struct {
	Objects []RefreshedObject
	Result  uint32
}

// MarshalNDR writes the response.
func (r *RemoteRefreshResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *RemoteRefreshResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *RemoteRefreshResponse) code(s stub) {
	objects, n, present := uint32(len(r.Objects)), len(r.Objects), len(r.Objects) > 0
	s.uint32(&objects)
	if s.pointer(&present); present {
		s.refreshedObjects(&r.Objects, n)
	}
	if s.d != nil && s.d.Err() == nil && int64(objects) != int64(len(r.Objects)) {
		s.d.Fail("%d objects where %d are said", len(r.Objects), objects)
	}
	s.uint32(&r.Result)
}

func (s stub) refreshedObjects(v *[]RefreshedObject, n int) {
	s.count(&n, 12+s.wide())
	if s.d != nil {
		*v = make([]RefreshedObject, n)
	}
	present, sizes := make([]bool, n), make([]uint32, n)
	for i := range *v {
		o := &(*v)[i]
		present[i], sizes[i] = o.Blob != nil, uint32(len(o.Blob))
		s.alignWide()
		s.uint32(&o.RequestID)
		s.uint32((*uint32)(&o.Type))
		s.uint32(&sizes[i])
		s.pointer(&present[i])
	}
	for i := range *v {
		o := &(*v)[i]
		if present[i] {
			s.array(&o.Blob)
		}
		if s.d != nil && s.d.Err() == nil && present[i] && int64(sizes[i]) != int64(len(o.Blob)) {
			s.d.Fail("a blob of %d octets where %d are said", len(o.Blob), sizes[i])
		}
	}
}

// StopRefreshingRequest are the arguments of IWbemRemoteRefresher::StopRefreshing. See [MS-WMI] 3.1.4.13.2.
type StopRefreshingRequest struct {
	IDs   []uint32
	Flags uint32
}

// MarshalNDR writes the request.
func (r *StopRefreshingRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *StopRefreshingRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *StopRefreshingRequest) code(s stub) {
	ids, n := uint32(len(r.IDs)), len(r.IDs)
	s.uint32(&ids)
	s.count(&n, 4)
	if s.d != nil {
		if s.d.Err() == nil && int64(ids) != int64(n) {
			s.d.Fail("%d identifiers where %d are said", n, ids)
		}
		r.IDs = make([]uint32, n)
	}
	for i := range r.IDs {
		s.uint32(&r.IDs[i])
	}
	s.uint32(&r.Flags)
}

// Arguments and answers that the methods share.
type (
	AddObjectToRefresherRequest            = AddToRefresherRequest
	AddObjectToRefresherResponse           = RefreshInfoResponse
	AddObjectToRefresherByTemplateResponse = RefreshInfoResponse
	AddEnumToRefresherRequest              = AddToRefresherRequest
	AddEnumToRefresherResponse             = RefreshInfoResponse
	StopRefreshingResponse                 = StatusResponse
)

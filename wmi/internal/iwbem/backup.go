package iwbem

import "github.com/casementhq/casement/internal/ndr"

// FileRequest are the arguments of IWbemBackupRestore::Backup and Restore. See [MS-WMI] 3.1.4.10.
type FileRequest struct {
	File  string
	Flags uint32
}

// MarshalNDR writes the request.
func (r *FileRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *FileRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *FileRequest) code(s stub) {
	s.text(&r.File)
	s.uint32(&r.Flags)
}

// Arguments and answers of IWbemBackupRestore and IWbemBackupRestoreEx. See [MS-WMI] 3.1.4.11.
type (
	BackupRequest   = FileRequest
	BackupResponse  = StatusResponse
	RestoreRequest  = FileRequest
	RestoreResponse = StatusResponse
	PauseRequest    = EmptyRequest
	PauseResponse   = StatusResponse
	ResumeRequest   = EmptyRequest
	ResumeResponse  = StatusResponse
)

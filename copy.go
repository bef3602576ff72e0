package casement

import (
	"context"
	"time"
)

// CopyOptions are the options of CopyTo and CopyFrom.
type CopyOptions struct {
	// Resume goes on with a file of which a part is there already; what is
	// there is compared by its checksum first.
	Resume bool
	// PowerShell says that the far end is Windows; the default is to ask it.
	PowerShell *bool
	// Progress is called as bytes arrive; nil does not. It must not block.
	Progress func(Progress)
}

// Progress says how far a copy is.
type Progress struct {
	File  string // the file at hand, relative to the source
	Done  int64  // bytes of the file that are there
	Total int64  // size of the file; -1 where it is not known
	Files int    // files done
}

// CopyResult says what was copied.
type CopyResult struct {
	Files   int
	Folders int
	Bytes   int64 // that went over the wire, before encoding
	Resumed int64 // bytes that were there already
	Elapsed time.Duration
}

// CopyTo copies a local file or folder to the machine. Each file is compared
// by its SHA-256 when it is there; it takes its name only then.
func (c *Connection) CopyTo(ctx context.Context, local, remote string, o CopyOptions) (CopyResult, error) {
	return c.copyTo(ctx, local, remote, o)
}

// CopyFrom copies a file or folder of the machine here, as CopyTo does there.
func (c *Connection) CopyFrom(ctx context.Context, remote, local string, o CopyOptions) (CopyResult, error) {
	return c.copyFrom(ctx, remote, local, o)
}

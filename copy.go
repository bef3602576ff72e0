package casement

import (
	"context"
	"time"

	"github.com/casementhq/casement/internal/filecopy"
	"github.com/casementhq/casement/wsman/wsmanclient"
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
	Files, Folders int
	Bytes          int64 // that went over the wire, before encoding
	Resumed        int64 // that were there already
	Elapsed        time.Duration
}

// CopyTo copies a local file or folder to the machine. Each file is compared
// by its SHA-256 when it is there; it takes its name only then. A folder goes
// into remote where that is a folder, else it becomes remote.
func (c *Connection) CopyTo(ctx context.Context, local, remote string, o CopyOptions) (CopyResult, error) {
	return c.copy(ctx, o, func(s filecopy.Shell, fo filecopy.Options) (filecopy.Result, error) {
		return filecopy.To(ctx, s, local, remote, fo)
	})
}

// CopyFrom copies a file or folder of the machine here, as CopyTo does there.
// File names that the machine sends cannot lead out of the folder local.
func (c *Connection) CopyFrom(ctx context.Context, remote, local string, o CopyOptions) (CopyResult, error) {
	return c.copy(ctx, o, func(s filecopy.Shell, fo filecopy.Options) (filecopy.Result, error) {
		return filecopy.From(ctx, s, remote, local, fo)
	})
}

// copy does one copy in a shell of its own.
func (c *Connection) copy(ctx context.Context, o CopyOptions, do func(filecopy.Shell, filecopy.Options) (filecopy.Result, error)) (_ CopyResult, err error) {
	s, err := c.Shell(ctx, wsmanclient.ShellOptions{})
	if err != nil {
		return CopyResult{}, err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if e := s.Close(end); err == nil {
			err = e
		}
	}()
	fo := filecopy.Options{Resume: o.Resume, PowerShell: o.PowerShell}
	if o.Progress != nil {
		fo.Progress = func(file string, done, total int64, files int) {
			o.Progress(Progress{File: file, Done: done, Total: total, Files: files})
		}
	}
	r, err := do(s, fo)
	return CopyResult(r), err
}

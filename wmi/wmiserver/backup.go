package wmiserver

import (
	"context"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// Repository looks after what users stored. Its methods act for a caller who is an administrator; which files may be named is its to
// decide. See [MS-WMI] 3.1.4.10.
type Repository interface {
	// Backup writes all that is stored to a file.
	Backup(ctx context.Context, caller cim.Caller, file string) error
	// Restore replaces what is stored by that in a file and ends the sessions of others.
	Restore(ctx context.Context, caller cim.Caller, file string) error
}

// backup is what a client of backups activates: IWbemBackupRestore and IWbemBackupRestoreEx. See [MS-WMI] 3.1.4.10 and 3.1.4.11.
type backup struct{ server *Server }

var backupMethods = methods{
	iwbem.OpBackup:  on("Backup", 0, (*backup).backup),
	iwbem.OpRestore: on("Restore", wmi.FlagForceShutdown, (*backup).restore),
}

var backupExMethods = methods{
	iwbem.OpBackup:  backupMethods[iwbem.OpBackup],
	iwbem.OpRestore: backupMethods[iwbem.OpRestore],
	iwbem.OpPause:   on("Pause", 0, (*backup).pause),
	iwbem.OpResume:  on("Resume", 0, (*backup).resume),
}

func (b *backup) methods(iid security.GUID) methods {
	switch iid {
	case wmi.IIDBackupRestore:
		return backupMethods
	case wmi.IIDBackupRestoreEx:
		return backupExMethods
	}
	return nil
}

func (b *backup) released() {}

// permit admits administrators, and only where there is a repository.
func (b *backup) permit(c *call) error {
	if err := impersonated(c.caller); err != nil {
		return err
	}
	if c.caller.Token == nil || !c.caller.Token.Has(security.SIDAdministrators) {
		return refuse(cim.ErrAccessDenied, "only administrators look after the repository")
	}
	if b.server.o.Repository == nil {
		return refuse(cim.ErrNotSupported, "this service has no repository of its own")
	}
	return nil
}

func (b *backup) backup(ctx context.Context, c *call, r *iwbem.BackupRequest) ndr.Marshaler {
	return c.status(func() error {
		if err := b.permit(c); err != nil {
			return err
		}
		if err := c.accept(r.Flags); err != nil {
			return err
		}
		if r.File == "" {
			return refuse(cim.ErrInvalidParameter, "a file must be named")
		}
		return b.server.o.Repository.Backup(ctx, c.caller, r.File)
	}())
}

// restore replaces what is stored. Calls that come meanwhile fail. See [MS-WMI] 3.1.4.10.2.
func (b *backup) restore(ctx context.Context, c *call, r *iwbem.RestoreRequest) ndr.Marshaler {
	return c.status(func() error {
		if err := b.permit(c); err != nil {
			return err
		}
		if r.Flags != wmi.FlagForceShutdown {
			return refuse(cim.ErrInvalidParameter, "a restore ends the sessions of others: the flag for that must be set, and no other")
		}
		if r.File == "" {
			return refuse(cim.ErrInvalidParameter, "a file must be named")
		}
		if !b.server.restoring.CompareAndSwap(false, true) {
			return errStopping
		}
		defer b.server.restoring.Store(false)
		return b.server.o.Repository.Restore(ctx, c.caller, r.File)
	}())
}

// errStopping is CO_E_SERVER_STOPPING, what calls fail with during a restore. See [MS-WMI] 3.1.4.
var errStopping = refuse(cim.Status(0x80080008), "the repository is being restored")

// pauseTimer is how long a pause lasts at most. See [MS-WMI] 3.1.2.
const pauseTimer = 15 * time.Minute

// pause makes the calls that come in wait. What is stored is consistent on disk all the time.
type pause struct {
	mu    sync.Mutex
	over  chan struct{} // nil: no pause
	timer *time.Timer
}

// begin begins a pause; one that lasts is not made longer. See [MS-WMI] 3.1.4.11.1.
func (p *pause) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over != nil {
		return refuse(cim.ErrInvalidOperation, "the service is paused already")
	}
	over := make(chan struct{})
	p.over = over
	p.timer = time.AfterFunc(pauseTimer, func() { p.end(over) })
	return nil
}

// end ends a pause: which one may be said, so that a timer ends its own alone.
func (p *pause) end(which chan struct{}) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil || which != nil && p.over != which {
		return refuse(cim.ErrInvalidOperation, "the service is not paused")
	}
	close(p.over)
	p.timer.Stop()
	p.over, p.timer = nil, nil
	return nil
}

// wait waits until there is no pause.
func (p *pause) wait(ctx context.Context) error {
	p.mu.Lock()
	over := p.over
	p.mu.Unlock()
	if over == nil {
		return nil
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *backup) pause(_ context.Context, c *call, _ *iwbem.PauseRequest) ndr.Marshaler {
	err := b.permit(c)
	if err == nil {
		err = b.server.paused.begin()
	}
	return c.status(err)
}

func (b *backup) resume(_ context.Context, c *call, _ *iwbem.ResumeRequest) ndr.Marshaler {
	err := b.permit(c)
	if err == nil {
		err = b.server.paused.end(nil)
	}
	return c.status(err)
}

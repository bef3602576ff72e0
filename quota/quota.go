// Package quota keeps the ledgers behind gate 6 and the connection gate: how
// many connections, operations, shells and users there are now, and whether
// one more fits. It does no I/O and knows no protocol; the caller maps an
// [ExceededError] to its fault by the name of the limit.
package quota

import (
	"fmt"
	"sync"
)

// Limit is the name of a setting, spelled as in the configuration tree.
type Limit string

// The limits a ledger can report.
const (
	MaxConnections                 Limit = "MaxConnections"
	MaxConcurrentOperations        Limit = "MaxConcurrentOperations"
	MaxConcurrentOperationsPerUser Limit = "MaxConcurrentOperationsPerUser"
	MaxConcurrentUsers             Limit = "MaxConcurrentUsers"
	MaxShellsPerUser               Limit = "MaxShellsPerUser"
	MaxShells                      Limit = "MaxShells"
	MaxProcessesPerShell           Limit = "MaxProcessesPerShell"
	MaxMemoryPerShellMB            Limit = "MaxMemoryPerShellMB"
	MaxConcurrentCommandsPerShell  Limit = "MaxConcurrentCommandsPerShell"
)

// ExceededError says which limit refused, for whom, and by how much.
type ExceededError struct {
	Limit   Limit
	Plugin  string // the plug-in whose quota it is; empty: a service-wide setting
	Key     string // user or shell that is over; empty: the whole service
	Max     uint64 // the limit in force, in the unit of the setting
	Current uint64 // what is in use already
}

func (e *ExceededError) Error() string {
	who := "the service"
	if e.Key != "" {
		who = e.Key
	}
	where := ""
	if e.Plugin != "" {
		where = " of plug-in " + e.Plugin
	}
	return fmt.Sprintf("quota: %s%s is %d and %s has %d in use; release some or raise the limit",
		e.Limit, where, e.Max, who, e.Current)
}

// Is reports whether target is an ExceededError for the same limit; an empty
// field of target matches anything. So errors.Is(err, &ExceededError{}) asks
// for any quota and errors.Is(err, &ExceededError{Limit: MaxShells}) for one.
func (e *ExceededError) Is(target error) bool {
	t, ok := target.(*ExceededError)
	return ok && (t.Limit == "" || t.Limit == e.Limit) && (t.Plugin == "" || t.Plugin == e.Plugin) &&
		(t.Key == "" || t.Key == e.Key)
}

// Limits are the service-wide limits in force. 0 means no limit.
type Limits struct {
	MaxConnections                 uint32
	MaxConcurrentOperationsPerUser uint32
	MaxConcurrentUsers             uint32 // distinct users that own a shell
	MaxShellsPerUser               uint32
	MaxProcessesPerShell           uint32
	MaxMemoryPerShellMB            uint32
}

// PluginLimits are the quotas of one plug-in. 0 means no limit.
type PluginLimits struct {
	MaxConcurrentOperations        uint32
	MaxConcurrentOperationsPerUser uint32
	MaxConcurrentUsers             uint32
	MaxShells                      uint32
	MaxShellsPerUser               uint32
	MaxConcurrentCommandsPerShell  uint32
}

// Defaults returns the limits of a fresh installation.
// See [MS-WSMV] 2.2.4.36 and 2.2.4.42.
func Defaults() Limits {
	return Limits{
		MaxConnections:                 300,
		MaxConcurrentOperationsPerUser: 1500,
		MaxConcurrentUsers:             10,
		MaxShellsPerUser:               30,
		MaxProcessesPerShell:           25,
		MaxMemoryPerShellMB:            1024,
	}
}

// Options says where the limits come from. Each func is asked anew for each
// acquisition, so that a changed setting holds from the next request on.
type Options struct {
	// Limits returns the service-wide limits. nil: Defaults.
	Limits func() Limits
	// Plugin returns the quotas of a named plug-in. nil: no plug-in quotas.
	Plugin func(name string) PluginLimits
}

// Ledger counts what is in use. Its methods may be called concurrently.
type Ledger struct {
	limits func() Limits
	plugin func(string) PluginLimits

	mu     sync.Mutex
	counts map[account]uint32 // no zero entries: nothing remains of a user who left
}

// New returns an empty ledger.
func New(o Options) *Ledger {
	l := &Ledger{limits: o.Limits, plugin: o.Plugin, counts: map[account]uint32{}}
	if l.limits == nil {
		l.limits = Defaults
	}
	if l.plugin == nil {
		l.plugin = func(string) PluginLimits { return PluginLimits{} }
	}
	return l
}

// Release gives back what an acquisition took. Calling it again does nothing.
type Release func()

package host

import (
	"context"
	"errors"
	"time"

	"github.com/casementhq/casement/providers/host/internal/nl"
)

// errNoSystem says that a fact comes from a system call and that the provider looks at another root.
var errNoSystem = errors.New("host: not this machine's root")

// system are the facts that system calls give. Any may be nil.
type system struct {
	statFS    func(path string) (fileSystem, error)
	links     func() ([]nl.Link, error)
	addresses func(link int) ([]nl.Address, error)
	gateways  func() ([]nl.Gateway, error)
	uptime    func() time.Duration // since the machine started, by a clock that nobody sets
	routes    func() ([]nl.Route, error)
	// processes tells of processes that begin and end, as they do, until ctx ends.
	processes func(ctx context.Context, events chan<- nl.ProcessEvent) error
	// mountsChange sends when the mounts have changed, until ctx ends.
	mountsChange func(ctx context.Context, changed chan<- struct{}) error
	ping         func(ctx context.Context, o pingOptions) (pingReply, error)
}

// fileSystem is what statfs(2) says.
type fileSystem struct{ blockSize, blocks, available, nameLength uint64 }

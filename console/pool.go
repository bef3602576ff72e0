package console

import (
	"context"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/pool"
)

// Entry is a server of the pool and what is known of it.
type Entry struct{ pool.Entry }

// Pool is what the console needs of the pool. Names of servers are taken in any
// case.
type Pool interface {
	// Watch calls f with each server, then nil, then with each change: the entry,
	// or one whose Name alone is set and gone. It returns when ctx ends or the pool
	// is lost.
	Watch(ctx context.Context, f func(e *pool.Entry, gone bool)) error
	// Add adds all servers or none.
	Add(ctx context.Context, servers []pool.Server) error
	// Update changes what is written about a server.
	Update(ctx context.Context, name string, change func(*pool.Server) error) error
	Remove(ctx context.Context, name string) error

	// Start begins an action on servers by name, for by.
	Start(ctx context.Context, a pool.Action, targets []string, by string) (pool.Work, error)
	// Works are the kept works, the newest first.
	Works(ctx context.Context) ([]pool.Work, error)
	// Work is one, with the results that there are.
	Work(ctx context.Context, id string) (pool.Work, []pool.Result, error)
	// Output is what was printed on a server.
	Output(ctx context.Context, id, server string) (string, error)
	Cancel(ctx context.Context, id string) error
	// WatchWork calls f with the id of a work when something of it changed, until
	// ctx ends.
	WatchWork(ctx context.Context, f func(id string)) error

	// Credentials are the named ones, without their secrets.
	Credentials(ctx context.Context) ([]pool.Credential, error)
	// SetCredential makes or replaces one. An empty password keeps the one that is.
	SetCredential(ctx context.Context, c pool.Credential, password []byte) error
	RemoveCredential(ctx context.Context, name string) error
	// Opened is one with its password, for one sign-in of this process.
	Opened(ctx context.Context, name string) (auth.Credentials, error)

	// Connect opens a connection to a server with the credential that is bound to
	// it. The caller closes it.
	Connect(ctx context.Context, name string) (*casement.Connection, error)
	// ConnectOver is Connect over WinRM or DCOM, whatever the entry says.
	ConnectOver(ctx context.Context, name string, over pool.Transport) (*casement.Connection, error)
}

// The pool itself is one.
var _ Pool = (*pool.Pool)(nil)

package console

import (
	"context"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/pool"
)

// Entry is a server of the pool and what is known of it; Snapshot is nil where
// nothing is yet.
type Entry struct {
	pool.Server

	Snapshot *pool.Snapshot
}

// Pool is what the console needs of the pool. Names of servers are taken in any
// case.
type Pool interface {
	// Watch calls f with each server, then nil, then with each change: the entry,
	// or one whose Name alone is set and gone. It returns when ctx ends or the pool
	// is lost.
	Watch(ctx context.Context, f func(e *Entry, gone bool)) error
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
	Cancel(ctx context.Context, id string) error
	// WatchWork calls f with the id of a work when something of it changed, until
	// ctx ends.
	WatchWork(ctx context.Context, f func(id string)) error

	// Credentials are the named ones, without their secrets.
	Credentials(ctx context.Context) ([]Credential, error)
	// SetCredential makes or replaces one. An empty password keeps the one that is.
	SetCredential(ctx context.Context, c Credential, password string) error
	RemoveCredential(ctx context.Context, name string) error

	// Connect opens a connection to a server with the credential that is bound to
	// it. The caller closes it.
	Connect(ctx context.Context, name string) (*casement.Connection, error)
	// Explain gives the HTTP status and the text of an error of the pool that a
	// person may read; ok is false for one of the inside.
	Explain(err error) (status int, text string, ok bool)
}

// Credential is a named credential without its secret.
type Credential struct {
	Name   string   `json:"name"`
	User   string   `json:"user"`
	Scheme string   `json:"scheme,omitempty"` // as of wsmanclient; "" is automatic
	For    []string `json:"for,omitempty"`    // tags; "*" is the whole pool
}

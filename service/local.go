package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/casementhq/casement/wsman/wsmanserver"
)

// Local opens the way by which tools of this machine talk to it without a
// network: dial gives connections that speak WinRM over plain HTTP, and that
// need no authentication because the system tells who the caller is.
//
// While a service runs they lead to its STATE/local.sock. Otherwise the state
// folder, which is made where there is none, is served inside this process,
// beside other tools; files keep their owner. Either way the caller is this
// process's user. Only root and the owner of the folder are let in; the error
// of anybody else wraps fs.ErrPermission. The caller of Local calls closeAll
// once at the end.
func Local(ctx context.Context, stateDir string, logger *slog.Logger) (dial func(context.Context) (net.Conn, error), closeAll func() error, err error) {
	dir, err := filepath.Abs(stateDir)
	if err != nil {
		return nil, nil, err
	}
	if err := elevated(dir); err != nil {
		return nil, nil, err
	}
	socket := filepath.Join(dir, socketName)
	if len(socket) <= maxSocketPath {
		dial := func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}
		c, err := dial(ctx)
		if err == nil {
			first := &firstConn{conn: c, dial: dial}
			return first.next, first.close, nil
		}
		if ctx.Err() != nil {
			return nil, nil, err
		}
	}
	return localState(dir, logger)
}

// elevated refuses who is neither root nor the owner of the state folder.
func elevated(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // whether it can be made is seen when it is
	case errors.Is(err, fs.ErrPermission):
		return deniedState(dir, "it cannot be seen by this user")
	case err != nil:
		return fmt.Errorf("open the state: %w", err)
	}
	if uid := os.Geteuid(); uid > 0 && !ownedBy(info, uid) {
		return deniedState(dir, "it belongs to another user")
	}
	return nil
}

func deniedState(dir, why string) error {
	return fmt.Errorf("access is denied (5): the state in %s: %s (%w); run it as the owner of the folder or with sudo, or name another with --state",
		dir, why, fs.ErrPermission)
}

// localState serves a state folder to this process alone.
func localState(dir string, logger *slog.Logger) (func(context.Context) (net.Conn, error), func() error, error) {
	state, err := OpenState(dir, StateOptions{Create: true, Logger: logger})
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil, deniedState(dir, err.Error())
	}
	if err != nil {
		return nil, nil, err
	}
	svc, err := New(state, Options{Logger: logger})
	if err != nil {
		return nil, nil, errors.Join(err, state.Close())
	}
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- svc.WinRM.ServeLocal(l) }()
	closeAll := sync.OnceValue(func() error {
		svc.WinRM.Close()
		l.Close()
		return errors.Join(<-served, svc.Close(), state.Close())
	})
	return l.dial, closeAll, nil
}

// firstConn hands out the connection by which the service was found, then new
// ones.
type firstConn struct {
	dial func(context.Context) (net.Conn, error)
	mu   sync.Mutex
	conn net.Conn
}

func (f *firstConn) next(ctx context.Context) (net.Conn, error) {
	if c := f.take(); c != nil {
		return c, nil
	}
	return f.dial(ctx)
}

func (f *firstConn) take() net.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.conn
	f.conn = nil
	return c
}

func (f *firstConn) close() error {
	if c := f.take(); c != nil {
		return c.Close()
	}
	return nil
}

// pipeListener accepts the connections that dial makes in this process.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- &wsmanserver.LocalConn{Conn: far, UID: ownUID()}:
		return near, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "this process" }

// ownUID is the user of this process; a system without user ids has one user.
func ownUID() uint32 { return uint32(os.Geteuid()) } // #nosec G115 -- -1 where there are none

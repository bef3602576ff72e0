// Package secondhop hands the credentials that the caller of a remote shell handed over to the commands of that
// shell, so that they can sign in elsewhere as that caller. The service keeps them in memory and serves them on
// a socket that the shell's environment names; only the shell's Unix user is answered. They are on no disk, and
// gone with the shell.
package secondhop

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/peercred"
)

// Variable is the environment variable of a shell's commands that names the socket.
const Variable = "CASEMENT_DELEGATION"

// What bounds a reader and a writer: no field is longer, in bytes, and no connection lasts longer.
const (
	maxField = 1 << 20
	patience = 5 * time.Second
)

// Server answers the commands of one shell.
type Server struct {
	uid      uint32
	listener net.Listener
	name     string
	wg       sync.WaitGroup

	mu        sync.Mutex
	delegated *auth.Delegation
	open      map[net.Conn]struct{}
}

// Serve takes the credentials and answers the processes of a Unix user with them, until Close, which wipes them.
// It fails, and wipes them, where the system cannot tell who asks.
func Serve(d *auth.Delegation, uid uint32) (*Server, error) {
	l, name, err := listen()
	if err != nil {
		d.Wipe()
		return nil, fmt.Errorf("serve delegated credentials: %w", err)
	}
	s := &Server{uid: uid, listener: l, name: name, delegated: d, open: map[net.Conn]struct{}{}}
	s.wg.Go(s.accept)
	return s, nil
}

// Name is the value of Variable.
func (s *Server) Name() string { return s.name }

// Close ends every answer and wipes the credentials.
func (s *Server) Close() error {
	if s == nil {
		return nil
	}
	err := s.listener.Close()
	s.mu.Lock()
	s.delegated.Wipe()
	s.delegated = nil
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

// accept answers one process after the other: the answer fits into the socket's buffer, and one that does not
// has to be read in time.
func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // out of descriptors: it passes
			continue
		}
		s.answer(c)
	}
}

func (s *Server) answer(c net.Conn) {
	defer c.Close()
	if uid, err := peercred.UID(c); err != nil || uid != s.uid {
		return
	}
	s.mu.Lock()
	if s.delegated == nil {
		s.mu.Unlock()
		return
	}
	message := encode(s.delegated)
	s.open[c] = struct{}{}
	s.mu.Unlock()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = c.Write(message) // who hung up wants nothing
	clear(message)
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
}

// Take asks the service for the credentials of the shell that this process runs in. It returns nil where the
// process runs in none, or nothing was handed over. The caller wipes them.
func Take(ctx context.Context) (*auth.Delegation, error) {
	name := os.Getenv(Variable)
	if name == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := dial(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("the credentials that the remote shell was given are gone: %w", err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	d, err := decode(c)
	if err != nil {
		return nil, fmt.Errorf("the credentials that the remote shell was given are not for this user, or gone: %w", err)
	}
	return d, nil
}

// encode writes name, password and credential cache, each behind its length in four bytes.
func encode(d *auth.Delegation) []byte {
	fields := [][]byte{[]byte(d.Credentials.Username), []byte(d.Credentials.Password), d.CCache}
	size := 0
	for _, f := range fields {
		size += 4 + len(f)
	}
	out := make([]byte, 0, size)
	for _, f := range fields {
		out = binary.BigEndian.AppendUint32(out, uint32(len(f))) // #nosec G115 -- what came over a network is shorter
		out = append(out, f...)
	}
	clear(fields[1])
	return out
}

func decode(r io.Reader) (*auth.Delegation, error) {
	var fields [3][]byte
	for i := range fields {
		var size [4]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return nil, err
		}
		n := binary.BigEndian.Uint32(size[:])
		if n > maxField {
			return nil, fmt.Errorf("a field of %d bytes", n)
		}
		fields[i] = make([]byte, n)
		if _, err := io.ReadFull(r, fields[i]); err != nil {
			return nil, err
		}
	}
	d := &auth.Delegation{Credentials: auth.Credentials{Username: string(fields[0]), Password: string(fields[1])}, CCache: fields[2]}
	clear(fields[1])
	if len(d.CCache) == 0 {
		d.CCache = nil
	}
	return d, nil
}

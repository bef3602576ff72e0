package bus

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/casementhq/casement/internal/filelock"
	"github.com/nats-io/nats-server/v2/server"
)

// Limits of the server in the folder.
const (
	// MaxPayload bounds a value or task, in octets.
	MaxPayload = 1 << 20
	// maxMemory bounds what the queues in memory take.
	maxMemory = 64 << 20
	// maxGuests bounds how many connections come by the socket at once.
	maxGuests = 64
)

// moveIn is how long a process tries to hold the folder or to reach who does.
const moveIn = 10 * time.Second

// house is the folder: whoever holds its lock runs the server.
type house struct {
	dir string
	log *slog.Logger

	mu     sync.Mutex
	lock   *os.File // held, where not nil
	server *server.Server
	door   net.Listener
	guests map[net.Conn]struct{}
	all    sync.WaitGroup
	closed bool
	err    error // of the last Dial
}

func newHouse(dir string, log *slog.Logger) (*house, error) {
	if dir == "" {
		return nil, errors.New("the pool's folder is not named")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the pool's folder: %w", err)
	}
	return &house{dir: dir, log: log, guests: map[net.Conn]struct{}{}}, nil
}

func (h *house) socket() string { return filepath.Join(h.dir, "pool.sock") }

func (h *house) holds() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.server != nil
}

func (h *house) lastErr() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// Dial implements nats.CustomDialer: to the server of this process, else to
// that of the holder, else this process becomes the holder.
func (h *house) Dial(string, string) (net.Conn, error) {
	for end := time.Now().Add(moveIn); ; time.Sleep(5 * time.Millisecond) {
		c, again, err := h.enter()
		if err == nil || !again || time.Now().After(end) {
			h.mu.Lock()
			h.err = err
			h.mu.Unlock()
			return c, err
		}
	}
}

// enter tries once. again tells that the holder is just coming or going.
func (h *house) enter() (c net.Conn, again bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, false, ErrClosed
	}
	if h.server != nil {
		c, err := h.server.InProcessConn()
		return c, false, err
	}
	lock, err := takeFolder(h.dir)
	if errors.Is(err, errForeign) { // root comes to the pool of a service that gave root up
		if c, visited := h.visit(); visited == nil {
			return c, false, nil
		}
	}
	if errors.Is(err, filelock.ErrHeld) {
		held := err
		if c, err = h.visit(); err != nil {
			return nil, true, fmt.Errorf("%w, and it does not answer: %w", held, err)
		}
		return c, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	h.lock = lock
	if err := h.open(); err != nil {
		h.leave()
		return nil, false, err
	}
	c, err = h.server.InProcessConn()
	return c, false, err
}

// errForeign is matched by the refusal of a folder that belongs to somebody else.
var errForeign = errors.New("the pool's folder")

// takeFolder takes the lock of a folder of this user.
func takeFolder(dir string) (*os.File, error) {
	if err := ownFolder(dir); err != nil {
		return nil, err
	}
	f, err := filelock.Take(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	filelock.Sign(f)
	return f, nil
}

// visit connects to the holder.
func (h *house) visit() (net.Conn, error) {
	c, err := net.DialTimeout("unix", h.socket(), time.Second)
	if err != nil {
		return nil, err
	}
	if err := checkPeer(c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// open runs the server and opens the socket. The lock is held.
func (h *house) open() error {
	s, err := server.NewServer(&server.Options{
		ServerName: "pool", DontListen: true, NoSigs: true, NoSystemAccount: true, DisableShortFirstPing: true, DisableJetStreamBanner: true,
		JetStream: true, StoreDir: filepath.Join(h.dir, "bus"), SyncAlways: true, JetStreamMaxMemory: maxMemory, MaxPayload: MaxPayload,
		JetStreamMaxStore: 64 << 30, MaxPending: 64 << 20,
	})
	if err != nil {
		return fmt.Errorf("the pool's store: %w", err)
	}
	s.SetLoggerV2(natsLog{h.log}, false, false, false)
	s.Start()
	h.server = s
	if !s.ReadyForConnections(moveIn) || !s.JetStreamEnabled() {
		return fmt.Errorf("the pool's store in %s cannot be opened; the log says why", filepath.Join(h.dir, "bus"))
	}
	if err := os.Remove(h.socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	door, err := listenPrivate(h.socket())
	if err != nil {
		// Alone in the folder is better than not at all; the others are told by the lock.
		h.log.Warn("others cannot reach the pool through this process", "error", err)
		return nil
	}
	h.door = door
	h.all.Go(func() { h.admit(door, s) })
	return nil
}

// admit lets processes of this user and of root in.
func (h *house) admit(door net.Listener, s *server.Server) {
	for {
		c, err := door.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err := checkPeer(c); err != nil {
			h.log.Warn("a stranger at the pool's socket was sent away", "error", err)
			c.Close()
			continue
		}
		h.mu.Lock()
		room := !h.closed && len(h.guests) < maxGuests
		if room {
			h.guests[c] = struct{}{}
			h.all.Go(func() { h.bridge(c, s) })
		}
		h.mu.Unlock()
		if !room {
			c.Close()
		}
	}
}

// bridge carries a guest's octets until one end closes.
func (h *house) bridge(c net.Conn, s *server.Server) {
	defer func() {
		c.Close()
		h.mu.Lock()
		delete(h.guests, c)
		h.mu.Unlock()
	}()
	in, err := s.InProcessConn()
	if err != nil {
		return
	}
	defer in.Close()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(in, c)
		in.Close()
	})
	_, _ = io.Copy(c, in)
	c.Close()
	up.Wait()
}

// close ends the server and gives the folder up.
func (h *house) close() {
	h.mu.Lock()
	h.closed = true
	h.leave()
	h.mu.Unlock()
	h.all.Wait()
}

// leave gives up what open made: who came by the socket, the server with its
// files, then the lock. h.mu is held.
func (h *house) leave() {
	if h.door != nil {
		h.door.Close()
	}
	for c := range h.guests {
		c.Close()
	}
	if h.server != nil {
		h.server.Shutdown()
		h.server.WaitForShutdown()
	}
	if h.lock != nil {
		h.lock.Close()
	}
	h.door, h.server, h.lock = nil, nil, nil
}

package privilege

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/shell"
)

// helperFD is the descriptor at which the helper finds its socket.
const helperFD = 3

// ServeOptions are for the helper process.
type ServeOptions struct {
	// PolicyPath is the policy file, written by root alone. Where there is no such
	// file, nobody but the service's own user may be started. Required.
	PolicyPath string
	// Log takes one line for each refusal and each start. nil: nothing.
	Log *slog.Logger
	// PeerPID is the only process that is listened to. 0: the parent.
	PeerPID int
}

// maxInFlight bounds the requests in work at one time.
const maxInFlight = 32

type helper struct {
	w      *wire
	log    *slog.Logger
	policy string
	peer   int

	mu     sync.Mutex
	closed bool
	last   uint64
	jobs   map[uint64]*shell.Process
	starts int // starts in work; counted against the limit with jobs
	wg     sync.WaitGroup

	filter     sync.Mutex // of the packet filter
	programmed bool
}

// ServeInherited is the main part of the helper process: it serves the socket
// that StartHelper left at descriptor 3 until the other end closes, ends what
// it started, and returns.
func ServeInherited(ctx context.Context, o ServeOptions) error {
	if os.Geteuid() != 0 {
		return errors.New("privilege: the helper must be started as root by the service")
	}
	swallow := make(chan os.Signal, 1)
	// The end of the service is the end of its socket. Caught, not ignored:
	// what the helper starts must not inherit ignored signals.
	signal.Notify(swallow, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(swallow)
	unix.Umask(0o022)
	os.Clearenv()
	if err := os.Chdir("/"); err != nil {
		return err
	}
	conn, err := unixConn(os.NewFile(helperFD, "privilege"))
	if err != nil {
		return err
	}
	return Serve(ctx, conn, o)
}

// Serve answers requests on conn, one end of a SOCK_SEQPACKET pair, until the
// other end closes or ctx ends. Every job that is left then is ended.
func Serve(ctx context.Context, conn *net.UnixConn, o ServeOptions) error {
	defer conn.Close()
	h := &helper{w: newWire(conn), log: o.Log, policy: o.PolicyPath, peer: o.PeerPID, jobs: map[uint64]*shell.Process{}}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.peer == 0 {
		h.peer = os.Getppid()
	}
	if err := h.checkPeer(conn); err != nil {
		return err
	}
	if _, err := h.loadPolicy(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer h.end()
	err := h.read()
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil
	}
	return err
}

// checkPeer asks the kernel who made the socket pair and whether it names the
// sender of every message.
func (h *helper) checkPeer(conn *net.UnixConn) error {
	return control(conn, func(fd int) error {
		if typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || typ != unix.SOCK_SEQPACKET {
			return fmt.Errorf("privilege: the helper's socket is not a packet socket (type %d, %v)", typ, err)
		}
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return os.NewSyscallError("getsockopt SO_PEERCRED", err)
		}
		if int(cred.Pid) != h.peer || cred.Uid != 0 {
			return fmt.Errorf("privilege: the helper's socket belongs to process %d of uid %d, not to the service (process %d, started as root)", cred.Pid, cred.Uid, h.peer)
		}
		if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED); err != nil || on == 0 {
			return fmt.Errorf("privilege: the helper's socket does not name the senders of messages (%v)", err)
		}
		return nil
	})
}

func (h *helper) read() error {
	slots := make(chan struct{}, maxInFlight)
	for {
		msg, files, cred, err := h.w.receive()
		if err != nil {
			return err
		}
		if cred == nil || int(cred.Pid) != h.peer {
			closeFiles(files)
			return errors.New("privilege: a message came from another process than the service")
		}
		r, err := decodeRequest(msg, len(files))
		if err != nil {
			closeFiles(files)
			h.log.Warn("privilege: malformed request", "error", err)
			if r == nil || r.ID == 0 {
				return fmt.Errorf("privilege: malformed request: %w", err)
			}
			h.answer(reply{ID: r.ID, Code: CodeInvalid, Text: err.Error()})
			continue
		}
		slots <- struct{}{}
		h.wg.Go(func() {
			defer func() { <-slots }()
			defer closeFiles(files)
			h.handle(r, files)
		})
	}
}

func (h *helper) handle(r *request, files []*os.File) {
	var a reply
	var pass []*os.File
	var err error
	switch r.Op {
	case opHello:
	case opListen:
		pass, err = h.listen(r.Listen)
	case opStart:
		err = h.start(r, files)
		if err == nil {
			return // start answers itself, before the job's end can be reported
		}
	case opSignal, opUsage, opClose:
		a, err = h.onJob(r)
	case opFirewall:
		err = h.program(r.Firewall)
	}
	a.ID = r.ID
	if err != nil {
		a.Code, a.Text = codeOf(err)
		h.log.Warn("privilege: refused", "op", r.Op, "code", a.Code, "error", a.Text)
	}
	h.answer(a, pass...)
	closeFiles(pass)
}

func (h *helper) answer(a reply, files ...*os.File) {
	if err := h.w.send(a, files...); err != nil {
		_ = h.w.conn.Close() // the reader ends, and with it the helper
	}
}

// end closes every job and waits for all goroutines.
func (h *helper) end() {
	_ = h.w.conn.Close()
	h.mu.Lock()
	h.closed = true
	jobs := h.jobs
	h.jobs = map[uint64]*shell.Process{}
	h.mu.Unlock()
	var all sync.WaitGroup
	for _, p := range jobs {
		all.Go(func() { _ = p.Close() })
	}
	all.Wait()
	h.wg.Wait()
	h.filter.Lock()
	defer h.filter.Unlock()
	if err := h.unprogram(); err != nil {
		h.log.Warn("privilege: the packet filter keeps the table casement", "error", err)
	}
}

package privilege

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// wire is one end of the socket pair. A message is one packet.
type wire struct {
	conn *net.UnixConn
	buf  []byte
	oob  []byte

	mu sync.Mutex // one writer at a time
}

func newWire(conn *net.UnixConn) *wire {
	return &wire{
		conn: conn,
		buf:  make([]byte, maxMessage+1),
		oob:  make([]byte, unix.CmsgSpace(4*maxFDs)+unix.CmsgSpace(unix.SizeofUcred)),
	}
}

// socketPair returns both ends, packets with boundaries, closed on exec.
func socketPair() (ours, theirs *os.File, err error) {
	fd, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	// Before the first message can be sent: the kernel names senders from then on.
	if err := unix.SetsockoptInt(fd[1], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		_, _ = unix.Close(fd[0]), unix.Close(fd[1])
		return nil, nil, os.NewSyscallError("setsockopt SO_PASSCRED", err)
	}
	return os.NewFile(uintptr(fd[0]), "privilege"), os.NewFile(uintptr(fd[1]), "privilege-helper"), nil
}

// unixConn takes f over.
func unixConn(f *os.File) (*net.UnixConn, error) {
	c, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return nil, fmt.Errorf("privilege: socket to the helper: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, errors.New("privilege: the descriptor is not a Unix socket")
	}
	return u, nil
}

// send writes one message with descriptors, which stay open here.
func (w *wire) send(v any, files ...*os.File) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) > maxMessage {
		return &RefusedError{Code: CodeInvalid, Text: fmt.Sprintf("the command with its environment takes %d bytes, at most %d go to the helper", len(b), maxMessage)}
	}
	var oob []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		oob = unix.UnixRights(fds...)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _, err = w.conn.WriteMsgUnix(b, oob, nil)
	for _, f := range files {
		runtime.KeepAlive(f)
	}
	return err
}

// receive returns one message, its descriptors and, where the socket was told
// to pass them on, its sender's credentials. The bytes are good until the next
// call. An error ends the connection.
func (w *wire) receive() (msg []byte, files []*os.File, cred *unix.Ucred, err error) {
	n, oobn, flags, _, err := w.conn.ReadMsgUnix(w.buf, w.oob)
	if err != nil {
		return nil, nil, nil, err
	}
	if n == 0 && oobn == 0 {
		return nil, nil, nil, io.EOF
	}
	defer func() {
		if err != nil {
			closeFiles(files)
			files = nil
		}
	}()
	cmsgs, err := unix.ParseSocketControlMessage(w.oob[:oobn])
	if err != nil {
		return nil, nil, nil, err
	}
	for i := range cmsgs {
		switch {
		case cmsgs[i].Header.Level != unix.SOL_SOCKET:
		case cmsgs[i].Header.Type == unix.SCM_RIGHTS:
			fds, err := unix.ParseUnixRights(&cmsgs[i])
			if err != nil {
				return nil, files, nil, err
			}
			for _, fd := range fds {
				unix.CloseOnExec(fd)
				files = append(files, os.NewFile(uintptr(fd), "passed"))
			}
		case cmsgs[i].Header.Type == unix.SCM_CREDENTIALS:
			if cred, err = unix.ParseUnixCredentials(&cmsgs[i]); err != nil {
				return nil, files, nil, err
			}
		}
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 || n > maxMessage {
		return nil, files, cred, errors.New("message too long or too many descriptors")
	}
	return w.buf[:n], files, cred, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// control runs fn on the descriptor of conn.
func control(conn syscall.Conn, fn func(fd int) error) error {
	rc, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = rc.Control(func(fd uintptr) {
		if fd > math.MaxInt32 {
			inner = errors.New("descriptor out of range")
			return
		}
		inner = fn(int(fd))
	})
	return errors.Join(err, inner)
}

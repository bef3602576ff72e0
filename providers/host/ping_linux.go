package host

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/cim"
)

const (
	echoHeader      = 8 // type, code, checksum, identifier, sequence number
	echoRequest4    = 8
	echoReply4      = 0
	echoRequest6    = 128
	echoReply6      = 129
	largestIPPacket = 1 << 16
)

// echo is one exchange over an ICMP datagram socket: the kernel owns the identifier and the checksum, and hands over
// the answers to this socket only. See icmp(7), icmp_echo, and ping_group_range.
type echo struct {
	fd      int
	six     bool
	options pingOptions
	request []byte
	sent    time.Time
	reply   pingReply
	buffer  []byte
	control [512]byte
}

// ping sends one echo request and waits for what comes back.
func ping(ctx context.Context, o pingOptions) (pingReply, error) {
	e := &echo{options: o, six: !o.address.Is4(), buffer: make([]byte, largestIPPacket)}
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if e.six {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return pingReply{}, &cim.Error{Status: cim.ErrAccessDenied, Path: "Win32_PingStatus", Err: err,
			Detail: "the service may not send echo requests: net.ipv4.ping_group_range must admit its group"}
	}
	if err != nil {
		return pingReply{}, err
	}
	e.fd = fd
	f := os.NewFile(uintptr(fd), "icmp")
	defer f.Close()
	if err := e.send(); err != nil {
		return pingReply{status: pingStatus(err)}, nil
	}
	return e.receive(ctx, f)
}

// send sets the options and sends the request.
func (e *echo) send() error {
	level, receiveError, ttl, tos, discover, receiveTTL := unix.IPPROTO_IP, unix.IP_RECVERR, unix.IP_TTL, unix.IP_TOS, unix.IP_MTU_DISCOVER, unix.IP_RECVTTL
	kind := byte(echoRequest4)
	var to unix.Sockaddr = &unix.SockaddrInet4{Addr: e.as4()}
	if e.six {
		level, receiveError, ttl, tos, discover, receiveTTL = unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.IPV6_UNICAST_HOPS, unix.IPV6_TCLASS,
			unix.IPV6_MTU_DISCOVER, unix.IPV6_RECVHOPLIMIT
		kind = echoRequest6
		to = &unix.SockaddrInet6{Addr: e.options.address.As16(), ZoneId: zone(e.options.address.Zone())}
	}
	fragment := unix.IP_PMTUDISC_DONT
	if e.options.noFragment {
		fragment = unix.IP_PMTUDISC_DO
	}
	for _, option := range [][2]int{{receiveError, 1}, {receiveTTL, 1}, {ttl, e.options.ttl}, {tos, e.options.tos}, {discover, fragment}} {
		if err := unix.SetsockoptInt(e.fd, level, option[0], option[1]); err != nil {
			return err
		}
	}
	if err := unix.Connect(e.fd, to); err != nil {
		return err
	}
	e.request = make([]byte, echoHeader, echoHeader+len(e.options.payload))
	e.request[0] = kind
	binary.BigEndian.PutUint16(e.request[6:], 1)
	e.request = append(e.request, e.options.payload...)
	e.sent = time.Now()
	return unix.Sendto(e.fd, e.request, 0, nil)
}

func (e *echo) as4() (a [4]byte) {
	if !e.six {
		a = e.options.address.As4()
	}
	return a
}

func zone(name string) uint32 {
	if name == "" {
		return 0
	}
	var n uint32
	for _, c := range []byte(name) { // an index; names are not for the callers of other machines
		if c < '0' || c > '9' || n > 1<<24 {
			return 0
		}
		n = 10*n + uint32(c-'0')
	}
	return n
}

// receive waits for the answer or for an error that another machine tells.
func (e *echo) receive(ctx context.Context, f *os.File) (pingReply, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return pingReply{}, err
	}
	if err := f.SetReadDeadline(e.sent.Add(e.options.timeout)); err != nil {
		return pingReply{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var failed error
	err = raw.Read(func(uintptr) (done bool) {
		done, failed = e.read()
		return done
	})
	switch {
	case ctx.Err() != nil:
		return pingReply{}, ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return pingReply{status: pingTimedOut}, nil
	case err != nil:
		return pingReply{}, err
	case failed != nil:
		return pingReply{status: pingStatus(failed)}, nil
	}
	return e.reply, nil
}

// read takes what has come; done is false where the answer is not among it.
func (e *echo) read() (done bool, err error) {
	for {
		n, controls, _, _, err := unix.Recvmsg(e.fd, e.buffer, e.control[:], unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return false, nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return true, e.reported(err)
		}
		if answer := e.buffer[:n]; e.answers(answer) {
			e.reply = pingReply{time: time.Since(e.sent), payload: append([]byte(nil), answer[echoHeader:]...), ttl: hops(e.control[:controls])}
			return true, nil
		}
	}
}

// answers tells whether a message answers the request. The kernel has compared the identifier.
func (e *echo) answers(b []byte) bool {
	kind := byte(echoReply4)
	if e.six {
		kind = echoReply6
	}
	return len(b) >= echoHeader && b[0] == kind && binary.BigEndian.Uint16(b[6:]) == 1
}

// hops is the time to live of the packet, 0 where it is not told.
func hops(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		four := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TTL
		six := m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT
		if (four || six) && len(m.Data) >= 4 {
			return int(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return 0
}

// icmpError is an error that another machine reported. See RFC 792 and RFC 4443.
type icmpError struct {
	six        bool
	kind, code uint8
}

func (icmpError) Error() string { return "an ICMP error" }

// reported is the ICMP error behind err, where there is one. See ip(7), IP_RECVERR.
func (e *echo) reported(err error) error {
	const originICMP, originICMP6 = 2, 3
	_, n, _, _, failed := unix.Recvmsg(e.fd, e.buffer, e.control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if failed != nil {
		return err
	}
	messages, failed := unix.ParseSocketControlMessage(e.control[:n])
	if failed != nil {
		return err
	}
	for _, m := range messages { // struct sock_extended_err: errno, origin, type, code
		if len(m.Data) >= 7 && (m.Data[4] == originICMP || m.Data[4] == originICMP6) &&
			(m.Header.Type == unix.IP_RECVERR || m.Header.Type == unix.IPV6_RECVERR) {
			return icmpError{six: m.Data[4] == originICMP6, kind: m.Data[5], code: m.Data[6]}
		}
	}
	return err
}

// status4 and status6 are the values of StatusCode for the type of an ICMP error; of "unreachable" the code tells more.
var (
	status4 = map[uint8]uint32{11: pingTTLExpired, 12: pingParameter}
	status6 = map[uint8]uint32{2: pingPacketTooBig, 3: pingTTLExpired, 4: pingParameter}
)

func (e icmpError) status() uint32 {
	unreachable, byType := uint8(3), status4
	if e.six {
		unreachable, byType = 1, status6
	}
	s, ok := byType[e.kind]
	switch {
	case ok && s == pingTTLExpired && e.code == 1:
		return pingTTLReassembly
	case ok:
		return s
	case e.kind != unreachable:
		return pingGeneralFailure
	case e.six && e.code == 0:
		return pingNetUnreachable
	case e.six && e.code == 4:
		return pingPortUnreachable
	case e.six && e.code == 1:
		return pingProtUnreachable // prohibited has the same number
	case e.six:
		return pingHostUnreachable
	}
	switch e.code {
	case 0, 6, 9, 11:
		return pingNetUnreachable
	case 2:
		return pingProtUnreachable
	case 3:
		return pingPortUnreachable
	case 4:
		return pingPacketTooBig
	}
	return pingHostUnreachable
}

// pingStatus is the value of StatusCode for an error of this machine or another.
func pingStatus(err error) uint32 {
	var reported icmpError
	if errors.As(err, &reported) {
		return reported.status()
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return pingGeneralFailure
	}
	switch errno {
	case unix.ENETUNREACH:
		return pingNetUnreachable
	case unix.EHOSTUNREACH, unix.EHOSTDOWN:
		return pingHostUnreachable
	case unix.EMSGSIZE:
		return pingPacketTooBig
	case unix.ENOBUFS, unix.ENOMEM:
		return pingNoResources
	}
	return pingGeneralFailure
}

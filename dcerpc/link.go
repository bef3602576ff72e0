package dcerpc

import (
	"bufio"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is what both ends of a connection have in common: fragments in and out. One goroutine reads; writers take turns.
type link struct {
	nc net.Conn

	// Of the reader.
	br          *bufio.Reader
	in          []byte
	pdu         pdu
	maxRecv     int           // longest fragment of a call that is accepted
	fragTimeout time.Duration // from the first octet of a fragment to its last

	// Of both. Set while no call is in flight, but for signHeaders, which an alter_context may switch on.
	maxXmit     int
	signHeaders atomic.Bool

	wmu          sync.Mutex
	out          []byte
	writeTimeout time.Duration
}

func (l *link) init(nc net.Conn) {
	l.nc = nc
	l.br = bufio.NewReaderSize(nc, 8<<10)
}

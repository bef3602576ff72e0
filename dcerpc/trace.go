package dcerpc

import "github.com/casementhq/casement/auth"

// Trace has hooks that are called as calls of a client go through their layers, as net/http/httptrace has. Each may be nil, may be called from
// several goroutines, and must not block.
type Trace struct {
	// Connected tells of a TCP connection, or why there is none.
	Connected func(address string, err error)
	// Bound tells what the server said to an interface: a nil error, a *BindError or a *RejectedError, or why there was no answer. The
	// transfer syntax is the one that it chose.
	Bound func(id, transfer SyntaxID, err error)
	// Authenticated tells of a proved connection (at the client: sent; what the server thinks of the last leg may show at the first call).
	Authenticated func(t AuthType, l Level, id auth.Identity, err error)
	// Request and Response tell of each call in clear. The stubs are valid during the call; err is nil or what the call returns.
	Request  func(id SyntaxID, opnum uint16, stub []byte)
	Response func(id SyntaxID, opnum uint16, stub []byte, err error)
	// Closed tells that the connection ended; err is ErrClosed where the client closed it.
	Closed func(err error)
}

func (t *Trace) connected(address string, err error) {
	if t != nil && t.Connected != nil {
		t.Connected(address, err)
	}
}

func (t *Trace) bound(id, transfer SyntaxID, err error) {
	if t != nil && t.Bound != nil {
		t.Bound(id, transfer, err)
	}
}

func (t *Trace) authenticated(s *Security, err error) {
	if t != nil && t.Authenticated != nil {
		t.Authenticated(s.Type(), s.Level(), s.Identity(), err)
	}
}

func (t *Trace) request(id SyntaxID, opnum uint16, stub []byte) {
	if t != nil && t.Request != nil {
		t.Request(id, opnum, stub)
	}
}

func (t *Trace) response(id SyntaxID, opnum uint16, stub []byte, err error) {
	if t != nil && t.Response != nil {
		t.Response(id, opnum, stub, err)
	}
}

func (t *Trace) closed(err error) {
	if t != nil && t.Closed != nil {
		t.Closed(err)
	}
}

package wmiclient_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// between stands between a client and its host.
type between struct {
	forge atomic.Bool // the next answer becomes a fault without a signature, that the object has disconnected, and ends the connection

	mu    sync.Mutex
	conns []*forged
}

func (b *between) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f := &forged{Conn: c, between: b, gone: make(chan struct{})}
	b.conns = append(b.conns, f)
	return f, nil
}

// cut ends all connections, and waits until the client knows.
func (b *between) cut() {
	b.mu.Lock()
	conns := b.conns
	b.conns = nil
	b.mu.Unlock()
	for _, c := range conns {
		c.Conn.Close()
	}
	for _, c := range conns {
		<-c.gone
	}
}

type forged struct {
	net.Conn
	between *between
	rest    []byte
	over    bool
	once    sync.Once
	gone    chan struct{} // closed when the client gave the connection up
}

func (f *forged) Close() error {
	f.once.Do(func() { close(f.gone) })
	return f.Conn.Close()
}

func (f *forged) Read(b []byte) (int, error) {
	if len(f.rest) == 0 {
		if f.over {
			f.Close()
			return 0, io.EOF
		}
		pdu := make([]byte, 16)
		if _, err := io.ReadFull(f.Conn, pdu); err != nil {
			return 0, err
		}
		pdu = append(pdu, make([]byte, int(binary.LittleEndian.Uint16(pdu[8:]))-16)...)
		if _, err := io.ReadFull(f.Conn, pdu[16:]); err != nil {
			return 0, err
		}
		if pdu[2] == 2 && f.between.forge.CompareAndSwap(true, false) { // [C706] 12.6.4.7
			f.over = true
			fault := append([]byte{5, 0, 3, 3, 0x10, 0, 0, 0, 32, 0, 0, 0}, pdu[12:16]...)
			pdu = append(fault, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x01, 0x01, 0x80, 0, 0, 0, 0)
		}
		f.rest = pdu
	}
	n := copy(b, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// counted is a host whose method Touch of Thing counts how often it runs.
func counted(t *testing.T) (h *host, b *between, s cim.Session, runs *atomic.Int32) {
	h, b, runs = newHost(t), new(between), new(atomic.Int32)
	class := cim.NewClass("Thing", nil).Key("Number", cim.Uint32).StaticMethod("Touch", cim.Uint32).Build(`root\test`)
	on(h.services, wmi.IIDServices, iwbem.OpGetObject, func(context.Context, *dcom.Call, *iwbem.GetObjectRequest) ndr.Marshaler {
		return &iwbem.GetObjectResponse{Object: iwbem.ObjectSlot{Given: true, Object: h.unit(cim.ClassObject(class))}}
	})
	on(h.services, wmi.IIDServices, iwbem.OpExecMethod, func(context.Context, *dcom.Call, *iwbem.ExecMethodRequest) ndr.Marshaler {
		runs.Add(1)
		return &iwbem.ExecMethodResponse{Object: iwbem.ObjectSlot{Given: true}}
	})
	o := h.options()
	o.DialContext = b.dial
	return h, b, h.open(t, o), runs
}

func touch(t *testing.T, s cim.Session) error {
	_, err := s.Invoke(within(t), cim.ObjectPath{Class: "Thing"}, "Touch", nil, cim.OperationOptions{})
	return err
}

// A method is run once, also where somebody on the way makes it look as if the host did not know the session any more.
func TestForgedFaultRunsNothingTwice(t *testing.T) {
	h, b, s, runs := counted(t)
	if err := touch(t, s); err != nil {
		t.Fatal(err)
	}
	h.noted()
	b.forge.Store(true)
	err := touch(t, s)
	if n := runs.Load(); err == nil || n != 2 {
		t.Errorf("the method ran %d times, %v", n-1, err)
	}
	if err := touch(t, s); err != nil || runs.Load() != 3 || !strings.Contains(h.noted(), "NTLMLogin") {
		t.Errorf("the next one: %v", err)
	}
}

// After a restart of the host's service a method runs, once, in a new login.
func TestLoginAgainForAMethod(t *testing.T) {
	h, b, s, runs := counted(t)
	for n := range int32(3) {
		if err := touch(t, s); err != nil || runs.Load() != n+1 {
			t.Fatalf("the method ran %d times, %v", runs.Load(), err)
		}
		if logins := strings.Count(h.noted(), "NTLMLogin"); logins != 1 {
			t.Errorf("%d logins", logins)
		}
		h.exporter.Revoke(h.oid("services"))
		b.cut()
	}
}

package wmiserver_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/wmiserver"
)

// deaf is a connection that stops to read when it is told so.
type deaf struct {
	net.Conn
	stop, closed chan struct{}
	once         sync.Once
}

func (d *deaf) Read(b []byte) (int, error) {
	select {
	case <-d.stop:
		<-d.closed
		return 0, net.ErrClosed
	default:
		return d.Conn.Read(b)
	}
}

func (d *deaf) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Conn.Close()
}

// Clients that ask for much and read nothing cost no more than one answer for each call that waits, and others are served.
func TestSlowReaders(t *testing.T) {
	s := newService(t, wmiserver.Options{})
	long := cim.NewClass("SR_Long", nil).Dynamic().Key("ID", cim.Uint32).Property("Text", cim.String).Build(cimtest.Namespace)
	p := static.New(long)
	body := cim.Str(strings.Repeat("x", 10_000))
	for id := range uint32(1000) {
		if err := p.Add(cim.MakeInstance(long, []cim.Value{cim.U32(id), body})); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.manager.Register(p); err != nil {
		t.Fatal(err)
	}
	w := newSteady(t, s)
	const clients, calls = 8, 4
	stop := make(chan struct{})
	var mu sync.Mutex
	var conns []*deaf
	before := heap()
	var wg sync.WaitGroup
	for range clients {
		slow := dcom.NewClient(dcom.ClientOptions{Blanket: as("admin", dcerpc.LevelPacket, false), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			select {
			case <-stop: // its releases at the end have nobody to wait for
				nc.Close()
				return nil, net.ErrClosed
			default:
			}
			d := &deaf{Conn: nc, stop: stop, closed: make(chan struct{})}
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, d)
			return d, nil
		}})
		c := s.clientOf(t, slow)
		services := c.open(cimtest.Namespace)
		for range calls {
			enum := c.query(services, "SELECT * FROM SR_Long", 0x30)
			wg.Go(func() {
				<-stop
				err := enum.Call(t.Context(), iwbem.OpNext, &iwbem.NextRequest{Timeout: iwbem.Forever, Count: 1000}, &iwbem.NextResponse{})
				if err == nil {
					t.Error("a deaf client has an answer")
				}
			})
		}
	}
	close(stop)
	goOn := w.goOn()
	// What is under way settles: until then answers are made that go nowhere.
	most, cost := int64(clients*calls)*3<<20, int64(0)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		time.Sleep(2 * time.Second)
		if cost = heap() - before; cost <= most {
			break
		}
	}
	if n := goOn(); n == 0 {
		t.Error("the well-behaved client was not served")
	} else {
		t.Logf("%d calls answered beside %d that nobody reads, which cost %d KiB each", n, clients*calls, cost>>10/(clients*calls))
	}
	if cost > most {
		t.Errorf("%d MiB", cost>>20)
	}
	for _, d := range conns {
		d.Close()
	}
	wg.Wait()
}

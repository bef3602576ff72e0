package decoupled

import (
	"bufio"
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
)

// pipes is a listener whose connections are in memory.
type pipes struct {
	c    chan net.Conn
	done chan struct{}
	once sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.c:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return nil }

// TestRecheck: what takes an account's right to be a provider away cuts it: at
// once where somebody says so for its namespace, else within ten seconds.
func TestRecheck(t *testing.T) {
	for name, tell := range map[string]func(*Registrar){
		"told":  func(g *Registrar) { g.Recheck(`ROOT\cimv2`) },
		"later": func(*Registrar) { time.Sleep(recheckTime + time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var admitted atomic.Bool
				admitted.Store(true)
				g := NewRegistrar(RegistrarOptions{
					UID: func(net.Conn) (uint32, error) { return 1000, nil },
					Admit: func(context.Context, uint32, string, string) error {
						if !admitted.Load() {
							return cim.ErrAccessDenied
						}
						return nil
					},
				})
				l := &pipes{c: make(chan net.Conn), done: make(chan struct{})}
				served := make(chan error)
				go func() { served <- g.Serve(l) }()
				here, there := net.Pipe()
				l.c <- there
				go func() {
					_, _ = here.Write([]byte(`{"register":"P","namespace":"root/cimv2","protocol":1}` + "\n"))
				}()
				r := bufio.NewReader(here)
				if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, `"registered":true`) {
					t.Fatalf("%s %v", line, err)
				}
				g.Recheck(`root\cimv2`)
				time.Sleep(2 * recheckTime)
				synctest.Wait()
				if len(g.Connected()) != 1 {
					t.Fatal("a provider that is admitted is cut")
				}
				admitted.Store(false)
				g.Recheck(`root\cim`)
				synctest.Wait()
				if len(g.Connected()) != 1 {
					t.Error("a change in another namespace cuts the provider")
				}
				tell(g)
				synctest.Wait()
				if list := g.Connected(); len(list) != 0 {
					t.Errorf("still connected: %v", list)
				}
				if _, err := r.ReadByte(); err == nil {
					t.Error("the connection is open")
				}
				here.Close()
				if err := g.Close(); err != nil {
					t.Error(err)
				}
				if err := <-served; err != nil {
					t.Error(err)
				}
				if len(g.members) != 0 {
					t.Errorf("%d connections are remembered", len(g.members))
				}
			})
		})
	}
}

package service

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// afar is a listener whose connections come from another machine.
type afar struct{ net.Listener }

func (l afar) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return farConn{c.(*net.TCPConn)}, nil
}

type farConn struct{ *net.TCPConn }

func (c farConn) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port(c.TCPConn.LocalAddr())))
}

func (c farConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), port(c.TCPConn.RemoteAddr())))
}

func port(a net.Addr) uint16 { return a.(*net.TCPAddr).AddrPort().Port() }

// Each listener of the service asks the rules as they are now, and resets what they refuse before anything is read (checklist 0.04, 0.07, 2.12).
func TestFirewallAtTheListeners(t *testing.T) {
	state := at(t, t.TempDir()+"/state", testTime())
	bootstrap(t, state, BootstrapOptions{HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0"})
	svc, err := New(state, Options{DCOMPort: -1, Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
		l, err := new(net.ListenConfig).Listen(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return afar{l}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- svc.Serve(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, svc.Close()); err != nil {
			t.Error(err)
		}
	})
	<-ready
	dcom := svc.DCOM()
	winrm := svc.WinRM.Listening()
	if dcom.Resolver == "" || len(winrm) != 2 {
		t.Fatalf("it listens at %v and %v", dcom, winrm)
	}
	passes := func(address string) bool {
		t.Helper()
		c, err := net.Dial("tcp", address)
		if err == nil {
			defer c.Close()
			if err = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err == nil {
				_, err = c.Read(make([]byte, 1))
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v, want silence or a reset", address, err)
		}
		return errors.Is(err, os.ErrDeadlineExceeded)
	}
	now := func(when string, toWinRM, to135, toWMI bool) {
		t.Helper()
		for _, address := range winrm {
			if passes(address) != toWinRM {
				t.Errorf("%s: WinRM at %s passes: %v", when, address, !toWinRM)
			}
		}
		if passes(dcom.Resolver) != to135 || passes(dcom.WMI) != toWMI {
			t.Errorf("%s: 135 passes %v, WMI %v", when, !to135, !toWMI)
		}
	}
	update := func(f func(tx *registry.Tx) error) {
		t.Helper()
		if err := state.Hive.Update(f); err != nil {
			t.Fatal(err)
		}
	}
	rule := func(id string, dir firewall.Direction, program, service string) {
		t.Helper()
		update(func(tx *registry.Tx) error {
			return firewall.Put(tx, firewall.Rule{ID: id, Name: id, Action: firewall.Allow, Active: true, Dir: dir, Protocol: firewall.TCP, Program: program, Service: service})
		})
	}
	now("fresh", false, false, false)
	rule("{system}", firewall.In, firewall.ProgramSystem, "")
	now("WinRM", true, false, false)
	rule("{rpcss}", firewall.In, firewall.ProgramSvchost, firewall.ServiceRPC)
	now("and 135", true, true, false)
	rule("{winmgmt}", firewall.In, firewall.ProgramSvchost, firewall.ServiceWMI)
	now("and WMI", true, true, true)
	update(func(tx *registry.Tx) error {
		return settings.Apply(tx, []settings.Change{{Key: firewall.KeyPresent, Name: firewall.PresentName, Value: registry.SZ("Domain")},
			{Key: firewall.KeyProfiles + `\DomainProfile`, Name: string(firewall.SettingShielded), Value: registry.DWORD(1)}})
	})
	now("shielded", false, false, false)
}

// Package casementtest runs a whole Casement service inside a Go test, as
// net/http/httptest does for HTTP: a WinRM endpoint with real authentication,
// message encryption, queries, shells and configuration, and WMI over DCOM, on
// free loopback ports, over a state folder of its own.
package casementtest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/shell"
)

// Options make a Server; the zero value serves this machine's own classes to
// its Administrator, with Negotiate and, over HTTPS, Basic.
type Options struct {
	// Opener stands in for this machine's object manager: an object manager
	// with fixtures of yours (cimom and providers/static), or anything else
	// that opens CIM sessions.
	Opener cim.Opener
	// Vendor and Product are what an authenticated Identify tells in place of our
	// own, for a simulated host: "Microsoft Corporation" and "OS: 6.1.7601 SP: 1.0
	// Stack: 2.0".
	Vendor, Product string
	// Settings are values to put before the service starts, by path:
	// "Service/AllowUnencrypted": "true".
	Settings map[string]string
	// Users are more accounts, by name; the value is the password. They are
	// members of Administrators.
	Users map[string]string
	// Log takes the service's log. Default: nowhere.
	Log io.Writer
	// Starter starts the commands of shells. Default: as the user of the test;
	// root is refused, as it always is.
	Starter shell.Starter
	// Listen opens listening sockets. Default: net.Listen.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
}

// Server is a running service.
type Server struct {
	HTTP, HTTPS    string // URLs
	DCOM           string // host:port of the endpoint mapper and activator
	User, Password string // the built-in Administrator
	Thumbprint     string // SHA-256 of the certificate, hexadecimal
	Service        *service.Service

	t      testing.TB
	cancel context.CancelFunc
	done   chan error
}

// New starts a service and ends it with the test.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{t: t, done: make(chan error, 1)}
	log := slog.New(slog.DiscardHandler)
	if o.Log != nil {
		log = slog.New(slog.NewTextHandler(o.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	dir, err := os.MkdirTemp("", "casementtest-")
	check(t, err)
	state, err := service.OpenState(dir, service.StateOptions{Create: true, Service: true, Logger: log})
	check(t, err)
	made, err := state.Bootstrap(service.BootstrapOptions{HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0"})
	check(t, err)
	s.HTTP, s.HTTPS, s.User, s.Password, s.Thumbprint = made.HTTP, made.HTTPS, made.User, made.Password, made.Thumbprint
	for name, password := range o.Users {
		addUser(t, state, name, password, "Administrators")
	}
	if o.Starter == nil && os.Geteuid() == 0 {
		check(t, state.Accounts.SetUnixUser(s.User, "nobody", false))
		o.Starter = shell.Direct{}
	}
	if o.Listen == nil {
		o.Listen = hold(t, made.HTTP, made.HTTPS)
	}
	so := service.Options{Opener: o.Opener, Logger: log, Starter: o.Starter, Listen: o.Listen, DCOMPort: -1, Vendor: o.Vendor, Product: o.Product}
	s.Service, err = service.New(state, so)
	check(t, err)
	for path, value := range o.Settings {
		s.Set(path, value)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	ready := make(chan struct{})
	go func() { s.done <- s.Service.Serve(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		s.Close()
		if err := errors.Join(s.Service.Close(), state.Close()); err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	select {
	case <-ready:
	case err := <-s.done:
		t.Fatalf("casementtest: the service ended: %v", err)
	}
	s.waitListening()
	dcom := s.Service.DCOM()
	check(t, dcom.Err)
	s.DCOM = dcom.Resolver
	return s
}

// hold opens the ports of URLs at once, so that no other program gets them before the
// service listens, and gives what hands them over.
func hold(t testing.TB, urls ...string) func(ctx context.Context, network, address string) (net.Listener, error) {
	t.Helper()
	var mu sync.Mutex
	held := map[string]net.Listener{}
	for _, text := range urls {
		u, err := url.Parse(text)
		check(t, err)
		if l, err := net.Listen("tcp", u.Host); err == nil { // else the service tries again
			held[u.Host] = l
			t.Cleanup(func() { l.Close() })
		}
	}
	return func(ctx context.Context, network, address string) (net.Listener, error) {
		mu.Lock()
		l := held[address]
		delete(held, address)
		mu.Unlock()
		if l != nil {
			return l, nil
		}
		return new(net.ListenConfig).Listen(ctx, network, address)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("casementtest: %v", err)
	}
}

// waitListening waits until both listeners answer.
func (s *Server) waitListening() {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if len(s.Service.WinRM.Listening()) >= 2 {
			return
		}
		if time.Now().After(end) {
			s.t.Fatal("casementtest: the listeners did not open")
		}
	}
}

// Set changes a setting of winrm/config by its path, as an administrator
// would: Set("Winrs/MaxShellsPerUser", "2"). The running service follows.
func (s *Server) Set(path, value string) {
	s.t.Helper()
	state := s.Service.State
	err := state.Hive.Update(func(tx *registry.Tx) error {
		changes, err := state.Snapshot().WinRM.Validate(settings.URIConfig, []settings.NameValue{{Name: path, Value: value}})
		if err != nil {
			return err
		}
		return settings.Apply(tx, changes)
	})
	check(s.t, err)
}

// Apply changes the hive, as a policy or an administrator's tool would. The
// running service follows.
func (s *Server) Apply(changes ...settings.Change) {
	s.t.Helper()
	check(s.t, s.Service.State.Hive.Update(func(tx *registry.Tx) error { return settings.Apply(tx, changes) }))
}

// Dial opens a raw connection to the HTTP listener, for tests of what no
// client would send.
func (s *Server) Dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.HTTP[len("http://"):len(s.HTTP)-len("/wsman")])
	check(s.t, err)
	s.t.Cleanup(func() { c.Close() })
	return c
}

// Close ends the service; the end of the test does it too.
func (s *Server) Close() {
	s.cancel()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("casementtest: the service ended with %v", err)
		}
		s.done <- nil
	case <-time.After(20 * time.Second):
		s.t.Error("casementtest: the service did not end")
	}
}

// AddUser adds an account, a member of groups, while the service runs. Its
// commands run as the user of the test, or as nobody where that is root.
func (s *Server) AddUser(name, password string, groups ...string) {
	s.t.Helper()
	addUser(s.t, s.Service.State, name, password, groups...)
}

func addUser(t testing.TB, state *service.State, name, password string, groups ...string) {
	t.Helper()
	_, err := state.Accounts.AddUser(accounts.NewUser{Name: name, Password: password})
	check(t, err)
	for _, g := range groups {
		check(t, state.Accounts.AddMember(g, name))
	}
	if os.Geteuid() == 0 {
		check(t, state.Accounts.SetUnixUser(name, "nobody", false))
	}
}

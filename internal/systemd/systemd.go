// Package systemd reads and drives services of the system manager over D-Bus.
// It is the only importer of go-systemd. Elsewhere than on a host with systemd
// Available is false and everything else fails with ErrUnavailable.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// BusEnv names the environment variable with the address to connect to
// instead of the system bus, as D-Bus writes it (unix:path=...). An address
// that ends in /systemd/private is taken for the manager's own socket, which
// is not a bus.
const BusEnv = "CASEMENT_SYSTEMD_BUS"

// ErrUnavailable says that there is no systemd to talk to.
var ErrUnavailable = errors.New("systemd is not running on this host")

// ErrNoUnit says that there is no such unit.
var ErrNoUnit = errors.New("there is no such unit")

// Options say where to connect. The zero value is the system's own manager.
type Options struct {
	// Address overrides BusEnv and the system bus.
	Address string
}

func (o Options) address() string {
	if o.Address != "" {
		return o.Address
	}
	return os.Getenv(BusEnv)
}

// Available reports whether this host was started by systemd, or an address
// was given. It does not connect.
func Available(o Options) bool {
	if o.address() != "" {
		return true
	}
	st, err := os.Lstat("/run/systemd/system") // the test of sd_booted(3)
	return err == nil && st.IsDir()
}

// Manager is a connection to the manager. Its methods may be called
// concurrently.
type Manager struct {
	conn *sd.Conn
}

// Connect opens a connection; Close ends it.
func Connect(ctx context.Context, o Options) (*Manager, error) {
	if !Available(o) {
		return nil, ErrUnavailable
	}
	addrs := []string{o.address()}
	if addrs[0] == "" {
		addrs = systemAddresses()
	}
	var c *sd.Conn
	var err error
	for _, addr := range addrs {
		c, err = sd.NewConnection(func() (*dbus.Conn, error) { return dial(ctx, addr) })
		if err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("connect to systemd: %w: %w", ErrUnavailable, err)
	}
	return &Manager{conn: c}, nil
}

// systemAddresses are the system bus and, for a root without a bus, the
// manager's own socket.
func systemAddresses() []string {
	bus := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
	if bus == "" {
		bus = "unix:path=/run/dbus/system_bus_socket"
	}
	return []string{bus, "unix:path=/run/systemd/private"}
}

// dial connects and authenticates as this user; a bus wants a Hello, too.
func dial(ctx context.Context, addr string) (*dbus.Conn, error) {
	c, err := dbus.Dial(addr)
	if err != nil {
		return nil, err
	}
	// The library's own dial takes a context for the life of the connection;
	// this one bounds only what comes before it is up.
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	err = c.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))})
	path, _, _ := strings.Cut(addr, ",")
	if err == nil && !strings.HasSuffix(path, "/systemd/private") {
		err = c.Hello()
	}
	if err != nil {
		_ = c.Close()
		return nil, errors.Join(err, ctx.Err())
	}
	return c, nil
}

// Close ends the connection.
func (m *Manager) Close() { m.conn.Close() }

// failed names the operation and tells a missing unit from the rest.
func failed(what, unit string, err error) error {
	var e dbus.Error
	if errors.As(err, &e) && (e.Name == "org.freedesktop.systemd1.NoSuchUnit" || e.Name == "org.freedesktop.DBus.Error.FileNotFound") {
		err = fmt.Errorf("%w: %w", ErrNoUnit, err)
	}
	if unit == "" {
		return fmt.Errorf("systemd: %s: %w", what, err)
	}
	return fmt.Errorf("systemd: %s %s: %w", what, unit, err)
}

// withSuffix completes the name of a service.
func withSuffix(name string) string {
	if strings.Contains(name, ".") {
		return name
	}
	return name + ".service"
}

// microseconds converts systemd's time; 0 and infinity are unknown.
func microseconds(us uint64) time.Time {
	if us == 0 || us == ^uint64(0) {
		return time.Time{}
	}
	return time.UnixMicro(int64(us))
}

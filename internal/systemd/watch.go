package systemd

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// The signals of the manager and of its units that Watch waits for.
var watched = []string{
	"type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager'",
	"type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.DBus.Properties',path_namespace='/org/freedesktop/systemd1/unit'",
}

// Watch calls changed when it has begun, and then whenever units come, go or
// change, or their files do. It does not say which: several changes may come as
// one call. It returns when ctx ends or the manager is lost, and has a
// connection of its own.
func Watch(ctx context.Context, o Options, changed func()) error {
	if !Available(o) {
		return ErrUnavailable
	}
	addrs := []string{o.address()}
	if addrs[0] == "" {
		addrs = systemAddresses()
	}
	var c *dbus.Conn
	var err error
	for _, addr := range addrs {
		if c, err = dial(ctx, addr); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("connect to systemd: %w: %w", ErrUnavailable, err)
	}
	defer c.Close()
	signals := make(chan *dbus.Signal, 64)
	c.Signal(signals)
	for _, rule := range watched {
		// The manager's own socket has no bus to route signals: it sends them all.
		_ = c.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.AddMatch", dbus.FlagNoReplyExpected, rule).Err
	}
	manager := c.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
	if err := manager.CallWithContext(ctx, "org.freedesktop.systemd1.Manager.Subscribe", 0).Err; err != nil {
		return fmt.Errorf("watch the units of systemd: %w", err)
	}
	changed()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, open := <-signals:
			if !open {
				return fmt.Errorf("watch the units of systemd: %w", ErrUnavailable)
			}
			changed()
		}
	}
}

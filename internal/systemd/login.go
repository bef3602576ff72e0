package systemd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
)

// PowerAction is what logind does with the machine.
type PowerAction string

// The actions; each stops every process first.
const (
	PowerOff PowerAction = "PowerOff"
	Reboot   PowerAction = "Reboot"
	Halt     PowerAction = "Halt"
)

// ErrDenied says that logind does not let this process do that.
var ErrDenied = errors.New("logind refuses")

// Power asks logind for an action and returns when it has begun: ErrUnavailable, ErrDenied. Nobody is asked for a
// password. o.Address is that of a bus; without it, it is the system bus.
func Power(ctx context.Context, o Options, action PowerAction) error {
	address := o.address()
	if address == "" || strings.HasSuffix(address, "/systemd/private") {
		address = systemAddresses()[0]
	}
	c, err := dial(ctx, address)
	if err != nil {
		return fmt.Errorf("connect to logind: %w: %w", ErrUnavailable, err)
	}
	defer c.Close()
	const interactive = false
	object := c.Object("org.freedesktop.login1", "/org/freedesktop/login1")
	err = object.CallWithContext(ctx, "org.freedesktop.login1.Manager."+string(action), 0, interactive).Err
	var e dbus.Error
	if errors.As(err, &e) {
		switch e.Name {
		case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired":
			err = fmt.Errorf("%w: %w", ErrDenied, err)
		case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner":
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	if err != nil {
		return failed(string(action), "", err)
	}
	return nil
}

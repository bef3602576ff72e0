package host

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/systemd"
	"github.com/casementhq/casement/security"
)

// System error codes, which the methods of Win32_OperatingSystem return.
const (
	systemFailed           = 1 // no code says more
	systemAccessDenied     = 5
	systemNotSupported     = 50
	systemInvalidParameter = 87
)

// Flags of Win32Shutdown.
const (
	shutdownLogOff   = 0
	shutdownShutdown = 1
	shutdownReboot   = 2
	shutdownForce    = 4
	shutdownPowerOff = 8
)

// shutdownAllowed tells whether the caller has the privilege that stopping the machine needs from where they call.
func shutdownAllowed(c cim.Caller) error {
	need := security.SeShutdown
	if c.Remote {
		need = security.SeRemoteShutdown
	}
	if c.Token == nil || !c.Token.HasPrivilege(need) {
		return &cim.Error{Status: cim.ErrPrivilegeNotHeld, Path: "Win32_OperatingSystem", Detail: "the method needs " + string(need)}
	}
	return nil
}

// power makes a method that stops the machine.
func power(action systemd.PowerAction) method {
	return func(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
		if err := shutdownAllowed(c.caller); err != nil {
			return 0, nil, err
		}
		return p.stopMachine(ctx, action), nil, nil
	}
}

// stopMachine gives the system error code for what logind said.
func (p *Provider) stopMachine(ctx context.Context, action systemd.PowerAction) uint32 {
	if p.o.Power == nil {
		return systemNotSupported
	}
	err := p.o.Power(ctx, action)
	switch {
	case err == nil:
		p.log.Info("the machine is being stopped", "action", string(action))
		return returnOK
	case errors.Is(err, systemd.ErrUnavailable):
		return systemNotSupported
	case errors.Is(err, systemd.ErrDenied):
		return systemAccessDenied
	}
	p.log.Warn("the machine was not stopped", "action", string(action), "error", err)
	return systemFailed
}

// win32Shutdown stops the machine as its flags say. logind ends every process in any case, so that Force changes
// nothing. There is no session of the caller to log off.
func win32Shutdown(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	if err := shutdownAllowed(c.caller); err != nil {
		return 0, nil, err
	}
	flags, ok := c.in.Get("Flags").Int()
	if !ok {
		return systemInvalidParameter, nil, nil
	}
	switch flags &^ shutdownForce {
	case shutdownLogOff:
		return systemNotSupported, nil, nil
	case shutdownShutdown:
		return p.stopMachine(ctx, systemd.Halt), nil, nil
	case shutdownReboot:
		return p.stopMachine(ctx, systemd.Reboot), nil, nil
	case shutdownPowerOff, shutdownPowerOff | shutdownShutdown:
		return p.stopMachine(ctx, systemd.PowerOff), nil, nil
	}
	return systemInvalidParameter, nil, nil
}

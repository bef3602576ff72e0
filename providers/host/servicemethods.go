package host

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
)

// serviceReturn is the documented return value for what the service manager said.
func (p *Provider) serviceReturn(method, name string, err error) uint32 {
	switch {
	case err == nil:
		return returnOK
	case errors.Is(err, ErrServiceDenied):
		return returnAccessDenied
	case errors.Is(err, ErrServiceDisabled):
		return returnDisabled
	case errors.Is(err, ErrNoService):
		return returnPathNotFound
	case errors.Is(err, ErrServiceTimeout), errors.Is(err, context.DeadlineExceeded):
		return returnTimeout
	}
	p.log.Warn("a service did not do what it was asked", "method", method, "service", name, "error", err)
	return returnUnknownFailure
}

// change runs f with the state of the service that the path names.
func (p *Provider) changeService(ctx context.Context, c *call, method string, f func(s *Service) (uint32, error)) (uint32, cim.NamedArray, error) {
	name := c.key("Name")
	if p.o.Services == nil {
		return returnNotSupported, nil, nil
	}
	s, err := p.o.Services.Get(ctx, name, false)
	if err != nil {
		return p.serviceReturn(method, name, err), nil, nil
	}
	value, err := f(&s)
	if err != nil {
		return p.serviceReturn(method, name, err), nil, nil
	}
	return value, nil, nil
}

// asCaller does deeds as the caller's own Unix user where the service manager refuses this process, which is not root.
func (p *Provider) asCaller(ctx context.Context, c *call, name string, err error, deeds ...ServiceDeed) error {
	if !errors.Is(err, ErrServiceDenied) || p.o.ControlService == nil {
		return err
	}
	for _, do := range deeds {
		if err := p.o.ControlService(ctx, c.caller, do, name); err != nil {
			return err
		}
	}
	return nil
}

func startService(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	return p.changeService(ctx, c, "StartService", func(s *Service) (uint32, error) {
		switch {
		case serviceState(s.ActiveState) == "Running":
			return returnAlreadyRunning, nil
		case startMode(s.UnitFileState, s.LoadState) == StartDisabled:
			return returnDisabled, nil
		}
		return returnOK, p.asCaller(ctx, c, s.Name, p.o.Services.Start(ctx, s.Name), ServiceStart)
	})
}

func stopService(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	return p.changeService(ctx, c, "StopService", func(s *Service) (uint32, error) {
		if serviceState(s.ActiveState) == "Stopped" {
			return returnNotActive, nil
		}
		return returnOK, p.asCaller(ctx, c, s.Name, p.o.Services.Stop(ctx, s.Name), ServiceStop)
	})
}

func changeStartMode(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	var mode StartMode
	switch cim.Fold(c.text("StartMode")) {
	case "automatic", "auto":
		mode = StartAuto
	case "manual":
		mode = StartManual
	case "disabled":
		mode = StartDisabled
	default: // Boot and System are for drivers
		return returnInvalidParameter, nil, nil
	}
	return p.changeService(ctx, c, "ChangeStartMode", func(s *Service) (uint32, error) {
		deeds := map[StartMode][]ServiceDeed{StartAuto: {ServiceUnmask, ServiceEnable}, StartManual: {ServiceUnmask, ServiceDisable}, StartDisabled: {ServiceMask}}[mode]
		return returnOK, p.asCaller(ctx, c, s.Name, p.o.Services.SetStartMode(ctx, s.Name, mode), deeds...)
	})
}

// changeServiceConfig changes the start mode. What else a service is, its unit file says, which belongs to whoever
// wrote it.
func changeServiceConfig(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	for _, a := range c.in {
		if !cim.EqualFold(a.Name, "StartMode") && !a.Value.IsNull() {
			return returnNotSupported, nil, nil
		}
	}
	return changeStartMode(ctx, p, c)
}

// serviceNotSupported: services come and go with packages and unit files.
func serviceNotSupported(context.Context, *Provider, *call) (uint32, cim.NamedArray, error) {
	return returnNotSupported, nil, nil
}

// interrogateService asks whether the service answers for its state, which the service manager does.
func interrogateService(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	return p.changeService(ctx, c, "InterrogateService", func(s *Service) (uint32, error) {
		if serviceState(s.ActiveState) == "Stopped" {
			return returnNotActive, nil
		}
		return returnOK, nil
	})
}

// controlService sends a control that no service here accepts: to pause, to continue, of its own making.
func controlService(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	return p.changeService(ctx, c, "a control", func(s *Service) (uint32, error) {
		if serviceState(s.ActiveState) == "Stopped" {
			return returnNotActive, nil
		}
		return returnInvalidControl, nil
	})
}

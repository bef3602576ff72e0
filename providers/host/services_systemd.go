package host

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/casementhq/casement/internal/systemd"
)

// Systemd is the service manager of this machine, or nil where systemd does not run: then there are no services. It
// connects when it is first used and again after the connection was lost.
func Systemd(o systemd.Options) Services {
	if !systemd.Available(o) {
		return nil
	}
	return &systemdServices{options: o}
}

type systemdServices struct {
	options systemd.Options

	mu      sync.Mutex
	manager *systemd.Manager
}

// with runs f on the connection, once more on a new one where the old one was lost.
func (s *systemdServices) with(ctx context.Context, f func(*systemd.Manager) error) error {
	for try := range 2 {
		m, fresh, err := s.connect(ctx)
		if err != nil {
			return err
		}
		err = f(m)
		if err == nil || try > 0 || fresh || !lost(err) {
			return s.translate(err)
		}
		s.drop(m)
	}
	return nil
}

// Watch tells of changes. See [ServiceWatcher].
func (s *systemdServices) Watch(ctx context.Context, changed func()) error {
	return systemd.Watch(ctx, s.options, changed)
}

func (s *systemdServices) connect(ctx context.Context) (m *systemd.Manager, fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.manager != nil {
		return s.manager, false, nil
	}
	m, err = systemd.Connect(ctx, s.options)
	if err != nil {
		return nil, false, err
	}
	s.manager = m
	return m, true, nil
}

func (s *systemdServices) drop(m *systemd.Manager) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.manager == m {
		s.manager = nil
	}
	m.Close()
}

// lost tells whether an error may come from the connection rather than from the manager.
func lost(err error) bool {
	text := err.Error()
	return !errors.Is(err, systemd.ErrNoUnit) &&
		(strings.Contains(text, "connection closed") || strings.Contains(text, "broken pipe") || strings.Contains(text, "EOF"))
}

// translate gives the errors of this package for those of systemd.
func (*systemdServices) translate(err error) error {
	if err == nil {
		return nil
	}
	var job *systemd.JobError
	text := err.Error()
	switch {
	case errors.Is(err, systemd.ErrNoUnit):
		return errors.Join(ErrNoService, err)
	case errors.As(err, &job) && job.Result == "timeout":
		return errors.Join(ErrServiceTimeout, err)
	case strings.Contains(text, "is masked"):
		return errors.Join(ErrServiceDisabled, err)
	case strings.Contains(text, "Access denied"), strings.Contains(text, "authentication required"), strings.Contains(text, "AccessDenied"),
		strings.Contains(text, "Permission denied"), strings.Contains(text, "PolicyKit1"): // the last two where no polkit answers
		return errors.Join(ErrServiceDenied, err)
	}
	return err
}

func (s *systemdServices) List(ctx context.Context, _ bool) (out []Service, err error) {
	err = s.with(ctx, func(m *systemd.Manager) error {
		units, err := m.Services(ctx)
		out = make([]Service, 0, len(units))
		for i := range units {
			out = append(out, serviceOf(&units[i]))
		}
		return err
	})
	return out, err
}

// unitCharacters may stand in the name of a unit; see systemd.unit(5).
const unitCharacters = `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\@`

func (s *systemdServices) Get(ctx context.Context, name string, _ bool) (out Service, err error) {
	if name == "" || strings.Trim(name, unitCharacters) != "" || len(name) > 247 {
		return Service{}, ErrNoService
	}
	err = s.with(ctx, func(m *systemd.Manager) error {
		u, err := m.Unit(ctx, name+".service")
		out = serviceOf(&u)
		return err
	})
	return out, err
}

func serviceOf(u *systemd.Unit) Service {
	command := strings.Join(u.ExecStart, " ")
	if command == "" {
		command = u.ExecStartPath
	}
	return Service{
		Name: strings.TrimSuffix(u.Name, ".service"), Description: u.Description, LoadState: u.LoadState,
		ActiveState: u.ActiveState, SubState: u.SubState, UnitFileState: u.UnitFileState,
		Detailed: true, Type: u.Type, MainPID: u.MainPID, ExecStart: command, User: u.User,
		ExecMainStatus: u.ExecMainStatus, Requires: u.Requires, Wants: u.Wants,
	}
}

func (s *systemdServices) Start(ctx context.Context, name string) error {
	return s.with(ctx, func(m *systemd.Manager) error { return m.Start(ctx, name+".service") })
}

func (s *systemdServices) Stop(ctx context.Context, name string) error {
	return s.with(ctx, func(m *systemd.Manager) error { return m.Stop(ctx, name+".service") })
}

func (s *systemdServices) SetStartMode(ctx context.Context, name string, mode StartMode) error {
	unit := name + ".service"
	return s.with(ctx, func(m *systemd.Manager) error {
		if mode == StartDisabled {
			return m.Mask(ctx, unit)
		}
		u, err := m.Unit(ctx, unit)
		if err != nil {
			return err
		}
		if u.LoadState == "masked" {
			if err := m.Unmask(ctx, unit); err != nil {
				return err
			}
		}
		if mode == StartAuto {
			return m.Enable(ctx, unit)
		}
		return m.Disable(ctx, unit)
	})
}

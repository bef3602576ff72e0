package systemd

import (
	"context"
	"fmt"
)

// JobError says that the manager tried and did not succeed.
type JobError struct {
	Operation, Unit string
	Result          string // failed, timeout, dependency, canceled, skipped
}

func (e *JobError) Error() string {
	return fmt.Sprintf("systemd: %s %s ended with %q; see: journalctl -u %s", e.Operation, e.Unit, e.Result, e.Unit)
}

type startJob func(ctx context.Context, name, mode string, ch chan<- string) (int, error)

// job queues one job and waits for its result.
func (m *Manager) job(ctx context.Context, what, name string, start startJob) error {
	name = withSuffix(name)
	done := make(chan string, 1)
	if _, err := start(ctx, name, "replace", done); err != nil {
		return failed(what, name, err)
	}
	select {
	case <-ctx.Done():
		return failed(what, name, ctx.Err())
	case r := <-done:
		if r != "done" {
			return &JobError{Operation: what, Unit: name, Result: r}
		}
		return nil
	}
}

// Start starts a unit and waits until it is up. It fails with ErrNoUnit or
// *JobError. A unit that runs already stays as it is.
func (m *Manager) Start(ctx context.Context, name string) error {
	return m.job(ctx, "start", name, m.conn.StartUnitContext)
}

// Stop stops a unit and waits until it is down.
func (m *Manager) Stop(ctx context.Context, name string) error {
	return m.job(ctx, "stop", name, m.conn.StopUnitContext)
}

// Restart stops and starts a unit.
func (m *Manager) Restart(ctx context.Context, name string) error {
	return m.job(ctx, "restart", name, m.conn.RestartUnitContext)
}

// Reload has a unit read its configuration again.
func (m *Manager) Reload(ctx context.Context, name string) error {
	return m.job(ctx, "reload", name, m.conn.ReloadUnitContext)
}

// Enable makes a unit start with the system. It does not start it now.
func (m *Manager) Enable(ctx context.Context, name string) error {
	name = withSuffix(name)
	if _, _, err := m.conn.EnableUnitFilesContext(ctx, []string{name}, false, false); err != nil {
		return failed("enable", name, err)
	}
	return m.reread(ctx, "enable", name)
}

// Disable undoes Enable. It does not stop the unit.
func (m *Manager) Disable(ctx context.Context, name string) error {
	name = withSuffix(name)
	if _, err := m.conn.DisableUnitFilesContext(ctx, []string{name}, false); err != nil {
		return failed("disable", name, err)
	}
	return m.reread(ctx, "disable", name)
}

// Mask makes it impossible to start a unit.
func (m *Manager) Mask(ctx context.Context, name string) error {
	name = withSuffix(name)
	if _, err := m.conn.MaskUnitFilesContext(ctx, []string{name}, false, false); err != nil {
		return failed("mask", name, err)
	}
	return m.reread(ctx, "mask", name)
}

// Unmask undoes Mask.
func (m *Manager) Unmask(ctx context.Context, name string) error {
	name = withSuffix(name)
	if _, err := m.conn.UnmaskUnitFilesContext(ctx, []string{name}, false); err != nil {
		return failed("unmask", name, err)
	}
	return m.reread(ctx, "unmask", name)
}

// EnableNow enables a unit and starts it.
func (m *Manager) EnableNow(ctx context.Context, name string) error {
	if err := m.Enable(ctx, name); err != nil {
		return err
	}
	return m.Start(ctx, name)
}

// IsEnabled reports whether a unit starts with the system.
func (m *Manager) IsEnabled(ctx context.Context, name string) (bool, error) {
	u, err := m.Unit(ctx, name)
	return u.UnitFileState == "enabled" || u.UnitFileState == "enabled-runtime", err
}

// reread has the manager see changed links.
func (m *Manager) reread(ctx context.Context, what, name string) error {
	if err := m.conn.ReloadContext(ctx); err != nil {
		return failed(what, name, err)
	}
	return nil
}

package service

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/casementhq/casement/internal/systemd"
)

// The unit of the service and the state folder that it serves.
const (
	unitName  = "casement.service"
	unitState = "/var/lib/casement"
)

// Units is the part of a system manager that quickconfig drives.
type Units interface {
	// Present reports whether a unit is installed, starts with the system, and
	// runs. No manager or no such unit is not an error: why says it.
	Present(ctx context.Context, name string) (enabled, active bool, why string, err error)
	// EnableNow has a unit start with the system and starts it.
	EnableNow(ctx context.Context, name string) error
}

// systemdUnits are the units of this machine's systemd.
type systemdUnits struct{}

// Present implements Units.
func (systemdUnits) Present(ctx context.Context, name string) (enabled, active bool, why string, err error) {
	if !systemd.Available(systemd.Options{}) {
		return false, false, "this system does not run systemd", nil
	}
	m, err := systemd.Connect(ctx, systemd.Options{})
	if err != nil {
		return false, false, "", fmt.Errorf("ask systemd: %w", err)
	}
	defer m.Close()
	u, err := m.Unit(ctx, name)
	if errors.Is(err, systemd.ErrNoUnit) || err == nil && u.LoadState == "not-found" {
		return false, false, "the unit " + name + " is not installed", nil
	}
	if err != nil {
		return false, false, "", fmt.Errorf("ask systemd: %w", err)
	}
	enabled, err = m.IsEnabled(ctx, name)
	return enabled, u.ActiveState == "active", "", err
}

// EnableNow implements Units.
func (systemdUnits) EnableNow(ctx context.Context, name string) error {
	m, err := systemd.Connect(ctx, systemd.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	return m.EnableNow(ctx, name)
}

func (q *QuickConfig) units() Units {
	if q.Units != nil {
		return q.Units
	}
	return systemdUnits{}
}

// planUnit finds out whether the service has to be enabled and started, or why
// this machine cannot do that by itself.
func (q *QuickConfig) planUnit(ctx context.Context, dir string, p *QuickPlan) error {
	why := ""
	if q.Units == nil {
		switch {
		case dir != unitState:
			why = "the unit " + unitName + " serves " + unitState + " and not " + dir
		case os.Geteuid() != 0:
			why = "only root may change units"
		}
	}
	if why == "" {
		enabled, active, reason, err := q.units().Present(ctx, unitName)
		if err != nil {
			return err
		}
		if reason == "" {
			p.Running = p.Running || active
			p.enable, p.start = !enabled, !p.Running
			return nil
		}
		why = reason
	}
	if p.Running {
		p.Notes = append(p.Notes, "The WinRM service does not start with the system: "+why+".")
	} else {
		p.Notes = append(p.Notes, "The WinRM service was not started and does not start with the system: "+why+". Start it with: casement serve")
	}
	return nil
}

func (q *QuickConfig) applyUnit(ctx context.Context, p QuickPlan) ([]string, error) {
	if err := q.units().EnableNow(ctx, unitName); err != nil {
		return nil, err
	}
	var done []string
	if p.enable {
		done = append(done, doneEnable)
	}
	if p.start {
		done = append(done, doneStart)
	}
	return done, nil
}

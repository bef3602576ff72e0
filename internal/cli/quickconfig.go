package cli

import (
	"context"

	"github.com/casementhq/casement/internal/winrmtool"
	"github.com/casementhq/casement/service"
)

// quickConfig lets winrm quickconfig drive this machine.
type quickConfig struct{ service.QuickConfig }

// Plan implements winrmtool.QuickConfig.
func (q *quickConfig) Plan(ctx context.Context, o winrmtool.QuickConfigOptions) (winrmtool.QuickPlan, error) {
	p, err := q.QuickConfig.Plan(ctx, service.QuickConfigOptions{Transport: o.Transport, Force: o.Force})
	return winrmtool.QuickPlan{Running: p.Running, Actions: p.Actions, Notes: p.Notes, Detail: p}, err
}

// Apply implements winrmtool.QuickConfig.
func (q *quickConfig) Apply(ctx context.Context, p winrmtool.QuickPlan) ([]string, error) {
	plan, _ := p.Detail.(service.QuickPlan)
	return q.QuickConfig.Apply(ctx, plan)
}

package winrmtool

import (
	"context"
	"strings"
)

// QuickConfig prepares this machine for remote management. Package service has
// the one that does.
type QuickConfig interface {
	// Plan looks at the machine and says what is missing; it changes nothing.
	// A refusal is an error with the documented code: 0x80338115 without a
	// usable certificate for HTTPS, 0x80338116 and 0x80338117 where policy keeps
	// the firewall shut, 0x80338169 on a public network, 5 for who may not.
	Plan(ctx context.Context, o QuickConfigOptions) (QuickPlan, error)
	// Apply does it and returns the lines to report, in order.
	Apply(ctx context.Context, p QuickPlan) ([]string, error)
}

// QuickConfigOptions are the switches of quickconfig.
type QuickConfigOptions struct {
	Transport string // HTTP or HTTPS
	Force     bool   // also where a network is public
}

// QuickPlan is what quickconfig would do.
type QuickPlan struct {
	// Running tells that the service answers already.
	Running bool
	// Actions are sentences of what is missing, in the order in which it is
	// done; none where nothing is.
	Actions []string
	// Notes are sentences of what this machine cannot do by itself.
	Notes []string
	// Detail is for the one who made the plan.
	Detail any
}

// quickconfig is the dialogue of winrm quickconfig. See spec section 1.6.
func (t *Tool) quickconfig(ctx context.Context, c *Command) error {
	o := QuickConfigOptions{Transport: "HTTP", Force: c.Force}
	switch strings.ToLower(c.Transport) {
	case "", "http":
	case "https":
		o.Transport = "HTTPS"
	default:
		return fault(codeTransport, "-transport is http or https, not %q", clip(c.Transport))
	}
	if t.QuickConfig == nil {
		return usage("quickconfig is not available here")
	}
	plan, err := t.QuickConfig.Plan(ctx, o)
	if err != nil {
		return err
	}
	if plan.Running {
		if err := t.print("WinRM service is already running on this machine.\n"); err != nil {
			return err
		}
	}
	if len(plan.Actions) == 0 {
		return t.listing("WinRM is already set up for remote management on this computer.", plan.Notes)
	}
	why := "WinRM is not set up to receive requests on this machine."
	if plan.Running {
		why = "WinRM is not set up to allow remote access to this machine for management."
	}
	text := why + "\nThe following changes must be made:\n\n" + strings.Join(plan.Actions, "\n") + "\n"
	if err := t.print(text); err != nil {
		return err
	}
	if !c.Quiet {
		yes, err := t.ask(ctx, "\nMake these changes [y/n]? ")
		if err != nil || !yes {
			return err
		}
	}
	done, err := t.QuickConfig.Apply(ctx, plan)
	if err != nil {
		return err
	}
	return t.listing("\nWinRM has been updated for remote management.\n", append(done, plan.Notes...))
}

// listing prints a heading and lines below it.
func (t *Tool) listing(heading string, lines []string) error {
	text := heading + "\n"
	for _, l := range lines {
		text += l + "\n"
	}
	return t.print(text)
}

// ask puts a question until it is answered with y or n; the end of the input
// is no.
func (t *Tool) ask(ctx context.Context, question string) (bool, error) {
	for {
		if err := t.print(question); err != nil {
			return false, err
		}
		answer, err := t.line(ctx)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return true, nil
		case "n", "no", "":
			return false, nil
		}
	}
}

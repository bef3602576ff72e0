package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A Plan is one remedy that can be carried out, and the way by which.
type Plan struct {
	Target  string
	Channel string // "winrm" or "dcom": the way that works
	Remedy  Remedy
	// Cuts says why the way itself may end by it, "" where it does not.
	Cuts string
}

// Plan gives the remedy of this rank or ID, "" for the first that can be carried
// out: they are ordered least intrusive first. It fails where none can be.
func (r *Report) Plan(which string) (*Plan, error) {
	channel := r.channel()
	if channel == "" {
		return nil, errors.New("nothing can be done from here: neither WinRM nor DCOM lets this account in; type what stands above on the machine itself")
	}
	n := slices.IndexFunc(r.Remedies, func(m Remedy) bool {
		return m.Fix && (which == "" || which == m.ID || which == strconv.Itoa(m.Rank))
	})
	switch {
	case n < 0 && which == "":
		return nil, errors.New("casement can carry none of it out; type what stands above")
	case n < 0:
		return nil, fmt.Errorf("what stands under %s cannot be carried out from here; 'Casement can do' names what can", which)
	}
	p := &Plan{Target: r.Target.Input, Channel: channel, Remedy: r.Remedies[n]}
	p.Cuts = cuts(channel, p.Remedy.Commands)
	return p, nil
}

// channel is the way by which this account is let in.
func (r *Report) channel() string {
	outcome := map[string]Outcome{}
	for _, c := range r.Checks {
		outcome[c.ID] = c.Outcome
	}
	works := func(id string) bool { o := outcome[id]; return o == Pass || o == Warn || o == Info }
	switch {
	case works("winrm.authorize"):
		return "winrm"
	case works("wmi.namespace"):
		return "dcom"
	}
	return ""
}

// cuts tells whether commands end the way by which they are sent.
func cuts(channel string, commands []string) string {
	all := strings.ToLower(strings.Join(commands, "\n"))
	has := func(list ...string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(all, s) })
	}
	switch {
	case channel == "winrm" && has("net stop winrm", "restart casement", "quickconfig", "listener"):
		return "WinRM ends or moves by it, and WinRM is the way by which it is done"
	case channel == "dcom" && has("net stop winmgmt", "restart casement", "enabledcom"):
		return "WMI ends by it, and WMI is the way by which it is done"
	}
	return ""
}

// WriteText writes the plan for a person.
func (p *Plan) WriteText(w io.Writer) error {
	names := map[string]string{"winrm": "WinRM", "dcom": "DCOM"}
	var b strings.Builder
	fmt.Fprintf(&b, "Plan for %s, over %s:\n", p.Target, names[p.Channel])
	for _, c := range p.Remedy.Commands {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	if p.Remedy.Effect != "" {
		fmt.Fprintf(&b, "  effect: %s\n", p.Remedy.Effect)
	}
	if len(p.Remedy.Undo) > 0 {
		fmt.Fprintf(&b, "  undo: %s\n", strings.Join(p.Remedy.Undo, "; "))
	}
	if p.Cuts != "" {
		fmt.Fprintf(&b, "  careful: %s\n", p.Cuts)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// A Runner carries commands out on a machine.
type Runner interface {
	// Run carries out a command line as the account that is signed in. A command
	// that fails is an error, with what it wrote.
	Run(ctx context.Context, line string) error
}

// Apply carries the commands out in order and gives those that were; the first
// that fails ends it.
func (p *Plan) Apply(ctx context.Context, r Runner) (done []string, err error) {
	for _, line := range p.Remedy.Commands {
		if err := r.Run(ctx, line); err != nil {
			return done, fmt.Errorf("%s: %w", line, err)
		}
		done = append(done, line)
	}
	return done, nil
}

package doctor

import (
	"slices"
	"strings"
)

// A diagnosis is a cause and what to do about it, the least intrusive first.
// Ranks and Verify are filled in where they are empty.
type diagnosis struct {
	Cause
	remedies []Remedy
	failing  string // the check that is run again to verify
	// whole tells that no port of the machine is reached: what fails at the ports
	// of the other transport is an echo.
	whole bool
}

// An explanation looks at a check that failed and at everything else that was
// found; it gives nil where it is not the cause.
type explanation func(f *findings, failed Result) *diagnosis

// explanations are the causes that a check's failure may have, tried in order.
var explanations = map[string][]explanation{}

// explain registers causes of the failure of a check. Those of one check are
// registered in one call, so that their order is seen.
func explain(id string, causes ...explanation) {
	explanations[id] = append(explanations[id], causes...)
}

// findings are what an explanation looks at.
type findings struct {
	x       *examination
	list    []Result
	results map[string]Result
	checks  map[string]check
}

// outcome is what a check said; "" where it was not run.
func (f *findings) outcome(id string) Outcome { return f.results[id].Outcome }

// passed tells that a check ran and found nothing that stops.
func (f *findings) passed(id string) bool {
	o := f.outcome(id)
	return o == Pass || o == Warn || o == Info
}

// code is that of a check's failure, "" without one.
func (f *findings) code(id string) string { return f.results[id].Code }

// port is what was found of the port of WinRM, whatever its number.
func (f *findings) port() Result { return f.results[f.x.target.portCheck()] }

// of tells whether a check is part of a transport's path.
func (c check) of(transport string) bool { return c.transport == "" || c.transport == transport }

// conclude says how far each transport goes, finds the cause of the earliest
// failure in each path, and what to do.
func conclude(x *examination, list []check, r *Report) {
	f := &findings{x: x, list: r.Checks, results: map[string]Result{}, checks: map[string]check{}}
	for n, c := range list {
		f.checks[c.id], f.results[c.id] = c, r.Checks[n]
	}
	r.Transports, r.Summary = map[string]Reach{}, map[string]string{}
	var found []*diagnosis
	for _, t := range []string{"winrm", "dcom"} {
		reach, d, first := f.transport(t)
		r.Transports[t] = reach
		if d != nil && !slices.ContainsFunc(found, func(o *diagnosis) bool { return o.Check == d.Check || o.whole && first.Layer == LayerPort }) {
			found = append(found, d)
		}
		switch {
		case first.ID != "":
			r.Summary[t] = strings.TrimPrefix(strings.TrimSpace(first.Code+" "+first.Name)+", at "+first.ID, ", ")
		case reach == ReachWorks || reach == ReachDegraded:
			r.Summary[t] = x.summary(t)
		}
	}
	if len(found) == 0 {
		if d := f.warned(); d != nil {
			found = append(found, d)
		}
	}
	r.Verdict = f.verdict(r.Transports, found)
	r.Remedies, r.Also = []Remedy{}, nil
	for n, d := range found {
		if d.For == nil {
			d.For = []string{}
		}
		if d.Against == nil {
			d.Against = []string{}
		}
		if n == 0 {
			r.Cause = &d.Cause
		} else {
			r.Also = append(r.Also, d.Cause)
		}
		r.Remedies = f.add(r.Remedies, d)
	}
	r.Not = f.not()
}

// transport tells how far one goes, why, and what fails first in its path.
func (f *findings) transport(t string) (reach Reach, d *diagnosis, first Result) {
	if !f.x.target.asks(t) {
		return ReachNotTried, nil, Result{}
	}
	reach = ReachNotTried
	if len(f.x.options.Only) == 0 {
		reach = ReachWorks
	}
	crashed, tried := false, false
	for _, r := range f.list {
		c := f.checks[r.ID]
		if !c.of(t) {
			continue
		}
		tried = tried || c.transport == t
		crashed = crashed || r.Outcome == Crash
		if r.Outcome != Fail || first.ID != "" && (c.degrades || !f.checks[first.ID].degrades) {
			continue
		}
		// What blocks goes before what only degrades, wherever it stands.
		first = r
	}
	switch {
	case first.ID != "":
		d = f.explain(first)
		reach = ReachBlocked
		if f.checks[first.ID].degrades {
			reach = ReachDegraded
		}
		if d == nil {
			reach = ReachUnknown
		}
	case crashed:
		reach = ReachUnknown
	case !tried:
		reach = ReachNotTried
	}
	return reach, d, first
}

// explain finds the cause of a failure, nil where nothing explains it.
func (f *findings) explain(r Result) *diagnosis {
	id := r.ID
	if id == f.x.target.portCheck() {
		id = winrmPort
	}
	for _, e := range explanations[id] {
		if d := e(f, r); d != nil {
			if d.failing = r.ID; d.Check == "" {
				d.Check = r.ID
			}
			return d
		}
	}
	return nil
}

// warned explains the first warning, where nothing fails.
func (f *findings) warned() *diagnosis {
	for _, r := range f.list {
		if r.Outcome != Warn {
			continue
		}
		if d := f.explain(r); d != nil {
			return d
		}
	}
	return nil
}

func (f *findings) verdict(transports map[string]Reach, found []*diagnosis) Verdict {
	asked, works, wrong, unexplained := 0, 0, len(found) > 0, false
	for t, reach := range transports {
		if !f.x.target.asks(t) {
			continue
		}
		asked++
		switch reach {
		case ReachWorks, ReachNotTried:
			works++
		case ReachDegraded:
			works++
			wrong = true
		case ReachUnknown:
			unexplained = true
		}
	}
	for _, r := range f.list {
		wrong = wrong || r.Outcome == Warn || r.Outcome == Fail || r.Outcome == Crash
	}
	switch {
	case works == 0 && len(found) == 0 && (unexplained || wrong):
		return Unknown
	case works == 0:
		return Blocked
	case works < asked || wrong:
		return Degraded
	}
	return OK
}

// add appends the remedies of a diagnosis that are not there yet.
func (f *findings) add(list []Remedy, d *diagnosis) []Remedy {
	for _, m := range d.remedies {
		if slices.ContainsFunc(list, func(o Remedy) bool { return o.ID == m.ID }) {
			continue
		}
		m.Rank = len(list) + 1
		if m.Prompt == "" {
			m.Prompt = "steps"
		}
		if m.Undo == nil {
			m.Undo = []string{}
		}
		if m.Verify == "" {
			m.Verify = f.again("--only", d.failing)
			if strings.HasPrefix(d.failing, "callback.") {
				m.Verify += " --callbacks"
			}
		}
		list = append(list, m)
	}
	return list
}

// split are the three answers that people take for one another. See
// spec/wmi.md 1.9.
var split = []NotCause{
	{Code: "0x800706BA", Means: "network, firewall, or the host is off"},
	{Code: "0x80070005", Means: "DCOM, or the sign-in"},
	{Code: "0x80041003", Means: "namespace or provider"},
}

// not is the part of the split that was not seen, where something failed.
func (f *findings) not() []NotCause {
	seen, any := map[string]bool{}, false
	for _, r := range f.list {
		if r.Outcome != Fail {
			continue
		}
		seen[r.Code] = true
		switch r.Layer {
		case LayerTLS, LayerHTTP, LayerClock, LayerQuota, LayerCallback:
			continue // nobody takes these for a lack of rights
		}
		any = true
		switch r.Layer {
		case LayerName, LayerRoute, LayerPort:
			seen["0x800706BA"] = true
		case LayerAuth:
			seen["0x80070005"] = true
		}
	}
	list := []NotCause{}
	for _, n := range split {
		if any && !seen[n.Code] {
			list = append(list, n)
		}
	}
	return list
}

package doctor

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// TextOptions say how a report is written for a person.
type TextOptions struct {
	// Verbose gives each check its own lines, with what was seen.
	Verbose bool
}

// briefLength is the length up to which the detail of a check that found nothing
// stands in the line of all these.
const briefLength = 40

// WriteText writes the report for a person: the verdict of each transport, one
// cause, every check in order, what it is not, and what to type. See
// spec/console.md 5.
func (r *Report) WriteText(w io.Writer, o TextOptions) error {
	t := &textWriter{r: r, o: o}
	t.head()
	t.causes()
	if o.Verbose {
		t.verbose()
	} else {
		t.checks()
	}
	t.not()
	t.remedies()
	_, err := io.WriteString(w, t.b.String())
	return err
}

type textWriter struct {
	r *Report
	o TextOptions
	b strings.Builder
}

func (t *textWriter) line(format string, args ...any) {
	t.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// head names who was examined, from where and as whom, and each transport.
func (t *textWriter) head() {
	r := t.r
	name := r.Target.Input
	if others := slices.DeleteFunc(slices.Clone(r.Target.Addresses), func(a string) bool { return a == name }); len(others) > 0 {
		name += " (" + strings.Join(others, ", ") + ")"
	}
	as := ""
	if r.Account != "" {
		as = "  as " + r.Account
		if r.Mechanism != "" {
			as += " (" + r.Mechanism + ")"
		}
	}
	t.line("%s  from %s%s  %s", name, cmp.Or(r.From, "this machine"), as, r.Started.Format(time.RFC3339))
	for _, n := range []struct{ key, name string }{{"winrm", "WinRM"}, {"dcom", "DCOM"}} {
		if reach := r.Transports[n.key]; reach != ReachNotTried && reach != "" {
			t.line("  %-6s %-9s %s", n.name, reach, r.Summary[n.key])
		}
	}
}

// causes are the cause and, where the other transport has one of its own, that.
func (t *textWriter) causes() {
	if t.r.Cause == nil {
		if t.r.Verdict == Unknown {
			t.line("Cause: unknown. What was seen stands below, whole with -v; no cause that is known here explains it.")
		}
		return
	}
	for n, c := range append([]Cause{*t.r.Cause}, t.r.Also...) {
		word := "Cause"
		switch {
		case n > 0:
			word = "Also"
		case !t.blocked():
			word = "Warning"
		}
		first := fmt.Sprintf("%s (%s): %s.", word, c.Confidence, strings.TrimSuffix(c.Title, "."))
		t.line("%-86s [%s]", first, c.Check)
		if c.Confidence == Certain {
			continue
		}
		against := "nothing"
		if len(c.Against) > 0 {
			against = strings.Join(c.Against, "; ")
		}
		t.line("  for: %s   against: %s", cmp.Or(strings.Join(c.For, "; "), "nothing"), against)
	}
}

func (t *textWriter) blocked() bool {
	for _, reach := range t.r.Transports {
		if reach == ReachBlocked || reach == ReachUnknown {
			return true
		}
	}
	return false
}

// checks are all results, those alike in a line.
func (t *textWriter) checks() {
	var passed []string
	for _, c := range t.r.Checks {
		if c.Outcome == Pass {
			passed = append(passed, briefly(c))
		}
	}
	t.fill("  ok    ", passed)
	for _, outcome := range []Outcome{Fail, Crash, Warn} {
		for _, c := range t.r.Checks {
			if c.Outcome == outcome {
				t.line("  %-5s %s", word(outcome), t.told(c))
			}
		}
	}
	var skipped []string
	need := map[string][]string{}
	for _, c := range t.r.Checks {
		if c.Outcome != Skip {
			continue
		}
		if need[c.Detail] == nil {
			skipped = append(skipped, c.Detail)
		}
		need[c.Detail] = append(need[c.Detail], c.ID)
	}
	if len(skipped) > 0 {
		// What follows from one failure is one line, named after the first.
		var ids []string
		for _, d := range skipped {
			ids = append(ids, need[d]...)
		}
		t.fill("  skip  ", append(ids[:len(ids)-1:len(ids)-1], ids[len(ids)-1]+" ("+strings.Replace(skipped[0], "needs ", "need ", 1)+")"))
	}
	for _, c := range t.r.Checks {
		if c.Outcome == Info {
			t.line("  info  %s", t.told(c))
		}
	}
}

// briefly is a check that found nothing, in a list of such.
func briefly(c Result) string {
	if c.Detail == "" || len(c.Detail) > briefLength {
		return c.ID
	}
	return c.ID + " " + c.Detail
}

func word(o Outcome) string {
	if o == Fail || o == Crash {
		return strings.ToUpper(string(o))
	}
	return string(o)
}

// told is a check with its code and what it says.
func (t *textWriter) told(c Result) string {
	s := fmt.Sprintf("%-15s %s", c.ID, c.Detail)
	if c.Code != "" && c.Outcome != Info {
		s += "  " + strings.TrimSpace(c.Code+" "+c.Name)
	}
	return s
}

// fill writes a list with commas between, in lines of at most 110 columns.
func (t *textWriter) fill(lead string, list []string) {
	line := lead
	for n, s := range list {
		if n < len(list)-1 {
			s += ","
		}
		if len(line) > len(lead) && len(line)+len(s) > 110 {
			t.line("%s", line)
			line = strings.Repeat(" ", len(lead))
		}
		line += s + " "
	}
	if len(list) > 0 {
		t.line("%s", line)
	}
}

// verbose gives every check its lines.
func (t *textWriter) verbose() {
	for _, c := range t.r.Checks {
		took := ""
		if c.Outcome != Skip {
			took = fmt.Sprintf("  %d ms", c.TookMS)
		}
		t.line("  %-5s %s%s", word(c.Outcome), t.told(c), took)
		t.line("        %s", c.Title)
		for _, e := range c.Seen {
			t.line("        %5d ms  %s", e.AtMS, e.Saw)
		}
	}
}

// not is what it is not.
func (t *textWriter) not() {
	if len(t.r.Not) == 0 {
		return
	}
	var list []string
	for _, n := range t.r.Not {
		list = append(list, n.Means+" ("+n.Code+")")
	}
	t.line("Not: %s.", strings.Join(list, "; "))
}

// remedies are what to type, under the machine where it is typed.
func (t *textWriter) remedies() {
	if c := t.r.Cause; c != nil && c.Test != "" {
		t.line("To be certain: %s", c.Test)
	}
	if len(t.r.Remedies) == 0 {
		return
	}
	// One place for all of them stands in the head; else each names its own.
	one := t.r.Remedies[0].Where
	for _, m := range t.r.Remedies {
		if m.Where != one {
			one = ""
		}
	}
	switch one {
	case "":
		t.line("Do:")
	default:
		t.line("Do %s:", t.place(one))
	}
	for _, m := range t.r.Remedies {
		t.remedy(m, one == "")
	}
	t.footer()
}

func (t *textWriter) place(p Place) string {
	switch p {
	case OnConsole:
		return "on " + cmp.Or(t.r.From, "this machine")
	case OnTarget:
		on := "on " + t.r.Target.Input
		if os := t.r.Target.OS; os != nil {
			return on + " (" + *os + ", elevated)"
		}
		return on + " (elevated)"
	case InDomain:
		return "in the domain"
	}
	return "in the network"
}

func (t *textWriter) remedy(m Remedy, where bool) {
	lead := fmt.Sprintf("  %d. ", m.Rank)
	if where {
		lead += t.place(m.Where) + ": "
	}
	undo := ""
	if len(m.Undo) > 0 {
		undo = "     undo: " + strings.Join(m.Undo, "; ")
	}
	for n, c := range m.Commands {
		if n > 0 {
			lead = "     "
		}
		if n < len(m.Commands)-1 {
			t.line("%s%s", lead, c)
			continue
		}
		t.line("%s%s%s", lead, c, undo)
	}
	if m.Effect != "" {
		t.line("     effect: %s", m.Effect)
	}
}

// footer says what casement can do by itself, and how to see whether it helped.
func (t *textWriter) footer() {
	var fix []string
	for _, m := range t.r.Remedies {
		if m.Fix {
			fix = append(fix, fmt.Sprint(m.Rank))
		}
	}
	var parts []string
	if len(fix) > 0 {
		parts = append(parts, "Casement can do "+strings.Join(fix, ", ")+": "+cmp.Or(t.r.Command, "casement doctor "+t.r.Target.Input)+" --fix")
	}
	if v := t.r.Remedies[0].Verify; v != "" {
		parts = append(parts, "Verify: "+v)
	}
	if len(parts) > 0 {
		t.line("%s", strings.Join(parts, "        "))
	}
}

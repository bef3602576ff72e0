package pool

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/casementhq/casement/doctor"
)

// badness orders states: one that is worse has to be seen twice.
func badness(s State) int {
	switch s.Level() {
	case LevelOK:
		return 1
	case LevelInfo:
		return 2
	case LevelAttention:
		return 3
	case LevelBlocked:
		return 4
	default:
		return 0
	}
}

// settle makes the snapshot of what was found. A state gets worse when two probes agree
// that it is, and better at once; what was asked by hand counts at once. See
// spec/console.md 3.3.
func settle(prev, next Snapshot, v verdict, byHand bool) Snapshot {
	if next.Contact.Equal(prev.Contact) {
		next.Missed = prev.Missed + 1
	}
	known := badness(prev.State) > 0 && prev.State != UnknownState
	worse := badness(v.state) > badness(prev.State)
	agreed := prev.Pending != "" && badness(prev.Pending) > badness(prev.State)
	if known && worse && !byHand && !agreed {
		next.State, next.Reason, next.Code, next.Check, next.Pending = prev.State, prev.Reason, prev.Code, prev.Check, v.state
		next.Level = levelOf(&next)
		return next
	}
	next.State, next.Reason, next.Code, next.Check, next.Pending = v.state, v.reason, v.code, v.check, ""
	next.Level = levelOf(&next)
	if next.Reason == "" {
		next.Reason = attention(&next)
	}
	return next
}

// levelOf is that of the state, and attention where a threshold is passed or DCOM does
// not work that should.
func levelOf(s *Snapshot) Level {
	l := s.State.Level()
	if (l == LevelOK || l == LevelInfo) && (len(s.Alerts) > 0 || s.DCOMTrouble != "") {
		return LevelAttention
	}
	return l
}

// attention says what needs attention though the state is good.
func attention(s *Snapshot) string {
	var list []string
	if s.DCOMTrouble != "" {
		list = append(list, "DCOM: "+s.DCOMTrouble)
	}
	for _, a := range s.Alerts {
		list = append(list, a.Resource+": "+a.Value)
	}
	if len(list) > 2 {
		list = append(list[:2], fmt.Sprintf("and %d more", len(list)-2))
	}
	return strings.Join(list, "; ")
}

// paused is the snapshot of a server that is asked nothing.
func paused(s Snapshot) Snapshot {
	s.State, s.Level, s.Reason, s.Code, s.Check, s.Pending, s.Missed = Paused, LevelNone, "", "", "", "", 0
	return s
}

// Stale tells whether what is known of a server is old: three probes in a row had no
// answer, or it is twice as long ago as it should be. A server that never answered has
// nothing that could be old.
func (s *Snapshot) Stale(now time.Time, interval time.Duration) bool {
	if s.Contact.IsZero() || s.State == Paused {
		return false
	}
	return s.Missed >= 3 || now.Sub(s.Contact) > 2*interval
}

// ParseState reads the text of a state, also with a dash in place of the hyphen, as one
// document prints it. See row 3.09.
func ParseState(text string) (State, bool) {
	text = strings.NewReplacer("\u2013", "-", "\u2014", "-").Replace(strings.TrimSpace(text))
	for _, s := range States {
		if strings.EqualFold(string(s), text) {
			return s, true
		}
	}
	return "", false
}

// explain asks the doctor why a server is blocked, few at a time, and not again while
// the same goes wrong.
func (g *gatherer) explain(ctx context.Context, l *link, v verdict, ask asking) verdict {
	if v.state == CredentialsNotValid { // not tried again at once: that is how accounts are locked out
		l.asked, l.said = verdict{}, verdict{}
		if v.check = "auth.ntlm"; l.server.Transport == DCOM {
			v.check = "rpc.auth"
		}
		return v
	}
	if v.state.Level() != LevelBlocked || v.plain {
		l.asked, l.said = verdict{}, verdict{}
		return v
	}
	if !ask.full && !ask.byHand && v.state == l.asked.state && v.code == l.asked.code {
		said := l.said
		said.hint = v.hint
		return said
	}
	t := WinRM
	if l.server.Transport == DCOM {
		t = DCOM
	}
	r := g.examine(ctx, l, ask, l.target(string(t)), doctor.Options{})
	if r == nil {
		return v
	}
	l.asked, l.said = v, verdictOfReport(r, v, t)
	return l.said
}

// examine has the doctor examine a server, with what o says beside who asks and how; nil
// where he has no time.
func (g *gatherer) examine(ctx context.Context, l *link, ask asking, t doctor.Target, o doctor.Options) *doctor.Report {
	if ask.byHand {
		select {
		case g.doctors <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
	} else {
		select {
		case g.doctors <- struct{}{}:
		default:
			return nil // the next probe asks again
		}
	}
	defer func() { <-g.doctors }()
	ctx, cancel := context.WithTimeout(ctx, doctorLimit)
	defer cancel()
	o.Credentials, o.Tickets, o.Settings, o.NTLM = l.as.Credentials, g.o.Tickets, g.o.Settings, g.o.NTLM
	o.DialContext, o.Log = g.o.DialContext, g.o.Log
	return g.o.Examine(ctx, t, o)
}

// besideWinRM are the checks of DCOM, and the one that tells what the account may do over
// WinRM: whom that lets in is not filtered by UAC.
func (g *gatherer) besideWinRM(l *link) doctor.Options {
	o := doctor.Options{Sinks: g.o.Sinks}
	o.Only = append(doctor.CheckIDs(l.target(string(DCOM)), o), "winrm.authorize")
	return o
}

// checkDCOM asks whether DCOM works where the entry wants it to, beside WinRM: a login
// each time, the whole path with its callbacks when all data is collected.
func (g *gatherer) checkDCOM(ctx context.Context, l *link, r reached, ask asking, next *Snapshot) {
	if l.server.Transport != Both || r.err != nil {
		next.DCOMTrouble = ""
		return
	}
	err := l.login(ctx)
	switch {
	case err != nil && next.DCOMTrouble != "" && !ask.full && !ask.byHand: // known already
	case err == nil && !ask.full:
	default:
		next.DCOMTrouble = ""
		v := verdict{state: DataRetrievalFailures}
		if err != nil {
			v = verdictOfError(err)
		}
		if rep := g.examine(ctx, l, ask, l.target(), g.besideWinRM(l)); rep != nil {
			v = verdictOfReport(rep, v, DCOM)
		}
		next.DCOMTrouble = v.reason
	}
}

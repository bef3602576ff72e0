package doctor

import (
	"context"
	"fmt"
	"time"
)

// The clocks agree to within five minutes, which Kerberos demands. The host's
// time is the Date of its HTTP answer; a wrong one is a warning here, and the
// cause where Kerberos says so, too.
func init() {
	register(check{id: "clock", layer: LayerClock, title: "The clocks agree", transport: "winrm", needs: []string{"http"}, run: clock})
}

// maxSkew is what Kerberos permits. See [RFC4120] 3.1.3.
const maxSkew = 5 * time.Minute

func clock(_ context.Context, x *examination) found {
	h := x.winrm.http
	if h.date.IsZero() {
		return found{outcome: Info, detail: "the host does not tell its time"}
	}
	skew := x.skew()
	f := found{detail: fmt.Sprintf("%+.0f s", skew.Seconds()), seen: []string{"Date " + h.date.UTC().Format(time.RFC3339) + " at " + h.at.UTC().Format(time.RFC3339)}}
	if skew.Abs() > maxSkew {
		f.outcome, f.code, f.name = Warn, "0x80090324", "SEC_E_TIME_SKEW"
		f.detail = fmt.Sprintf("the host's clock is %s; Kerberos permits five minutes", skewText(skew))
	}
	return f
}

// skew is how far the host's clock is ahead of ours; its Date is of whole
// seconds, cut off.
func (x *examination) skew() time.Duration {
	h := x.winrm.http
	if h.date.IsZero() {
		return 0
	}
	d := h.date.Add(time.Second / 2).Sub(h.at.Add(-h.took / 2))
	if d.Abs() < 2*time.Second {
		return 0
	}
	return d.Round(time.Second)
}

func skewText(d time.Duration) string {
	if d < 0 {
		return (-d).String() + " behind"
	}
	return d.String() + " ahead"
}

package host

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// logon is a session of logind, or a login that utmp knows.
type logon struct {
	id, user string
	uid      uint32
	hasUID   bool
	class    string // user, greeter, manager, background, ...; "user" for a login of utmp
	service  string // the name of the PAM service; "" where unknown
	typ      string // tty, x11, wayland, ...
	remote   bool
	since    time.Time
}

// maxLogons bounds the sessions that are read.
const maxLogons = 10000

// logons are the sessions that are open; known is false where nobody keeps them.
func (p *Provider) logons() (out []logon, known bool) {
	dir := "run/systemd/sessions"
	if entries, err := os.ReadDir(filepath.Join(p.root, dir)); err == nil {
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".ref") || len(out) >= maxLogons {
				continue
			}
			s := assignments(p.read(filepath.Join(dir, e.Name())))
			if s["STATE"] == "closing" || s["CLASS"] == "" {
				continue
			}
			uid, err := strconv.ParseUint(s["UID"], 10, 32)
			l := logon{id: e.Name(), user: s["USER"], uid: uint32(uid), hasUID: err == nil, class: s["CLASS"], service: s["SERVICE"],
				typ: s["TYPE"], remote: s["REMOTE"] == "1"}
			if us, err := strconv.ParseInt(s["REALTIME"], 10, 64); err == nil {
				l.since = time.UnixMicro(us)
			}
			out = append(out, l)
		}
		return out, true
	}
	err := p.utmp("run/utmp", func(u *utmpRecord) {
		if u.kind == utmpUser && len(out) < maxLogons {
			// The display of a graphical session stands where others have their host.
			remote := u.host != "" && !strings.HasPrefix(u.host, ":")
			out = append(out, logon{id: u.line, user: u.user, class: "user", remote: remote, since: u.at})
		}
	})
	return out, err == nil
}

// sessionCount is the number of user sessions: those of logind, or the logins in utmp; -1 where neither is kept.
func (p *Provider) sessionCount() int {
	all, known := p.logons()
	if !known {
		return -1
	}
	n := 0
	for i := range all {
		if all[i].class == "user" {
			n++
		}
	}
	return n
}

// consoleUser is the name of the user whose session is active on the seat of the console, "" where there is none.
func (p *Provider) consoleUser() string {
	seat := assignments(p.read("run/systemd/seats/seat0"))
	id := seat["ACTIVE"]
	if id == "" || strings.ContainsAny(id, "/.") {
		return ""
	}
	s := assignments(p.read("run/systemd/sessions/" + id))
	if s["CLASS"] != "user" {
		return ""
	}
	return s["USER"]
}

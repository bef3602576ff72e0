package host

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/casementhq/casement/cim"
)

const (
	profileUse uint32 = 1 << iota
	profileLoaded
)

type profileRow struct {
	sid      string
	home     string
	special  bool
	known    bool // sessions are kept
	sessions int
	last     time.Time
	location *time.Location
}

// profileTable: roaming is a thing of Windows domains, so that nothing is configured to roam.
var profileTable = &table[profileRow]{name: "Win32_UserProfile", gather: gatherProfiles, columns: []column[profileRow]{
	{name: "SID", get: func(r *profileRow) cim.Value { return cim.Str(r.sid) }},
	{name: "LocalPath", get: func(r *profileRow) cim.Value { return cim.Str(r.home) }},
	{name: "Special", get: func(r *profileRow) cim.Value { return cim.Bool(r.special) }},
	{name: "RoamingConfigured", get: fixedValue[profileRow](cim.Bool(false))},
	{name: "Status", get: fixedValue[profileRow](cim.U32(0))}, // none of temporary, roaming, mandatory, corrupted
	{name: "Loaded", need: profileLoaded, get: func(r *profileRow) cim.Value {
		if !r.known {
			return cim.Value{}
		}
		return cim.Bool(r.sessions > 0)
	}},
	{name: "RefCount", need: profileLoaded, get: func(r *profileRow) cim.Value {
		if !r.known {
			return cim.Value{}
		}
		return cim.U32(uint32(r.sessions))
	}},
	{name: "LastUseTime", need: profileUse, get: func(r *profileRow) cim.Value { return timeOrNull(r.last, r.location) }},
}}

// gatherProfiles: a profile is a home directory that is there and belongs to its user. Users who share a home or an
// id have one profile.
func gatherProfiles(_ context.Context, p *Provider, need uint32, q query, f func(*profileRow) error) error {
	users, err := p.users(false)
	if err != nil {
		return err
	}
	sessions := map[string]int{}
	known := false
	if need&profileLoaded != 0 {
		var all []logon
		all, known = p.logons()
		for i := range all {
			sessions[all[i].user]++
		}
	}
	last := map[string]time.Time{}
	if need&profileUse != 0 {
		for i := range users {
			last[users[i].name] = time.Time{}
		}
		err := p.utmp("var/log/wtmp", func(u *utmpRecord) {
			if t, ok := last[u.user]; ok && u.kind == utmpUser && u.at.After(t) {
				last[u.user] = u.at
			}
		})
		if err != nil {
			p.log.Debug("the history of logins cannot be read", "error", err)
		}
	}
	low := p.firstUserID()
	sid, one := q.text("SID")
	seen := map[uint32]bool{}
	for _, u := range users {
		st, err := os.Lstat(filepath.Join(p.root, u.home))
		if err != nil || !st.IsDir() || seen[u.uid] || !filepath.IsAbs(u.home) {
			continue
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); !ok || sys.Uid != u.uid {
			continue
		}
		seen[u.uid] = true
		r := &profileRow{sid: p.sidOfUser(u.uid), home: filepath.Clean(u.home), special: u.uid != 0 && u.uid < low || u.uid >= 65534,
			known: known, sessions: sessions[u.name], last: last[u.name], location: p.location()}
		if one && !cim.EqualFold(r.sid, sid) {
			continue
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// firstUserID is the lowest id of a person's account, UID_MIN of login.defs(5).
func (p *Provider) firstUserID() uint32 {
	for _, line := range strings.Split(p.read("etc/login.defs"), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "UID_MIN" {
			if n, err := strconv.ParseUint(f[1], 10, 32); err == nil {
				return uint32(n)
			}
		}
	}
	return 1000
}

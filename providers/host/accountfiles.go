package host

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/casementhq/casement/security"
)

// unixUser is a line of passwd(5), with that of shadow(5) where it may be read.
type unixUser struct {
	name, fullName, home, shell string
	uid, gid                    uint32

	shadow     bool   // the next ones are known
	password   string // the hashed password or what stands in its place; never leaves this package
	maxDays    string
	minDays    string
	expireDays string
}

// unixGroup is a line of group(5).
type unixGroup struct {
	name    string
	gid     uint32
	members []string
}

// unixAuthority is the authority of the SIDs that stand for ids of a Unix system, as Samba writes them.
const unixAuthority = 22

func unixUserSID(uid uint32) string {
	s, err := security.NewSID(unixAuthority, 1, uid)
	if err != nil {
		return ""
	}
	return s.String()
}

func unixGroupSID(gid uint32) string {
	s, err := security.NewSID(unixAuthority, 2, gid)
	if err != nil {
		return ""
	}
	return s.String()
}

// maxLine bounds a line of the account files; groups with many members have long lines.
const maxLine = 4 << 20

// lines calls f with the fields of every line of a file whose fields stand between colons.
func (p *Provider) lines(path string, f func(fields []string)) error {
	file, err := os.Open(filepath.Join(p.root, path))
	if err != nil {
		return err
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		if line := s.Text(); line != "" && line[0] != '#' && line[0] != '+' && line[0] != '-' {
			f(strings.Split(line, ":"))
		}
	}
	return s.Err()
}

// users are the users of this machine; those of a directory are not among them.
func (p *Provider) users(withShadow bool) ([]unixUser, error) {
	var out []unixUser
	index := map[string]int{}
	err := p.lines("etc/passwd", func(f []string) {
		if len(f) < 7 {
			return
		}
		uid, err1 := strconv.ParseUint(f[2], 10, 32)
		gid, err2 := strconv.ParseUint(f[3], 10, 32)
		if err1 != nil || err2 != nil {
			return
		}
		full, _, _ := strings.Cut(f[4], ",")
		index[f[0]] = len(out)
		out = append(out, unixUser{
			name: f[0], uid: uint32(uid), gid: uint32(gid), fullName: full, home: f[5], shell: f[6],
		})
	})
	if err != nil || !withShadow {
		return out, err
	}
	err = p.lines("etc/shadow", func(f []string) {
		if i, ok := index[f[0]]; ok && len(f) >= 8 {
			u := &out[i]
			u.shadow, u.password, u.minDays, u.maxDays, u.expireDays = true, f[1], f[3], f[4], f[7]
		}
	})
	if err != nil {
		p.log.Debug("shadow cannot be read", "error", err)
	}
	return out, nil
}

// userByID is the user with an id; the first one where several have it.
func (p *Provider) userByID(uid uint32) (unixUser, bool) {
	all, err := p.users(false)
	if err != nil {
		return unixUser{}, false
	}
	for _, u := range all {
		if u.uid == uid {
			return u, true
		}
	}
	return unixUser{}, false
}

func (p *Provider) groups() ([]unixGroup, error) {
	var out []unixGroup
	err := p.lines("etc/group", func(f []string) {
		if len(f) < 4 {
			return
		}
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			return
		}
		g := unixGroup{name: f[0], gid: uint32(gid)}
		for _, m := range strings.Split(f[3], ",") {
			if m != "" {
				g.members = append(g.members, m)
			}
		}
		out = append(out, g)
	})
	return out, err
}

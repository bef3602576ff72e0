package host

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
)

// sessionCount is the number of user sessions: those of logind, or the logins in utmp; -1 where neither is kept.
func (p *Provider) sessionCount() int {
	if entries, err := os.ReadDir(filepath.Join(p.root, "run/systemd/sessions")); err == nil {
		n := 0
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".ref") {
				continue
			}
			s := assignments(p.read("run/systemd/sessions/" + e.Name()))
			if s["CLASS"] == "user" && s["STATE"] != "closing" {
				n++
			}
		}
		return n
	}
	b, err := os.ReadFile(filepath.Join(p.root, "run/utmp"))
	if err != nil {
		return -1
	}
	const record, userProcess = 384, 7 // utmp(5) of the 64-bit and 32-bit ABIs alike
	n := 0
	for ; len(b) >= record; b = b[record:] {
		if binary.NativeEndian.Uint16(b) == userProcess {
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

package host

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/casementhq/casement/cim"
)

// everybody is the User of a command that runs for whoever signs in.
const everybody = "Public"

type startupRow struct{ name, command, comment, location, user, sid string }

type startupColumn = column[startupRow]

func startupText(name string, get func(*startupRow) string) startupColumn {
	return startupColumn{name: name, get: func(r *startupRow) cim.Value { return strOrNull(get(r)) }}
}

var startupCommandTable = &table[startupRow]{name: "Win32_StartupCommand", gather: gatherStartup, columns: []startupColumn{
	startupText("Name", func(r *startupRow) string { return r.name }),
	startupText("Caption", func(r *startupRow) string { return r.name }),
	startupText("Description", func(r *startupRow) string { return first(r.comment, r.name) }),
	startupText("Command", func(r *startupRow) string { return r.command }),
	startupText("Location", func(r *startupRow) string { return r.location }),
	startupText("User", func(r *startupRow) string { return r.user }),
	startupText("UserSID", func(r *startupRow) string { return r.sid }),
}}

// gatherStartup: what stands in the folders of a user is seen by an administrator only.
func gatherStartup(_ context.Context, p *Provider, _ uint32, q query, f func(*startupRow) error) error {
	if err := p.startupOf("", "etc/xdg/autostart", "etc/systemd/user", startupRow{user: everybody}, f); err != nil {
		return err
	}
	if !isAdministrator(q.caller) {
		return nil
	}
	users, err := p.users(false)
	if err != nil {
		return nil //nolint:nilerr // without users there is nothing of theirs
	}
	seen := map[string]bool{}
	for _, u := range users {
		if !filepath.IsAbs(u.home) || seen[u.home] {
			continue
		}
		seen[u.home] = true
		r := startupRow{user: p.hostName() + `\` + u.name, sid: p.sidOfUser(u.uid)}
		if err := p.startupOf(u.home, ".config/autostart", ".config/systemd/user", r, f); err != nil {
			return err
		}
	}
	return nil
}

// startupOf reads a folder of desktop entries and one of enabled units of the user manager.
func (p *Provider) startupOf(home, desktop, units string, r startupRow, f func(*startupRow) error) error {
	err := p.configured(home, desktop, ".desktop", func(name, text string) error {
		entry := section(text, "Desktop Entry")
		if entry["Exec"] == "" || entry["Hidden"] == "true" {
			return nil
		}
		one := r
		one.name, one.command, one.comment = strings.TrimSuffix(name, ".desktop"), entry["Exec"], first(entry["Comment"], entry["Name"])
		one.location = filepath.Join("/", home, desktop)
		return f(&one)
	})
	if err != nil {
		return err
	}
	for _, wants := range p.names(home, units) {
		if !strings.HasSuffix(wants, ".wants") {
			continue
		}
		for _, entry := range p.names(home, filepath.Join(units, wants)) {
			name, ok := strings.CutSuffix(entry, ".service")
			if !ok {
				continue
			}
			unit := p.userUnit(home, units, entry)
			if unit == "" {
				continue
			}
			one := r
			one.name, one.location = name, filepath.Join("/", home, units, wants)
			one.command = strings.TrimLeft(section(unit, "Service")["ExecStart"], "@-:+!")
			one.comment = section(unit, "Unit")["Description"]
			if one.command == "" {
				continue
			}
			if err := f(&one); err != nil {
				return err
			}
		}
	}
	return nil
}

// userUnit is the text of the unit that a link in a .wants folder enables: the file of its name in the folders of the
// user manager. The link itself, which may lead anywhere, is not followed.
func (p *Provider) userUnit(home, units, name string) string {
	if text, err := p.readSmall(home, filepath.Join(units, name)); err == nil {
		return text
	}
	for _, dir := range []string{"etc/systemd/user", "usr/local/lib/systemd/user", "usr/lib/systemd/user", "lib/systemd/user"} {
		if text, err := p.readSmall("", filepath.Join(dir, name)); err == nil {
			return text
		}
	}
	return ""
}

// section are the keys of one section of a file in the format of desktop entries and units; the first value of a key
// stands.
func section(text, name string) map[string]string {
	out := map[string]string{}
	inside := false
	for _, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inside = line == "["+name+"]"
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !inside || !ok || line[0] == '#' || line[0] == ';' {
			continue
		}
		key = strings.TrimSpace(key)
		if _, twice := out[key]; !twice {
			out[key] = strings.TrimSpace(value)
		}
	}
	return out
}

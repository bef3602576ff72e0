package host

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// systemUser is the UserName of a variable that is nobody's own.
const systemUser = "<SYSTEM>"

type variableRow struct{ name, value, user string }

func variableCaption(r *variableRow) cim.Value { return cim.Str(r.user + `\` + r.name) }

var environmentTable = &table[variableRow]{name: "Win32_Environment", gather: gatherEnvironment, columns: []column[variableRow]{
	{name: "Name", get: func(r *variableRow) cim.Value { return cim.Str(r.name) }},
	{name: "UserName", get: func(r *variableRow) cim.Value { return cim.Str(r.user) }},
	{name: "Caption", get: variableCaption},
	{name: "Description", get: variableCaption},
	{name: "VariableValue", get: func(r *variableRow) cim.Value { return cim.Str(r.value) }},
	{name: "SystemVariable", get: func(r *variableRow) cim.Value { return cim.Bool(r.user == systemUser) }},
	{name: "Status", get: fixedStr[variableRow]("OK")},
}}

// gatherEnvironment gives a variable once for each user, by what is read last when a session begins: environment(5),
// which pam_env reads, pam_env.conf(5), environment.d(5). References to other variables stay as they are written.
// Only an administrator sees those of the users.
func gatherEnvironment(_ context.Context, p *Provider, _ uint32, q query, f func(*variableRow) error) error {
	name, one := q.text("Name")
	seen := map[variableRow]bool{}
	put := func(user, key, value string) error {
		id := variableRow{name: cim.Fold(key), user: user}
		if key == "" || seen[id] || one && !cim.EqualFold(key, name) {
			return nil
		}
		seen[id] = true
		return f(&variableRow{name: key, value: value, user: user})
	}
	file := func(user, text string) error { // the last assignment of a file stands
		all := strings.Split(text, "\n")
		for i := len(all) - 1; i >= 0; i-- {
			line := strings.TrimSpace(all[i])
			key, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
			if !ok || strings.HasPrefix(line, "#") {
				continue
			}
			if err := put(user, strings.TrimSpace(key), unquote(value)); err != nil {
				return err
			}
		}
		return nil
	}
	folder := func(user, home, dir string) error { // so does the last file of a folder
		var texts []string
		if err := p.configured(home, dir, ".conf", func(_, text string) error { texts = append(texts, text); return nil }); err != nil {
			return err
		}
		for i := len(texts) - 1; i >= 0; i-- {
			if err := file(user, texts[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := file(systemUser, p.read("etc/environment")); err != nil {
		return err
	}
	for _, line := range strings.Split(p.read("etc/security/pam_env.conf"), "\n") {
		key, value, ok := pamVariable(line)
		if !ok {
			continue
		}
		if err := put(systemUser, key, value); err != nil {
			return err
		}
	}
	for _, dir := range []string{"etc/environment.d", "run/environment.d", "usr/local/lib/environment.d", "usr/lib/environment.d"} {
		if err := folder(systemUser, "", dir); err != nil {
			return err
		}
	}
	if !isAdministrator(q.caller) {
		return nil
	}
	users, err := p.users(false)
	if err != nil {
		return nil //nolint:nilerr // without users there are no variables of users
	}
	for _, u := range users {
		if !filepath.IsAbs(u.home) {
			continue
		}
		if err := folder(p.hostName()+`\`+u.name, u.home, ".config/environment.d"); err != nil {
			return err
		}
	}
	return nil
}

// isAdministrator tells whether a caller may see what belongs to other users.
func isAdministrator(c cim.Caller) bool {
	return c.Token != nil && c.Token.Has(security.SIDAdministrators)
}

// pamVariable reads a line of pam_env.conf(5): NAME DEFAULT=value OVERRIDE=value.
func pamVariable(line string) (name, value string, ok bool) {
	line = strings.TrimSpace(line)
	name, rest, ok := strings.Cut(line, " ")
	if !ok || strings.HasPrefix(line, "#") {
		return "", "", false
	}
	override := ""
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		key, after, found := strings.Cut(rest, "=")
		if !found {
			break
		}
		var text, tail string
		if strings.HasPrefix(after, `"`) {
			text, tail, _ = strings.Cut(after[1:], `"`)
		} else {
			text, tail, _ = strings.Cut(after, " ")
		}
		rest = tail
		switch strings.TrimSpace(key) {
		case "DEFAULT":
			value = text
		case "OVERRIDE":
			override = text
		}
	}
	return name, first(override, value), true
}

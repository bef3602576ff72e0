package host

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// Types of a share.
const (
	shareDisk  = 0
	sharePrint = 1
)

// share is what this machine offers over the network: a section of smb.conf(5), a user share of Samba or a line of
// exports(5), whose name is its path.
type share struct {
	name, path, comment string
	printer             bool
	limited             bool // maximum is known
	maximum             uint64
	userFile            string // the file of a user share, below the root
}

var shareTable = &table[share]{name: "Win32_Share", gather: gatherShares, columns: []column[share]{
	{name: "Name", get: func(r *share) cim.Value { return cim.Str(r.name) }},
	{name: "Caption", get: func(r *share) cim.Value { return strOrNull(r.comment) }},
	{name: "Description", get: func(r *share) cim.Value { return strOrNull(r.comment) }},
	{name: "Path", get: func(r *share) cim.Value { return strOrNull(r.path) }},
	{name: "Type", get: func(r *share) cim.Value {
		if r.printer {
			return cim.U32(sharePrint)
		}
		return cim.U32(shareDisk)
	}},
	{name: "AllowMaximum", get: func(r *share) cim.Value {
		if !r.limited {
			return cim.Value{}
		}
		return cim.Bool(r.maximum == 0)
	}},
	{name: "MaximumAllowed", get: func(r *share) cim.Value {
		if !r.limited || r.maximum == 0 || r.maximum > 1<<32-1 {
			return cim.Value{}
		}
		return cim.U32(uint32(r.maximum))
	}},
}}

func gatherShares(_ context.Context, p *Provider, _ uint32, q query, f func(*share) error) error {
	name, one := q.text("Name")
	for _, s := range p.shares() {
		if one && !cim.EqualFold(s.name, name) {
			continue
		}
		if err := f(&s); err != nil {
			return err
		}
	}
	return nil
}

// shares are the shares of all kinds; of several with one name the first one stands, as in Samba.
func (p *Provider) shares() []share {
	smb := p.sambaConfig()
	all := append(smb.shares, p.userShares(smb)...)
	all = append(all, p.exports()...)
	seen := map[string]bool{}
	out := all[:0]
	for _, s := range all {
		if key := cim.Fold(s.name); !seen[key] {
			seen[key] = true
			out = append(out, s)
		}
	}
	return out
}

// sambaConfig is what smb.conf(5) says of shares.
type sambaConfig struct {
	shares        []share
	userShareDir  string
	maxUserShares int
}

// sambaConfig reads smb.conf. The sections homes and printers are patterns, from which Samba makes a share when
// somebody asks for it; they are no shares themselves.
func (p *Provider) sambaConfig() sambaConfig {
	c := sambaConfig{userShareDir: "/var/lib/samba/usershares"}
	text := strings.ReplaceAll(p.read("etc/samba/smb.conf"), "\\\n", " ")
	var section string
	var current map[string]string
	finish := func() {
		switch cim.Fold(section) {
		case "":
		case "global":
			if d := current["usersharepath"]; d != "" {
				c.userShareDir = d
			}
			c.maxUserShares, _ = strconv.Atoi(current["usersharemaxshares"])
		case "homes", "printers", "print$":
		default:
			if !sambaBool(current["available"], true) {
				return
			}
			s := share{name: section, path: first(current["path"], current["directory"]), comment: current["comment"],
				printer: sambaBool(first(current["printable"], current["printok"]), false), limited: true}
			if text := current["maxconnections"]; text != "" {
				n, err := strconv.ParseUint(text, 10, 32)
				s.maximum, s.limited = n, err == nil
			}
			c.shares = append(c.shares, s)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			finish()
			section, current = strings.TrimSpace(strings.Trim(line, "[]")), map[string]string{}
			continue
		}
		// Blanks within the name of a parameter mean nothing.
		if key, value, ok := strings.Cut(line, "="); ok && current != nil {
			current[cim.Fold(strings.ReplaceAll(key, " ", ""))] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	finish()
	return c
}

func sambaBool(s string, otherwise bool) bool {
	switch cim.Fold(s) {
	case "yes", "true", "1", "on":
		return true
	case "no", "false", "0", "off":
		return false
	}
	return otherwise
}

// userShares are the files that `net usershare add` makes.
func (p *Provider) userShares(c sambaConfig) []share {
	if c.maxUserShares <= 0 {
		return nil
	}
	var out []share
	_ = p.configured(c.userShareDir, ".", "", func(name, text string) error { // users write there
		if len(out) < c.maxUserShares && strings.HasPrefix(text, "#VERSION ") {
			fields := assignments(text)
			out = append(out, share{name: first(fields["sharename"], name), path: fields["path"], comment: fields["comment"],
				userFile: filepath.Join(c.userShareDir, name)})
		}
		return nil
	})
	return out
}

// exports are the directories that exports(5) names.
func (p *Provider) exports() []share {
	texts := []string{p.read("etc/exports")}
	_ = p.configured("", "etc/exports.d", ".exports", func(_, text string) error {
		texts = append(texts, text)
		return nil
	})
	var out []share
	for _, text := range texts {
		for _, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
			if path := exportPath(strings.TrimSpace(line)); strings.HasPrefix(path, "/") {
				out = append(out, share{name: path, path: path})
			}
		}
	}
	return out
}

// exportPath is the first word of a line, which may be quoted and have octal escapes.
func exportPath(line string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case c == '#' && b.Len() == 0, !quoted && (c == ' ' || c == '\t'):
			return b.String()
		case c == '\\' && i+3 < len(line):
			n, err := strconv.ParseUint(line[i+1:i+4], 8, 8)
			if err != nil {
				b.WriteByte(c)
				continue
			}
			b.WriteByte(byte(n))
			i += 3
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

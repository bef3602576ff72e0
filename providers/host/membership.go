package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// membership is the domain that the machine is a member of, or the workgroup.
type membership struct {
	known             bool // domain is right, also where it is empty
	domain, workgroup string
}

// membership reads the configuration of the two programs that join a Linux machine to a domain: sssd and winbind.
func (p *Provider) membership() membership {
	var m membership
	sssd, sssdKnown := p.iniFile("etc/sssd/sssd.conf")
	samba, sambaKnown := p.iniFile("etc/samba/smb.conf")
	m.known = sssdKnown && sambaKnown
	for section, keys := range sssd {
		name, ok := strings.CutPrefix(section, "domain/")
		if provider := keys["id_provider"]; ok && (provider == "ad" || provider == "ipa") {
			m.known, m.domain = true, name
			if d := keys["ad_domain"] + keys["ipa_domain"]; d != "" {
				m.domain = d
			}
		}
	}
	global := samba["global"]
	switch security := strings.ToLower(global["security"]); {
	case m.domain != "":
	case security == "ads" && global["realm"] != "":
		m.known, m.domain = true, strings.ToLower(global["realm"])
	case security == "domain" && global["workgroup"] != "":
		m.known, m.domain = true, global["workgroup"]
	default:
		m.workgroup = global["workgroup"]
	}
	return m
}

// iniFile reads sections of keys. known is true for a file that is absent: then nothing is configured.
func (p *Provider) iniFile(path string) (sections map[string]map[string]string, known bool) {
	b, err := os.ReadFile(filepath.Join(p.root, path))
	if err != nil {
		return nil, errors.Is(err, fs.ErrNotExist)
	}
	sections = map[string]map[string]string{}
	var current map[string]string
	for _, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			current = map[string]string{}
			sections[strings.ToLower(strings.TrimSpace(strings.Trim(line, "[]")))] = current
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && current != nil {
			current[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
		}
	}
	return sections, true
}

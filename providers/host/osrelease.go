package host

import (
	"runtime"
	"strings"
	"time"
)

// osRelease is the content of os-release(5).
type osRelease map[string]string

func (p *Provider) osRelease() osRelease {
	text := p.read("etc/os-release")
	if text == "" {
		text = p.read("usr/lib/os-release")
	}
	return osRelease(assignments(text))
}

// assignments reads NAME=value lines as a shell would, without expansion.
func assignments(text string) map[string]string {
	out := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		out[strings.TrimSpace(strings.TrimPrefix(name, "export "))] = unquote(value)
	}
	return out
}

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '\'' {
		return s
	}
	quote, s := s[0], s[1:len(s)-1]
	if quote == '\'' || !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// prettyName is the name for people: "Debian GNU/Linux 12 (bookworm)".
func (r osRelease) prettyName() string {
	if n := r["PRETTY_NAME"]; n != "" {
		return n
	}
	return strings.TrimSpace(r["NAME"] + " " + r["VERSION"])
}

// osVersion is the version of the distribution, and that of the kernel where the distribution has none.
func (p *Provider) osVersion(r osRelease) string {
	if v := r["VERSION_ID"]; v != "" {
		return v
	}
	return p.kernelRelease()
}

func (p *Provider) kernelRelease() string { return p.read("proc/sys/kernel/osrelease") }

// machine is the hardware name of the kernel: x86_64, aarch64.
func (p *Provider) machine() string {
	if m := p.read("proc/sys/kernel/arch"); m != "" {
		return m
	}
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	case "386":
		return "i686"
	}
	return runtime.GOARCH
}

// addressWidth is 32 or 64.
func addressWidth(machine string) uint16 {
	if strings.Contains(machine, "64") || machine == "s390x" {
		return 64
	}
	return 32
}

// location is the time zone of the machine; UTC where /etc/localtime is absent.
func (p *Provider) location() *time.Location {
	if p.root == "/" {
		return time.Local
	}
	name, data := p.zoneFile()
	if l, err := time.LoadLocationFromTZData(name, data); err == nil {
		return l
	}
	return time.UTC
}

package settings

import (
	"fmt"
	"net/netip"
	"strings"
)

// TrustedHosts is a parsed TrustedHosts list. The zero value trusts nobody.
// See [MS-WSMV] 2.2.4.6.
type TrustedHosts struct {
	all   bool
	local bool
	exact map[string]struct{}
	pre   []string
	suf   []string
}

// maxTrustedHosts bounds the list, in bytes.
const maxTrustedHosts = 64 << 10

// ParseTrustedHosts reads a comma list. An item is *, *suffix, prefix*, <local> or an
// exact name or address; an IPv6 address stands in brackets. Blanks around items are
// ignored. A wrong item is an *Error with CodeHostnamePattern.
func ParseTrustedHosts(s string) (*TrustedHosts, error) {
	t := &TrustedHosts{exact: make(map[string]struct{})}
	if strings.TrimSpace(s) == "" {
		return t, nil
	}
	if len(s) > maxTrustedHosts {
		return nil, fail(CodeHostnamePattern, "Client/TrustedHosts", "the list is longer than %d bytes", maxTrustedHosts)
	}
	items := 0
	for item := range strings.SplitSeq(s, ",") {
		items++
		if err := t.add(strings.ToLower(strings.TrimSpace(item))); err != nil {
			return nil, fail(CodeHostnamePattern, "Client/TrustedHosts", "%q %v", clip(item), err)
		}
	}
	if t.all && items > 1 {
		return nil, fail(CodeHostnamePattern, "Client/TrustedHosts", "* stands for all hosts and must be alone")
	}
	return t, nil
}

func (t *TrustedHosts) add(item string) error {
	switch item {
	case "":
		return fmt.Errorf("is an empty item")
	case "*":
		t.all = true
		return nil
	case "<local>":
		t.local = true
		return nil
	}
	if strings.HasPrefix(item, "[") {
		inner, ok := strings.CutSuffix(item[1:], "]")
		a, err := netip.ParseAddr(inner)
		if !ok || err != nil || !a.Is6() {
			return fmt.Errorf("is not an IPv6 address in brackets")
		}
		t.exact[a.String()] = struct{}{}
		return nil
	}
	if strings.Count(item, "*") > 1 {
		return fmt.Errorf("has more than one *")
	}
	name := strings.Trim(item, "*")
	if strings.Contains(name, "*") {
		return fmt.Errorf("has its * neither first nor last")
	}
	if strings.Contains(name, ":") {
		return fmt.Errorf("has a colon; put an IPv6 address in brackets, and leave out ports")
	}
	if i := strings.IndexFunc(name, notHostRune); i >= 0 {
		return fmt.Errorf("holds a character that no host name has")
	}
	switch {
	case item[0] == '*':
		t.suf = append(t.suf, name)
	case item[len(item)-1] == '*':
		t.pre = append(t.pre, name)
	default:
		t.exact[name] = struct{}{}
	}
	return nil
}

func notHostRune(r rune) bool {
	return r <= ' ' || r == 0x7F || strings.ContainsRune(`"#;/<>?@[\]^{|}`+"`%", r) || r == '\uFFFD'
}

// Match reports whether the list trusts a host, by the name as it was typed, without
// case. An IPv6 address may come with or without brackets.
func (t *TrustedHosts) Match(host string) bool {
	host = strings.ToLower(strings.TrimSpace(host))
	if host == "" {
		return false
	}
	if t.all {
		return true
	}
	inner := host
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		inner = host[1 : len(host)-1]
	}
	if a, err := netip.ParseAddr(inner); err == nil && a.Is6() {
		_, ok := t.exact[a.String()]
		return ok
	}
	if _, ok := t.exact[host]; ok {
		return true
	}
	if t.local && !strings.Contains(host, ".") && !strings.Contains(host, ":") {
		return true
	}
	for _, p := range t.pre {
		if strings.HasPrefix(host, p) {
			return true
		}
	}
	for _, p := range t.suf {
		if strings.HasSuffix(host, p) {
			return true
		}
	}
	return false
}

func checkTrustedHosts(s string) (string, string) {
	if _, err := ParseTrustedHosts(s); err != nil {
		return "", err.(*Error).Message
	}
	return strings.TrimSpace(s), ""
}

package wsmanserver

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/settings"
)

// endpoint is one address and port on which one listener receives.
type endpoint struct {
	bind       string // host:port
	secure     bool
	thumbprint string
	prefix     string // request path without slashes around it
	hostname   string // "" accepts every Host header
}

// plan says where the listeners of the configuration listen. Two listeners
// whose URL prefixes are the same (transport, port, host name and prefix)
// collide: only the first receives, whatever their addresses. Nor can two
// share a socket. The problems tell which do not receive. See spec 3.5.
func plan(snap *settings.Snapshot, h settings.Host) (endpoints []endpoint, problems []string) {
	type prefix struct {
		transport, hostname, path string
		port                      uint32
	}
	compatible, err := settings.CompatibilityListeners(snap.WinRM, h)
	if err != nil {
		problems = append(problems, err.Error())
	}
	taken := map[prefix]bool{}
	for _, l := range append(slices.Clone(snap.Listeners), compatible...) {
		if !l.Enabled {
			continue
		}
		name := l.Address + " " + l.Transport + " " + strconv.FormatUint(uint64(l.Port), 10)
		key := prefix{strings.ToUpper(l.Transport), strings.ToLower(l.Hostname), strings.ToLower(l.URLPrefix), l.Port}
		if taken[key] {
			problems = append(problems, name+" has the port, host name and prefix of another")
			continue
		}
		taken[key] = true
		for _, bind := range binds(l, snap.WinRM, h) {
			if slices.ContainsFunc(endpoints, func(e endpoint) bool { return overlap(e.bind, bind) }) {
				problems = append(problems, name+" needs "+bind+", which another listener has")
				continue
			}
			e := endpoint{bind: bind, secure: strings.EqualFold(l.Transport, "HTTPS"), thumbprint: l.CertificateThumbprint, prefix: l.URLPrefix}
			if !e.secure {
				e.hostname = l.Hostname
			}
			endpoints = append(endpoints, e)
		}
	}
	slices.SortFunc(endpoints, func(a, b endpoint) int { return cmp.Compare(a.bind, b.bind) })
	return endpoints, problems
}

// overlap tells whether two sockets cannot listen at the same time.
func overlap(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	return portA == portB && (hostA == hostB || hostA == "" || hostB == "")
}

// binds are the socket addresses of a listener: one that stands for all where
// nothing narrows it, else each address that ListeningOn shows.
func binds(l settings.Listener, w *settings.WinRM, h settings.Host) []string {
	port := strconv.FormatUint(uint64(l.Port), 10)
	if l.Address == "*" && w.Service.IPv4Filter == "*" && w.Service.IPv6Filter == "*" {
		return []string{net.JoinHostPort("", port)}
	}
	v4, err := settings.ParseIPv4Filter(w.Service.IPv4Filter)
	if err != nil {
		v4 = settings.IPFilter{}
	}
	v6, err := settings.ParseIPv6Filter(w.Service.IPv6Filter)
	if err != nil {
		v6 = settings.IPFilter{}
	}
	var list []string
	for _, a := range l.ListeningOn(h, v4, v6) {
		list = append(list, net.JoinHostPort(a.String(), port))
	}
	return list
}

// hostMatches tells whether a Host header names the listener: always where the
// listener has no host name or a wildcard, else by name, case-blind.
func (e endpoint) hostMatches(host string) bool {
	if e.hostname == "" || e.hostname == "*" || e.hostname == "+" {
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, strings.Trim(e.hostname, "[]")) {
		return true
	}
	a, errA := netip.ParseAddr(host)
	b, errB := netip.ParseAddr(strings.Trim(e.hostname, "[]"))
	return errA == nil && errB == nil && a == b
}

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

// The ports of the compatibility listeners. See [MS-WSMV] 2.2.4.36.
const (
	compatibilityHTTP  = 80
	compatibilityHTTPS = 443
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
// collide: only the first receives, whatever their addresses; the others are
// returned as collisions. See spec 3.5.
func plan(all []settings.Listener, w *settings.WinRM, h settings.Host) (endpoints []endpoint, collisions []settings.Listener) {
	type prefix struct {
		transport, hostname, path string
		port                      uint32
	}
	taken := map[prefix]bool{}
	bound := map[string]bool{}
	for _, l := range append(slices.Clone(all), compatibility(all, w)...) {
		if !l.Enabled {
			continue
		}
		key := prefix{strings.ToUpper(l.Transport), strings.ToLower(l.Hostname), strings.ToLower(l.URLPrefix), l.Port}
		if taken[key] {
			collisions = append(collisions, l)
			continue
		}
		taken[key] = true
		for _, bind := range binds(l, w, h) {
			if bound[bind] {
				collisions = append(collisions, l)
				continue
			}
			bound[bind] = true
			e := endpoint{bind: bind, secure: strings.EqualFold(l.Transport, "HTTPS"), thumbprint: l.CertificateThumbprint, prefix: l.URLPrefix}
			if !e.secure {
				e.hostname = l.Hostname
			}
			endpoints = append(endpoints, e)
		}
	}
	slices.SortFunc(endpoints, func(a, b endpoint) int { return cmp.Compare(a.bind, b.bind) })
	return endpoints, collisions
}

// compatibility makes the listeners on ports 80 and 443 that the two flags ask
// for. They take address, host name and certificate from the listener of their
// transport.
func compatibility(all []settings.Listener, w *settings.WinRM) []settings.Listener {
	var more []settings.Listener
	add := func(on bool, transport string, port uint32) {
		if !on {
			return
		}
		l := settings.Listener{Address: "*", Transport: transport, Enabled: true}
		for _, have := range all {
			if strings.EqualFold(have.Transport, transport) && have.Enabled {
				l = have
				break
			}
		}
		if transport == "HTTPS" && l.CertificateThumbprint == "" {
			return
		}
		l.Port, l.URLPrefix = port, "wsman"
		more = append(more, l)
	}
	add(w.Service.EnableCompatibilityHTTPListener, "HTTP", compatibilityHTTP)
	add(w.Service.EnableCompatibilityHTTPSListener, "HTTPS", compatibilityHTTPS)
	return more
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

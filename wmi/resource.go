package wmi

import (
	"net/netip"
	"strings"
)

// NetworkResource is a namespace of a host: the strNetworkResource of ConnectServer.
type NetworkResource struct {
	Server    string // a name or an address, IPv6 without brackets; "" is this machine
	Namespace string // "root\cimv2", with backslashes; "" where the text names none
}

const maxResource = 8 << 10

// ParseNetworkResource reads root\cimv2, \\.\root\cimv2, \\host\root\cimv2 and //host/root/cimv2. An IPv6 address stands as it is, in brackets, or as
// 2001-db8--1.ipv6-literal.net. ErrInvalidParameter.
func ParseNetworkResource(s string) (NetworkResource, error) {
	if len(s) > maxResource {
		return NetworkResource{}, invalid("a network resource of %d octets", len(s))
	}
	rest, remote := strings.ReplaceAll(s, "/", `\`), false
	var r NetworkResource
	if rest, remote = strings.CutPrefix(rest, `\\`); remote {
		var err error
		r.Server, rest, _ = strings.Cut(rest, `\`)
		if r.Server, err = parseServer(r.Server); err != nil {
			return NetworkResource{}, err
		}
	}
	r.Namespace = strings.Trim(rest, `\`)
	if !isNamespace(r.Namespace) {
		return NetworkResource{}, invalid("the namespace %.60q", r.Namespace)
	}
	return r, nil
}

// isNamespace refuses names with what separates them from something else.
func isNamespace(s string) bool {
	return !strings.Contains(s, `\\`) && !strings.ContainsAny(s, "\x00:\"'=.,!{}[] \r\n")
}

// notInServer are characters of no name of a host and of no zone of an address.
const notInServer = "\x00:[]\"'=%@?#& \r\n"

// parseServer reads the host of a network resource; "." is this machine.
func parseServer(s string) (string, error) {
	literal := s
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if literal, ok = strings.CutSuffix(inner, "]"); !ok {
			literal = ""
		}
	}
	if name, ok := strings.CutSuffix(strings.ToLower(s), ".ipv6-literal.net"); ok {
		literal = strings.Replace(strings.ReplaceAll(name, "-", ":"), "s", "%", 1)
	}
	if a, err := netip.ParseAddr(literal); err == nil && a.Is6() && !strings.ContainsAny(a.Zone(), notInServer) {
		return literal, nil
	}
	switch {
	case s == ".":
		return "", nil
	case s == "":
		return "", invalid("a network resource names no server")
	case strings.ContainsAny(s, notInServer):
		return "", invalid("%.60q is neither the name nor the address of a server; a port has no place here, only in dcom://host:port", s)
	}
	return s, nil
}

// Local tells whether it is on this machine.
func (r NetworkResource) Local() bool { return r.Server == "" }

// String is the resource with slashes, as a server is asked for it: "//host/root/cimv2".
func (r NetworkResource) String() string {
	server := r.Server
	if server == "" {
		server = "."
	}
	return "//" + server + "/" + strings.ReplaceAll(r.Namespace, `\`, "/")
}

package winrmtool

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// endpoint is the parts of -remote:[http://|https://]HOST[:PORT][/PREFIX].
type endpoint struct {
	transport string // http, https, or "" where none was named
	host      string // an IPv6 address without brackets
	port      uint16 // 0: none was named
	prefix    string
}

// parseEndpoint reads a connection string; see spec section 1.3 for the codes.
func parseEndpoint(s string) (endpoint, error) {
	var e endpoint
	rest := strings.TrimSpace(s)
	bad := func(why string) (endpoint, error) {
		return e, fault(codeConnectionString, "the endpoint %q cannot be used: %s; write [http://|https://]HOST[:PORT][/PREFIX]", clip(s), why)
	}
	if before, after, found := strings.Cut(rest, "://"); found {
		e.transport, rest = strings.ToLower(before), after
		if e.transport != "http" && e.transport != "https" {
			return e, fault(codeTransport, "the transport %q is neither http nor https", clip(before))
		}
	}
	host, prefix, _ := strings.Cut(rest, "/")
	e.prefix = strings.Trim(prefix, "/")
	if strings.ContainsAny(host, "@?# \t\"<>") || strings.ContainsAny(e.prefix, "?# \t\"<>") {
		return bad("it holds something other than host, port and prefix")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		e.host = a.String()
		return e, nil
	}
	port, hasPort := "", false
	switch {
	case strings.HasPrefix(host, "["):
		inside, after, closed := strings.Cut(host[1:], "]")
		if _, err := netip.ParseAddr(inside); !closed || err != nil {
			return bad("an IPv6 address must stand in brackets")
		}
		e.host = inside
		port, hasPort = strings.CutPrefix(after, ":")
		if after != "" && !hasPort {
			return bad("something stands behind the address")
		}
	default:
		e.host, port, hasPort = strings.Cut(host, ":")
	}
	if e.host == "" {
		return bad("it names no host")
	}
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return e, fault(codePort, "the port %q is not a number from 1 to 65535", clip(port))
		}
		e.port = uint16(n)
	}
	return e, nil
}

// String is the endpoint as a connection string.
func (e endpoint) String() string {
	s := e.host
	if strings.Contains(s, ":") {
		s = "[" + s + "]"
	}
	if e.port != 0 {
		s = net.JoinHostPort(e.host, strconv.FormatUint(uint64(e.port), 10))
	}
	if e.transport != "" {
		s = e.transport + "://" + s
	}
	if e.prefix != "" {
		s += "/" + e.prefix
	}
	return s
}

// Endpoint is the connection string with -ssl and -port applied.
func (c *Connection) Endpoint() (string, error) {
	e, err := parseEndpoint(c.Remote)
	if err != nil {
		return "", err
	}
	if c.SSL {
		if e.transport == "http" {
			return "", fault(codeUseSSL, "-ssl contradicts the endpoint %s", c.Remote)
		}
		e.transport = "https"
	}
	if c.Port != 0 {
		if e.port != 0 && e.port != c.Port {
			return "", usage("-port:%d contradicts the endpoint %s", c.Port, c.Remote)
		}
		e.port = c.Port
	}
	return e.String(), nil
}

// https tells whether the connection is one over TLS.
func (c *Connection) https() bool {
	e, err := parseEndpoint(c.Remote)
	return c.SSL || err == nil && e.transport == "https"
}

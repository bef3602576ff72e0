package wsmanclient

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
)

// parseEndpoint reads a connection string, [TRANSPORT://]HOST[:PORT][/PREFIX],
// and fills in the defaults: http, the setting DefaultPorts, the setting
// URLPrefix. See spec sections 1.3 and 2.
func parseEndpoint(s string, set *settings.Client) (*url.URL, error) {
	bad := func(why string) error {
		f := wsman.NewFault(wsman.CodeInvalidParameter, "the endpoint "+strconv.Quote(s)+" cannot be used: "+why+
			"; write [http://|https://]host[:port][/prefix]")
		return f
	}
	scheme, rest := "http", s
	if before, after, found := strings.Cut(s, "://"); found {
		scheme, rest = strings.ToLower(before), after
	}
	if scheme != "http" && scheme != "https" {
		return nil, bad("the transport is neither http nor https")
	}
	host, path, _ := strings.Cut(rest, "/")
	host, path = strings.TrimSpace(host), strings.Trim(path, "/")
	if strings.ContainsAny(host, "@?# \t") || strings.ContainsAny(path, "?# \t") {
		return nil, bad("it holds something other than host, port and prefix")
	}
	port := ""
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	} else if h, p, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, bad("the port is not a number from 1 to 65535")
		}
		host, port = h, p
		if strings.Contains(h, ":") {
			host = "[" + h + "]"
		}
	} else if strings.Contains(strings.Trim(host, "[]"), ":") && !strings.HasPrefix(host, "[") {
		return nil, bad("the port cannot be told from the host")
	}
	if strings.Trim(host, "[]") == "" {
		return nil, bad("it names no host")
	}
	if port == "" {
		n := set.DefaultPorts.HTTP
		if scheme == "https" {
			n = set.DefaultPorts.HTTPS
		}
		port = strconv.FormatUint(uint64(n), 10)
	}
	if path == "" {
		path = set.URLPrefix
	}
	return &url.URL{Scheme: scheme, Host: host + ":" + port, Path: "/" + path}, nil
}

// isLoopback tells whether a host name is one of this machine's own.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

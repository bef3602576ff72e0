package host

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/providers/host/internal/nl"
)

// lease is what the DHCP client of the machine keeps about an interface. known is false where no client that we can
// read is there: then an address may have come by any way. Times are zero where the client does not keep them.
type lease struct {
	known, present    bool
	server            string
	obtained, expires time.Time
}

// lease asks systemd-networkd, NetworkManager and dhclient, in this order.
func (p *Provider) lease(l nl.Link, addresses []nl.Address) lease {
	if _, err := os.Stat(filepath.Join(p.root, "run/systemd/netif/links")); err == nil {
		if out := p.networkdLease(l); out.known {
			return out
		}
	}
	if out := p.networkManagerLease(l, addresses); out.known {
		return out
	}
	for _, path := range []string{"var/lib/dhcp/dhclient." + l.Name + ".leases", "var/lib/dhclient/dhclient-" + l.Name + ".leases"} {
		if text := p.read(path); text != "" {
			return dhclientLease(text)
		}
	}
	return lease{}
}

// networkdLease reads the files that systemd-networkd keeps. The lease is as old as its file.
func (p *Provider) networkdLease(l nl.Link) lease {
	out := lease{known: true}
	path := "run/systemd/netif/leases/" + strconv.Itoa(l.Index)
	if values := assignments(p.read(path)); len(values) > 0 {
		out.present, out.server = true, values["SERVER_ADDRESS"]
		if file, err := os.Stat(filepath.Join(p.root, path)); err == nil {
			out.obtained = file.ModTime()
			if seconds, err := strconv.ParseUint(values["LIFETIME"], 10, 32); err == nil {
				out.expires = out.obtained.Add(time.Duration(seconds) * time.Second)
			}
		}
	}
	if assignments(p.read("run/systemd/netif/links/" + strconv.Itoa(l.Index)))["ADMIN_STATE"] == "unmanaged" && !out.present {
		out.known = false
	}
	return out
}

// networkManagerLease reads the lease that NetworkManager keeps for the connection of the interface. Files of earlier
// leases stay: one counts if the interface has its address.
func (p *Provider) networkManagerLease(l nl.Link, addresses []nl.Address) lease {
	connection := assignments(p.read("run/NetworkManager/devices/" + strconv.Itoa(l.Index)))["connection-uuid"]
	if connection == "" || strings.ContainsAny(connection, "/\\") {
		return lease{}
	}
	file := connection + "-" + l.Name + ".lease"
	if text := p.read("var/lib/NetworkManager/dhclient-" + file); text != "" {
		return dhclientLease(text)
	}
	address := assignments(p.read("var/lib/NetworkManager/internal-" + file))["ADDRESS"]
	for _, a := range addresses {
		if address != "" && a.Prefix.Addr().String() == address {
			return lease{known: true, present: true}
		}
	}
	return lease{known: true}
}

// dhclientLease is the last lease in a file of dhclient. See dhclient.leases(5); its times are UTC.
func dhclientLease(text string) lease {
	out := lease{known: true, present: true}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSuffix(strings.TrimSpace(line), ";")
		if after, ok := strings.CutPrefix(line, "option dhcp-server-identifier "); ok {
			out.server = after
		}
		if after, ok := strings.CutPrefix(line, "expire "); ok {
			_, after, _ = strings.Cut(after, " ") // the day of the week
			out.expires, _ = time.Parse("2006/01/02 15:04:05", after)
		}
	}
	return out
}

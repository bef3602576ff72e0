package service

import (
	"net"
	"net/netip"
	"os"

	"github.com/casementhq/casement/settings"
)

// Host are the facts of this machine that listeners depend on, as they are now.
func (s *State) Host() settings.Host {
	h := settings.Host{Name: hostName(), Certificates: s.Certificates.Usable(s.now())}
	interfaces, err := net.Interfaces()
	if err != nil {
		s.Logger.Warn("cannot list the network interfaces", "error", err)
		return h
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		entry := settings.Interface{MAC: i.HardwareAddr}
		for _, a := range addrs {
			ipnet, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			addr, ok := netip.AddrFromSlice(ipnet.IP)
			if !ok {
				continue
			}
			addr = addr.Unmap()
			if addr.IsLinkLocalUnicast() && addr.Is6() {
				addr = addr.WithZone(i.Name)
			}
			entry.Addrs = append(entry.Addrs, addr)
		}
		h.Interfaces = append(h.Interfaces, entry)
	}
	return h
}

// hostName is the host's own name as it knows it.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

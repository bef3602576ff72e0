package host

import (
	"strings"
	"sync"

	"github.com/jaypipes/ghw"
)

// pciNames are the names of a vendor and a device in pci.ids; "" where it has none.
type pciNames struct{ vendor, device string }

// pciDatabase keeps the names of the devices that were seen. The database itself, of megabytes, is read again only
// when another device comes.
type pciDatabase struct {
	mu    sync.Mutex
	known map[string]pciNames
}

// pciNames looks a device up.
func (p *Provider) pciNames(vendor, device string) pciNames {
	p.pci.mu.Lock()
	defer p.pci.mu.Unlock()
	key := vendor + device
	if n, ok := p.pci.known[key]; ok {
		return n
	}
	if p.pci.known == nil {
		p.pci.known = map[string]pciNames{}
	}
	p.pci.known[key] = pciNames{}
	info, err := ghw.PCI(ghw.WithChroot(p.root), ghw.WithDisableTopology(), ghw.WithDisableTools(), ghw.WithDisableWarnings())
	if err != nil { // no pci.ids on this machine
		p.log.Debug("names of PCI devices are not known", "error", err)
		return pciNames{}
	}
	const unknown = "unknown"
	for _, d := range info.Devices {
		var n pciNames
		if d.Vendor != nil && d.Vendor.Name != unknown {
			n.vendor = d.Vendor.Name
		}
		if d.Product != nil && d.Product.Name != unknown {
			n.device = d.Product.Name
		}
		if d.Vendor != nil && d.Product != nil {
			p.pci.known[strings.ToUpper(d.Vendor.ID)+strings.ToUpper(d.Product.ID)] = n
		}
	}
	return p.pci.known[key]
}

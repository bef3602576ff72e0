// Package kernel has the kernel's packet filter drop what the firewall's rules refuse:
// new connections to ports of ours, silently, before this process sees them.
package kernel

import (
	"errors"
	"fmt"

	"github.com/casementhq/casement/firewall"
)

// ErrUnsupported says that there is no packet filter that could be used.
var ErrUnsupported = errors.New("the kernel's packet filter is used on Linux alone")

// maxRules bounds what is put into the kernel at one time.
const maxRules = 512

// Check tells whether rules could be put into the kernel.
func Check(ports []firewall.KernelPort) error {
	n := len(ports)
	for _, p := range ports {
		if n += len(p.Rules); p.Port == 0 {
			return errors.New("a rule of the packet filter names no port")
		}
		for _, r := range p.Rules {
			if r.From.IsValid() != r.To.IsValid() || r.From.Is4() != r.To.Is4() || r.From.Zone()+r.To.Zone() != "" || r.To.Less(r.From) {
				return errors.New("a rule of the packet filter has no range of addresses")
			}
		}
	}
	if n > maxRules {
		return fmt.Errorf("%d rules are too many for the packet filter, at most %d go there", n, maxRules)
	}
	return nil
}

package kernel

import (
	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/firewall/internal/nft"
)

// Set replaces what Casement has in the kernel, in one transaction; no ports remove it.
// It wants root, or CAP_NET_ADMIN.
func Set(ports []firewall.KernelPort) error {
	if err := Check(ports); err != nil {
		return err
	}
	return nft.Set(ports)
}

//go:build !linux

package kernel

import "github.com/casementhq/casement/firewall"

// Set fails: there is nothing to put rules into.
func Set([]firewall.KernelPort) error { return ErrUnsupported }

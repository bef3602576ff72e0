//go:build !linux

package host

import "context"

// watchVolumes does not know the mounts here.
func (p *Provider) watchVolumes(context.Context, func(string, uint16) error) error {
	return errNoSystem
}

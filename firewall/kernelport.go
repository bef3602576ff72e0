package firewall

import "net/netip"

// KernelPort is what the kernel can be told of the rules about one port that is listened
// on: each new connection from another machine gets the verdict of the first rule that
// fits. Where the kernel cannot be told all conditions it lets pass what this process
// still refuses, never the other way round.
type KernelPort struct {
	Port    uint16
	Address netip.Addr // of the listener; not valid for all
	Rules   []KernelRule
}

// KernelRule is about a range of addresses, or about all where From is not valid.
type KernelRule struct {
	Accept   bool
	From, To netip.Addr // of the same family
}

// Kernel gives what the kernel can be told about a part that listens at local. Without
// rules there is nothing to tell: the firewall is off.
func (f *Filter) Kernel(p Part, local netip.AddrPort) KernelPort {
	k := KernelPort{Port: local.Port()}
	if !local.Addr().IsUnspecified() {
		k.Address = plain(local.Addr())
	}
	switch {
	case !f.settings.Enabled:
		return k
	case f.settings.Shielded:
		k.Rules = []KernelRule{{}}
		return k
	}
	for i := range f.in {
		r := &f.in[i]
		if r.protocol != AnyProtocol && r.protocol != TCP || !r.matchPart(&p) || r.unknown {
			continue // what allows and is unknown admits nothing, and what blocks so is this process's
		}
		ports, here := r.lports.match(k.Port, p.Port), r.laddrs.match(k.Address, f.subnets)
		if ports == no || here == no || r.block && (ports != yes || here != yes || r.rports.some) {
			continue
		}
		k.Rules = append(k.Rules, r.kernel(f.subnets)...)
	}
	k.Rules = append(k.Rules, KernelRule{Accept: f.settings.Inbound == Allow})
	return k
}

func (c *compiled) kernel(subnets func() []netip.Prefix) []KernelRule {
	if !c.raddrs.some {
		return []KernelRule{{Accept: !c.block}}
	}
	var out []KernelRule
	for _, r := range c.raddrs.ranges {
		if !r[1].Less(r[0]) {
			out = append(out, KernelRule{!c.block, r[0], r[1]})
		}
	}
	if subnets != nil && (c.raddrs.subnet4 || c.raddrs.subnet6) {
		for _, p := range subnets() {
			if p.IsValid() && (c.raddrs.subnet4 && p.Addr().Is4() || c.raddrs.subnet6 && p.Addr().Is6()) {
				out = append(out, KernelRule{!c.block, p.Masked().Addr(), lastOf(p)})
			}
		}
	}
	return out
}

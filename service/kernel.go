package service

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/privilege"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// kernelName is the registry value below settings.KeyCasement that has the kernel
// drop what the firewall refuses: a REG_DWORD, 1 for yes.
const kernelName = "FirewallInKernel"

// InKernel reports whether the kernel is to drop what the firewall refuses.
func InKernel(r settings.Reader) bool {
	v, _, _ := r.Value(settings.KeyCasement, kernelName)
	n, _ := v.Uint()
	return n == 1
}

// SetInKernel is the change that has the kernel drop what the firewall refuses, or
// not.
func SetInKernel(on bool) settings.Change {
	c := settings.Change{Key: settings.KeyCasement, Name: kernelName, Delete: !on}
	if on {
		c.Value = registry.DWORD(1)
	}
	return c
}

// kernelEach is how often the ports and the subnets of the machine are compared with
// what the kernel was told.
const kernelEach = 2 * time.Second

// kernel keeps the packet filter of the kernel as the rules and the open ports are.
type kernel struct {
	service *Service
	program func(ctx context.Context, ports []firewall.KernelPort) error // nil: nobody can
	log     *slog.Logger

	told   []firewall.KernelPort
	failed string
}

// serve begins and gives the function that ends it, and takes everything back.
func (k *kernel) serve(ctx context.Context) (end func() error) {
	changes, unsubscribe := k.service.State.Hive.Subscribe()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		each := time.NewTicker(kernelEach)
		defer each.Stop()
		for {
			k.reconcile(ctx)
			select {
			case <-ctx.Done():
				return
			case <-changes:
			case <-each.C:
			}
		}
	}()
	return func() error {
		cancel()
		<-done
		unsubscribe()
		if len(k.told) == 0 {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return k.program(ctx, nil)
	}
}

func (k *kernel) reconcile(ctx context.Context) {
	want := k.wanted()
	if ctx.Err() != nil || reflect.DeepEqual(want, k.told) {
		return
	}
	if k.program == nil {
		k.complain("the kernel's packet filter is not used: only a service that was started as root can have it programmed, on Linux")
		return
	}
	if err := k.program(ctx, want); err != nil {
		if ctx.Err() == nil {
			k.complain("the kernel's packet filter could not be programmed: " + err.Error())
		}
		return
	}
	k.failed = ""
	if (len(want) == 0) != (len(k.told) == 0) {
		k.log.Info("the kernel's packet filter", "used", len(want) > 0, "ports", len(want))
	}
	k.told = want
}

// complain says something once.
func (k *kernel) complain(text string) {
	if text != k.failed {
		k.failed = text
		k.log.Warn(text)
	}
}

// wanted is what the kernel is to be told: nothing where nobody asked for it.
func (k *kernel) wanted() []firewall.KernelPort {
	if !InKernel(k.service.State.Snapshot().Reader) {
		return nil
	}
	f, err := k.service.gate.Filter()
	if err != nil {
		return nil
	}
	var ports []firewall.KernelPort
	add := func(p firewall.Part, address string) {
		at, err := netip.ParseAddrPort(address)
		if err != nil || at.Addr().IsLoopback() {
			return
		}
		if k := f.Kernel(p, at); len(k.Rules) > 0 {
			ports = append(ports, k)
		}
	}
	listening := k.service.WinRM.Listening()
	slices.Sort(listening)
	for _, l := range listening {
		add(firewall.WinRM(), l)
	}
	if d := k.service.DCOM(); d.Resolver != "" {
		add(firewall.EndpointMapper(), d.Resolver)
		add(firewall.WMI(), d.WMI)
	}
	return ports
}

// PermitKernel makes root's decision hold whether the privilege helper may have the
// kernel drop what the firewall refuses. For who is not root it fails.
func (s *State) PermitKernel(on bool) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the kernel's packet filter is root's to permit: %w", fs.ErrPermission)
	}
	return s.decide(func(p *privilege.Policy) { p.Firewall = on })
}

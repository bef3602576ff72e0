package service

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// accessSetting is the switch of remote management below winrm/config.
const accessSetting = "Service/AllowRemoteAccess"

// RemoteManagement is whether this machine lets others manage it over WinRM, as
// Configure-SMRemoting -get tells. WMI over DCOM has nothing to do with it.
type RemoteManagement struct {
	Enabled bool
	Source  string // who decides: Group Policy or this machine
	Why     string // one sentence
	// Limits are what stands in the way of Server Manager although it is enabled,
	// one sentence each.
	Limits []string
}

// The sources of RemoteManagement.
const (
	SourcePolicy  = "Group Policy"
	SourceMachine = "this machine"
)

// PolicyAutoConfig is the name of the policy that rules remote management.
const PolicyAutoConfig = "Allow remote server management through WinRM"

// RemoteManagementOf reads the configuration.
func RemoteManagementOf(live *settings.Snapshot) RemoteManagement {
	r := RemoteManagement{Source: SourceMachine}
	policy := live.WinRM.Source(accessSetting) == registry.SourceGPO
	if policy {
		r.Source = SourcePolicy
	}
	on := slices.ContainsFunc(live.Listeners, func(l settings.Listener) bool { return l.Enabled })
	switch {
	case !live.WinRM.Service.AllowRemoteAccess && policy:
		r.Why = "The policy \"" + PolicyAutoConfig + "\" is disabled."
		return r
	case !live.WinRM.Service.AllowRemoteAccess:
		r.Why = "It was switched off on this machine; Configure-SMRemoting.exe -enable switches it on."
		return r
	case !on:
		r.Source, r.Why = SourceMachine, "No listener is enabled; Configure-SMRemoting.exe -enable makes one."
		return r
	}
	r.Enabled = true
	r.Why = "A listener is enabled and remote requests are answered."
	if policy {
		r.Why = "The policy \"" + PolicyAutoConfig + "\" is enabled."
	}
	r.Limits = managementLimits(live)
	return r
}

// managementLimits compares the configuration with what Server Manager needs: an
// HTTP listener on 5985 that other machines reach, the firewall open, Kerberos and
// Negotiate. See spec section 9.
func managementLimits(live *settings.Snapshot) []string {
	var list []string
	plain := slices.ContainsFunc(live.Listeners, func(l settings.Listener) bool { return l.Enabled && l.Transport == "HTTP" && l.Port == 5985 })
	if !plain {
		list = append(list, "No HTTP listener has the port 5985, where Server Manager looks for it.")
	}
	outside := slices.ContainsFunc(live.Listeners, func(l settings.Listener) bool { return l.Enabled && !isLoopback(l.Address) })
	if !outside {
		list = append(list, "The listeners are on the loopback address only: no other machine reaches them.")
	}
	if outside && !winrmAdmitted(live) {
		list = append(list, fmt.Sprintf("The firewall lets WinRM in from no other machine on the present %s network.", strings.ToLower(NetworkProfile(live.Reader).String())))
	}
	auth := live.WinRM.Service.Auth
	if !auth.Kerberos {
		list = append(list, "Kerberos is off.")
	}
	if !auth.Negotiate {
		list = append(list, "Negotiate is off.")
	}
	return list
}

// winrmAdmitted tells whether the firewall lets some other machine reach an HTTP or
// HTTPS listener: the rules of the present profile, or its being off.
func winrmAdmitted(live *settings.Snapshot) bool {
	tree, ok := live.Reader.(*registry.Tree)
	if !ok {
		return false
	}
	local := netip.MustParseAddr("192.0.2.1") // any address that is not loopback
	peers := []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("192.0.2.2")}
	filter := firewall.Compile(tree, func() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	return slices.ContainsFunc(live.Listeners, func(l settings.Listener) bool {
		return l.Enabled && slices.ContainsFunc(peers, func(peer netip.Addr) bool {
			return filter.Verdict(firewall.Traffic{Dir: firewall.In, Part: firewall.WinRM(), Local: netip.AddrPortFrom(local, uint16(l.Port)), // #nosec G115 -- a port
				Remote: netip.AddrPortFrom(peer, 50000)}).Allowed
		})
	})
}

// EnableRemoteManagement does what Configure-SMRemoting -enable does: a listener for
// HTTP on all addresses, the exception of the firewall, the schemes that Server
// Manager needs, the switch, and the service started now and with the system. done
// says line by line what was missing, notes what this machine cannot do by itself.
// Refused are, as *settings.Error, who is neither root nor the owner (5), what policy
// forbids (0x803381DD, 0x80338116, 0x80338117); and a client, with an error of its own.
func (q *QuickConfig) EnableRemoteManagement(ctx context.Context) (done, notes []string, err error) {
	if err := q.notClient(); err != nil {
		return nil, nil, err
	}
	p, err := q.Plan(ctx, QuickConfigOptions{Transport: "HTTP", Force: true, manager: true})
	if err != nil {
		return nil, nil, err
	}
	if len(p.Actions) > 0 {
		done, err = q.Apply(ctx, p)
	}
	return done, p.Notes, err
}

// DisableRemoteManagement does what Configure-SMRemoting -disable does: WinRM answers
// no other machine, shells that are open included. Listeners, firewall, local
// sessions and DCOM stay as they are. A policy that keeps it enabled is a refusal
// with 0x8033808A.
func (q *QuickConfig) DisableRemoteManagement(context.Context) error {
	return q.withState(func(s *State) error {
		if s.Role() == RoleClient {
			return ErrClientRole
		}
		return s.Hive.Update(func(tx *registry.Tx) error {
			live := s.Snapshot()
			allowed := live.WinRM.Service.AllowRemoteAccess
			if live.WinRM.Source(accessSetting) == registry.SourceGPO {
				if !allowed {
					return nil
				}
				return refuse(settings.CodeGPOControlled, "the policy %q keeps remote management enabled", PolicyAutoConfig)
			}
			if !allowed {
				return nil
			}
			return settings.Apply(tx, []settings.Change{settings.SetAllowRemoteAccess(false)})
		})
	})
}

// RemoteManagement tells whether remote management is enabled. A machine without
// state has none.
func (q *QuickConfig) RemoteManagement() (r RemoteManagement, err error) {
	err = q.withState(func(s *State) error {
		if s.Role() == RoleClient {
			return ErrClientRole
		}
		r = RemoteManagementOf(s.Snapshot())
		return nil
	})
	if errors.Is(err, ErrNoState) {
		return RemoteManagementOf(settings.LoadSnapshot(registry.NewTree())), nil
	}
	return r, err
}

// ErrClientRole is returned on a client: only servers are managed this way.
var ErrClientRole = errors.New("this machine has the role client, and only servers are managed by Server Manager; 'winrm quickconfig' enables WinRM on a client, 'casement serve --role server' makes this machine a server")

func (q *QuickConfig) notClient() error {
	err := q.withState(func(s *State) error {
		if s.Role() == RoleClient {
			return ErrClientRole
		}
		return nil
	})
	if errors.Is(err, ErrNoState) {
		return nil
	}
	return err
}

// withState runs f on the state folder, for root and its owner.
func (q *QuickConfig) withState(f func(*State) error) error {
	dir, err := filepath.Abs(q.Dir)
	if err != nil {
		return err
	}
	if err := elevated(dir); err != nil {
		return refusedAccess(err)
	}
	state, err := OpenState(dir, StateOptions{Logger: q.Logger})
	if err != nil {
		return refusedAccess(err)
	}
	return refusedAccess(errors.Join(f(state), state.Close()))
}

// remoteAccessPolicy refuses where Group Policy forbids remote access.
func remoteAccessPolicy(live *settings.Snapshot) error {
	if live.WinRM.Service.AllowRemoteAccess || live.WinRM.Source(accessSetting) != registry.SourceGPO {
		return nil
	}
	return refuse(codeRemoteDisabled, "the policy %q is disabled, so that this machine answers no other one; it must be changed there", PolicyAutoConfig)
}

// missingSchemes are the schemes that Server Manager needs and that this machine has
// off; what policy rules is not for it to change.
func missingSchemes(live *settings.Snapshot) []string {
	var list []string
	for _, s := range []struct {
		name string
		on   bool
	}{{"Kerberos", live.WinRM.Service.Auth.Kerberos}, {"Negotiate", live.WinRM.Service.Auth.Negotiate}} {
		if !s.on && live.WinRM.Source("Service/Auth/"+s.name) != registry.SourceGPO {
			list = append(list, s.name)
		}
	}
	return list
}

func (w wants) enableSchemes(tx *registry.Tx, live *settings.Snapshot) error {
	for _, name := range w.schemes {
		changes, err := live.WinRM.Validate(settings.URIConfig, []settings.NameValue{{Name: "Service/Auth/" + name, Value: "true"}})
		if err != nil {
			return err
		}
		if err := settings.Apply(tx, changes); err != nil {
			return err
		}
	}
	return nil
}

package service

import (
	"fmt"
	"strings"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// Role is what a machine is for.
type Role string

// The roles. A machine without a role is like a client: it listens only once
// somebody asked for it.
const (
	RoleServer Role = "server" // remote management is on from the first start
	RoleClient Role = "client" // it is off until quickconfig or up
)

// roleName is the registry value below settings.KeyCasement that keeps the role.
const roleName = "Role"

// ParseRole reads "server" or "client" in any case.
func ParseRole(s string) (Role, error) {
	switch r := Role(strings.ToLower(s)); r {
	case RoleServer, RoleClient:
		return r, nil
	}
	return "", fmt.Errorf("role %q: want server or client", s)
}

// Role is the role that the state folder keeps, "" for none.
func (s *State) Role() Role {
	v, _, _ := s.Snapshot().Reader.Value(settings.KeyCasement, roleName)
	text, _ := v.Text()
	r, err := ParseRole(text)
	if err != nil {
		return ""
	}
	return r
}

// SetRole keeps the role of a machine. A machine that becomes a server and has
// no listener yet is configured as winrm quickconfig would: a listener for HTTP
// on all addresses, the firewall exception and what remote shells need; done
// says so line by line. WMI over DCOM listens on all addresses too, where none
// is configured. What an administrator changes later stays as it is, so
// to name the same role again does nothing.
func (s *State) SetRole(r Role) (done []string, err error) {
	if s.Role() == r {
		return nil, nil
	}
	if r == RoleServer && len(s.Snapshot().Listeners) == 0 {
		quick := QuickConfig{Dir: s.Dir, Logger: s.Logger, Now: s.now}
		if done, err = quick.configureState(s, QuickConfigOptions{Transport: "HTTP", start: true}); err != nil {
			return nil, fmt.Errorf("enable remote management for the role server: %w", err)
		}
	}
	if r == RoleServer {
		if err := s.listenDCOM("*", false); err != nil {
			return done, err
		}
	}
	return done, s.Hive.Update(func(tx *registry.Tx) error {
		return tx.Set(settings.KeyCasement, roleName, registry.SZ(string(r)))
	})
}

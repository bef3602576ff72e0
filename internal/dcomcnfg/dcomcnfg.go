package dcomcnfg

import (
	"errors"
	"fmt"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
)

// ErrUsage marks what was wrong with the words of a command; nothing was tried.
var ErrUsage = errors.New("dcomcnfg")

// Names finds accounts.
type Names interface {
	SID(name string) (sid security.SID, found bool)
	Name(sid security.SID) (name string, found bool)
}

// Tool is DCOMCNFG over one registry hive. Each change is one update of the hive: it
// is whole or not there, and a running service follows it at once, but the port and
// the level of WMI when that starts next.
type Tool struct {
	Hive *registry.Hive
	// Caller is who asks: administrators change the machine, and who has the
	// configuration permission the WMI application. Nil may nothing.
	Caller *security.Token
	Names  Names
	// User is the system's name of the user as whom the service runs; "" where
	// unknown.
	User string
}

// Grant ticks rights to be allowed for a principal, and takes them out of what is
// denied. rights are words with commas between: local-launch, remote-launch,
// local-activation, remote-activation in a descriptor for launching, local-access,
// remote-access in one for access, read, full in the configuration permission.
func (t *Tool) Grant(s settings.COMSetting, principal, rights string) error {
	return t.tick(s, security.AccessAllowed, principal, rights)
}

// Deny ticks rights to be denied, which counts whatever is allowed by other entries.
func (t *Tool) Deny(s settings.COMSetting, principal, rights string) error {
	return t.tick(s, security.AccessDenied, principal, rights)
}

func (t *Tool) tick(s settings.COMSetting, kind security.ACEType, principal, rights string) error {
	mask, takes, err := parseRights(s, rights)
	if err != nil {
		return err
	}
	sid, err := t.principal(principal)
	if err != nil {
		return err
	}
	return t.edit(s, func(p *page) error {
		p.tick(kind, sid, mask, takes)
		return nil
	})
}

// Revoke takes rights of a principal away, allowed and denied ones; without rights
// the principal goes altogether. It is an error where there is nothing to take.
func (t *Tool) Revoke(s settings.COMSetting, principal, rights string) error {
	takes := ^uint32(0)
	if rights != "" {
		var err error
		if _, takes, err = parseRights(s, rights); err != nil {
			return err
		}
	}
	sid, err := t.principal(principal)
	if err != nil {
		return err
	}
	return t.edit(s, func(p *page) error {
		allowed := p.untick(security.AccessAllowed, sid, takes)
		if denied := p.untick(security.AccessDenied, sid, takes); !allowed && !denied {
			return fmt.Errorf("%s names %s with none of these rights: 'casement dcomcnfg' shows who has them", s.ValueName(), principal)
		}
		return nil
	})
}

// Set stores a whole descriptor, as SDDL.
func (t *Tool) Set(s settings.COMSetting, sddl string) error {
	sd, err := security.ParseSDDL(sddl)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return t.change(s, func(d *settings.DCOM) (settings.Change, error) { return d.PutPermission(s, sd) })
}

// Reset gives a descriptor its default back.
func (t *Tool) Reset(s settings.COMSetting) error {
	return t.change(s, func(d *settings.DCOM) (settings.Change, error) { return d.DeletePermission(s) })
}

// Enable is the switch of DCOM as a whole, at both ends.
func (t *Tool) Enable(on bool) error {
	return t.change(settings.LaunchLimit, func(*settings.DCOM) (settings.Change, error) { return settings.PutEnabled(on), nil })
}

// Endpoint gives WMI a port of 1024 to 65535, or a dynamic one with 0.
func (t *Tool) Endpoint(port uint16) error {
	if port != 0 && port < 1024 {
		return fmt.Errorf("%w: the port of an endpoint is 1024 to 65535, or dynamic", ErrUsage)
	}
	return t.change(settings.WMILaunch, func(*settings.DCOM) (settings.Change, error) { return settings.PutWMIEndpoint(port), nil })
}

// edit changes the entries of a descriptor.
func (t *Tool) edit(s settings.COMSetting, f func(*page) error) error {
	return t.change(s, func(d *settings.DCOM) (settings.Change, error) {
		from := d.Permission(s).Descriptor
		if from == nil {
			return settings.Change{}, fmt.Errorf("%s is damaged, so that nobody has access: reset it first", s.ValueName())
		}
		p := open(s, from)
		if err := f(p); err != nil {
			return settings.Change{}, err
		}
		return d.PutPermission(s, p.sd)
	})
}

// change updates the hive where the caller may.
func (t *Tool) change(s settings.COMSetting, f func(*settings.DCOM) (settings.Change, error)) error {
	return t.Hive.Update(func(tx *registry.Tx) error {
		d, _ := settings.LoadDCOM(t.Hive.Snapshot()) // as the update has read it; what is damaged permits nothing
		if err := t.may(d, s); err != nil {
			return fmt.Errorf("access is denied (5): %w", err)
		}
		c, err := f(d)
		if err != nil {
			return err
		}
		return settings.Apply(tx, []settings.Change{c})
	})
}

// may asks the configuration permission about the WMI application; what is the
// machine's is the administrators'.
func (t *Tool) may(d *settings.DCOM, s settings.COMSetting) error {
	switch s {
	case settings.WMIConfigure:
		return d.CheckConfigure(t.Caller, security.WriteDAC)
	case settings.WMILaunch, settings.WMIAccess:
		return d.CheckConfigure(t.Caller, security.KeyWrite)
	}
	if t.Caller == nil || !t.Caller.Has(security.SIDAdministrators) {
		return fmt.Errorf("%w: it takes an administrator", security.ErrAccessDenied)
	}
	return nil
}

// principal finds who is meant: a SID, a name that is the same everywhere, or an
// account of this machine.
func (t *Tool) principal(name string) (security.SID, error) {
	if sid, err := security.ParseSID(name); err == nil {
		return sid, nil
	}
	if sid, ok := security.WellKnownSID(name); ok {
		return sid, nil
	}
	if sid, ok := t.Names.SID(name); ok {
		return sid, nil
	}
	return security.SID{}, fmt.Errorf("there is no account %q, nothing was changed: name a user or group of this machine ('casement user list', 'casement group list'), a name such as ANONYMOUS LOGON, or a SID", name)
}

// name is how a principal is shown.
func (t *Tool) name(sid security.SID) string {
	if domain, name, ok := security.WellKnownName(sid); ok {
		if domain != "" {
			return domain + `\` + name
		}
		return name
	}
	if name, ok := t.Names.Name(sid); ok {
		return name
	}
	return sid.String()
}

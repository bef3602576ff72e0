package settings

import (
	"strconv"
	"strings"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// KeyDCOMPolicy is the key of the policies "DCOM: Machine Launch Restrictions" and "DCOM: Machine Access
// Restrictions in Security Descriptor Definition Language (SDDL) syntax". Their values have the names of those
// below KeyOle, are REG_SZ, and hold over them; an empty text is a policy that is not defined.
const KeyDCOMPolicy = `HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DCOM`

// COMSetting is one of the descriptors of DCOM.
type COMSetting uint8

// The descriptors, as the pages of DCOMCNFG have them: the four of the machine and the three of the WMI
// application.
const (
	LaunchLimit COMSetting = iota
	AccessLimit
	DefaultLaunch
	DefaultAccess
	WMILaunch
	WMIAccess
	WMIConfigure
)

// comSettings says where the descriptors are stored.
var comSettings = [...]struct{ key, name string }{
	LaunchLimit: {KeyOle, machineLaunch}, AccessLimit: {KeyOle, machineAccess},
	DefaultLaunch: {KeyOle, defaultLaunch}, DefaultAccess: {KeyOle, defaultAccess},
	WMILaunch: {KeyWMIApplication, launchPermission}, WMIAccess: {KeyWMIApplication, accessPermission},
	WMIConfigure: {KeyWMIApplication, configPermission},
}

// Key and ValueName tell the registry value of a descriptor.
func (s COMSetting) Key() string       { return comSettings[s].key }
func (s COMSetting) ValueName() string { return comSettings[s].name }

// IsAccess reports whether the rights of a descriptor are those of access: local and remote. Those of a descriptor
// for launching are launch and activation.
func (s COMSetting) IsAccess() bool { return isAccessSetting(s.ValueName()) }

// Permission is the descriptor of a setting.
func (d *DCOM) Permission(s COMSetting) *Permission {
	switch s {
	case LaunchLimit:
		return &d.LaunchLimit
	case AccessLimit:
		return &d.AccessLimit
	case DefaultLaunch:
		return &d.DefaultLaunch
	case DefaultAccess:
		return &d.DefaultAccess
	case WMILaunch:
		return &d.WMI.Launch
	case WMIAccess:
		return &d.WMI.Access
	}
	return &d.WMI.Configure
}

// PutPermission returns the change that stores a descriptor. One that COM would not accept is an *Error with
// CodeSecurityDescriptor, one that a policy rules CodeGPOControlled.
func (d *DCOM) PutPermission(s COMSetting, sd *security.SecurityDescriptor) (Change, error) {
	if err := d.ruled(s); err != nil {
		return Change{}, err
	}
	if s != WMIConfigure {
		v, err := COMDescriptor(sd)
		return Change{Key: s.Key(), Name: s.ValueName(), Value: v}, err
	}
	if sd == nil || sd.DACL == nil {
		return Change{}, fail(CodeSecurityDescriptor, s.ValueName(), "it has no DACL and would admit everybody")
	}
	b, err := sd.Bytes()
	if err != nil {
		return Change{}, fail(CodeSecurityDescriptor, s.ValueName(), "%v", err)
	}
	return Change{Key: s.Key(), Name: s.ValueName(), Value: registry.Binary(b)}, nil
}

// DeletePermission returns the change after which the default of a descriptor holds. One that a policy rules is an
// *Error with CodeGPOControlled.
func (d *DCOM) DeletePermission(s COMSetting) (Change, error) {
	return Change{Key: s.Key(), Name: s.ValueName(), Delete: true}, d.ruled(s)
}

func (d *DCOM) ruled(s COMSetting) error {
	if d.Permission(s).Source != registry.SourceGPO {
		return nil
	}
	return fail(CodeGPOControlled, s.ValueName(), "Group Policy rules it (%s)", KeyDCOMPolicy)
}

// PutEnabled returns the change of EnableDCOM.
func PutEnabled(on bool) Change {
	text := "N"
	if on {
		text = "Y"
	}
	return Change{Key: KeyOle, Name: enableDCOM, Value: registry.SZ(text)}
}

// PutWMIEndpoint returns the change of the port of WMI: 1024 to 65535, or 0 for a dynamic one.
func PutWMIEndpoint(port uint16) Change {
	if port == 0 {
		return Change{Key: KeyWMIApplication, Name: endpointsName, Delete: true}
	}
	return Change{Key: KeyWMIApplication, Name: endpointsName, Value: registry.MultiSZ("ncacn_ip_tcp,0," + strconv.Itoa(int(port)))}
}

// loadLimit reads a limit of the machine: that of Group Policy, else that of the machine's own.
func loadLimit(r Reader, name, def string) (Permission, []Problem) {
	v, _, ok := r.Value(KeyDCOMPolicy, name)
	text, isText := v.Text()
	if !ok || isText && strings.TrimSpace(text) == "" {
		return loadPermission(r, KeyOle, name, def)
	}
	why := "is a " + v.Type().String() + ", want REG_SZ"
	if isText {
		sd, err := security.ParseSDDL(text)
		p := Permission{name: name, Source: registry.SourceGPO, Descriptor: sd}
		if err == nil {
			p.check, err = comFormat(sd)
		}
		if err == nil {
			return p, nil
		}
		why = err.Error()
	}
	p := Permission{name: name, Source: registry.SourceGPO, check: &security.SecurityDescriptor{DACL: &security.ACL{}}}
	return p, []Problem{problem(name, KeyDCOMPolicy, name, registry.SourceGPO, "the descriptor cannot be used, so nobody has access: %s", why)}
}

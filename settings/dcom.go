package settings

import (
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// Registry keys of DCOM.
const (
	KeyOle          = `HKLM\SOFTWARE\Microsoft\Ole`
	KeyOleAppCompat = KeyOle + `\AppCompat`
	// KeyWMIApplication is the application "Windows Management Instrumentation"
	// of DCOMCNFG.
	KeyWMIApplication = `HKLM\SOFTWARE\Classes\AppID\{8BC3F05E-D86B-11D0-A075-00C04FB68820}`
)

// Names of the values.
const (
	machineLaunch    = "MachineLaunchRestriction"
	machineAccess    = "MachineAccessRestriction"
	defaultLaunch    = "DefaultLaunchPermission"
	defaultAccess    = "DefaultAccessPermission"
	launchPermission = "LaunchPermission"
	accessPermission = "AccessPermission"
	configPermission = "ConfigurePermission"
	enableDCOM       = "EnableDCOM"
	requireIntegrity = "RequireIntegrityActivationAuthenticationLevel"
	endpointsName    = "Endpoints"
)

// Defaults of the descriptors. The limits and the default permissions are those
// of the pages on their registry values, with Distributed COM Users
// (S-1-5-32-562); CC is COMExecute, DC local and LC remote execution, SW local
// and RP remote activation. Those of the WMI application are not documented:
// every authenticated account has them, so that the limits decide, as the
// procedure "Securing a Remote WMI Connection" needs.
const (
	defMachineLaunch = "O:BAG:BAD:(A;;CCDCSW;;;WD)(A;;CCDCLCSWRP;;;BA)(A;;CCDCLCSWRP;;;S-1-5-32-562)"
	defMachineAccess = "O:BAG:BAD:(A;;CCDCLC;;;WD)(A;;CCDC;;;AN)(A;;CCDCLC;;;S-1-5-32-562)"
	defDefaultLaunch = "O:BAG:BAD:(A;;CCDCLCSWRP;;;BA)(A;;CCDCLCSWRP;;;SY)(A;;CCDCLCSWRP;;;IU)"
	defDefaultAccess = "O:BAG:BAD:(A;;CCDCLC;;;PS)(A;;CCDCLC;;;SY)"
	defWMILaunch     = "O:BAG:BAD:(A;;CCDCLCSWRP;;;BA)(A;;CCDCLCSWRP;;;SY)(A;;CCDCLCSWRP;;;AU)"
	defWMIAccess     = "O:BAG:BAD:(A;;CCDCLC;;;BA)(A;;CCDCLC;;;SY)(A;;CCDCLC;;;AU)"
	defWMIConfigure  = "O:BAG:BAD:(A;CI;KA;;;BA)(A;CI;KA;;;SY)(A;CI;KR;;;BU)"
)

// DCOM is a snapshot of the machine's settings of DCOM and of those of the WMI
// application.
type DCOM struct {
	// Enabled is EnableDCOM, REG_SZ Y or N; default Y. N blocks all DCOM from and
	// to other machines.
	Enabled bool
	// LaunchLimit and AccessLimit are MachineLaunchRestriction and
	// MachineAccessRestriction: what they do not grant no application can grant.
	// Those of KeyDCOMPolicy hold over those of KeyOle.
	LaunchLimit, AccessLimit Permission
	// DefaultLaunch and DefaultAccess are DefaultLaunchPermission and
	// DefaultAccessPermission, for applications that have no permissions of
	// their own. The WMI application has.
	DefaultLaunch, DefaultAccess Permission
	// LegacyAuthenticationLevel is the authentication level of processes that set
	// none; 1 to 6, default 2. The WMI service sets its own.
	LegacyAuthenticationLevel uint32
	// RequireIntegrity is RequireIntegrityActivationAuthenticationLevel: an
	// activation below the level 5 is refused. Default true. See KB5004442.
	RequireIntegrity bool
	// WMI is the application "Windows Management Instrumentation".
	WMI WMIApplication
	// Address is DCOMAddress below KeyCasement: the IP address to listen on, * for
	// all. Default "", which is none.
	Address string
	// Bindings is DCOMBindings below KeyCasement: the names and addresses by which
	// clients reach this machine, where they are not its own, behind a translation
	// of addresses for example. Default none.
	Bindings []string
}

// WMIApplication is the DCOM application of the WMI service.
type WMIApplication struct {
	// Launch and Access are LaunchPermission and AccessPermission. Configure is
	// who may change them: a descriptor with the rights of a registry key.
	Launch, Access Permission
	Configure      Permission
	// Port is the port of Endpoints, ncacn_ip_tcp,0,PORT; 0, the default, is a
	// dynamic one. It counts when WMI starts.
	Port uint16
	// Level is AuthenticationLevel: the least authentication level of a call,
	// 2 to 6. Default 4, that of the shared host. It counts when WMI starts.
	Level uint32
}

// FixedWMIPort is the port that winmgmt /standalonehost gives.
const FixedWMIPort = 24158

// sharedHostLevel is RPC_C_AUTHN_LEVEL_PKT, the level of the shared host.
const sharedHostLevel = 4

// LoadDCOM reads the snapshot. A value that is damaged or out of range is a
// Problem; its default holds, for a descriptor that nobody has access, and for a
// switch the closed side.
func LoadDCOM(r Reader) (*DCOM, []Problem) {
	d := &DCOM{}
	var bad []Problem
	permission := func(to *Permission, key, name, def string) {
		p, problems := loadPermission(r, key, name, def)
		*to, bad = p, append(bad, problems...)
	}
	limit := func(to *Permission, name, def string) {
		p, problems := loadLimit(r, name, def)
		*to, bad = p, append(bad, problems...)
	}
	limit(&d.LaunchLimit, machineLaunch, defMachineLaunch)
	limit(&d.AccessLimit, machineAccess, defMachineAccess)
	permission(&d.DefaultLaunch, KeyOle, defaultLaunch, defDefaultLaunch)
	permission(&d.DefaultAccess, KeyOle, defaultAccess, defDefaultAccess)
	permission(&d.WMI.Launch, KeyWMIApplication, launchPermission, defWMILaunch)
	permission(&d.WMI.Access, KeyWMIApplication, accessPermission, defWMIAccess)
	var problems []Problem
	d.WMI.Configure, problems = loadConfigure(r)
	bad = append(bad, problems...)

	v, src, ok := r.Value(KeyOle, enableDCOM)
	text, isText := v.Text()
	d.Enabled = !ok || isText && strings.EqualFold(text, "Y")
	if ok && (!isText || !strings.EqualFold(text, "Y") && !strings.EqualFold(text, "N")) {
		bad = append(bad, problem(enableDCOM, KeyOle, enableDCOM, src, `want the REG_SZ "Y" or "N"; DCOM is off`))
	}
	number := func(key, name string, def, min, max uint32) uint32 {
		n, problems := loadDWORD(r, key, name, def, min, max)
		bad = append(bad, problems...)
		return n
	}
	d.LegacyAuthenticationLevel = number(KeyOle, "LegacyAuthenticationLevel", 2, 1, 6)
	d.RequireIntegrity = number(KeyOleAppCompat, requireIntegrity, 1, 0, 1) == 1
	// 0 asks for the default, and without authentication nobody has access to WMI.
	switch d.WMI.Level = number(KeyWMIApplication, "AuthenticationLevel", sharedHostLevel, 0, 6); d.WMI.Level {
	case 0:
		d.WMI.Level = sharedHostLevel
	case 1:
		d.WMI.Level = 2
	}
	d.WMI.Port, problems = loadEndpoint(r)
	bad = append(bad, problems...)
	problems = d.loadListening(r)
	return d, append(bad, problems...)
}

// CheckActivation reports whether a caller of another machine may activate WMI:
// the limit of the machine and the application must both grant Remote Launch and
// Remote Activation. The error is a *COMAccessError.
func (d *DCOM) CheckActivation(t *security.Token) error {
	for _, p := range []*Permission{&d.LaunchLimit, &d.WMI.Launch} {
		for _, right := range []uint32{COMExecuteRemote, COMActivateRemote} {
			if err := p.allows(t, right); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckAccess reports whether a caller of another machine may call objects of
// WMI: the limit of the machine and the application must both grant Remote
// Access. The error is a *COMAccessError.
func (d *DCOM) CheckAccess(t *security.Token) error {
	if err := d.AccessLimit.allows(t, COMExecuteRemote); err != nil {
		return err
	}
	return d.WMI.Access.allows(t, COMExecuteRemote)
}

// AuditsActivation and AuditsAccess tell whether a descriptor that was asked wants a
// record of what came of it.
func (d *DCOM) AuditsActivation(t *security.Token, granted bool) bool {
	const rights = COMExecuteRemote | COMActivateRemote
	return d.LaunchLimit.audits(t, rights, granted) || d.WMI.Launch.audits(t, rights, granted)
}

// AuditsAccess is documented with AuditsActivation.
func (d *DCOM) AuditsAccess(t *security.Token, granted bool) bool {
	return d.AccessLimit.audits(t, COMExecuteRemote, granted) || d.WMI.Access.audits(t, COMExecuteRemote, granted)
}

// CheckAnonymousCallback reports whether somebody without an identity may call
// objects of this machine from another one, as a host without trust does that calls
// back: the limit must grant ANONYMOUS LOGON Remote Access. The error is a
// *COMAccessError. See spec/wmi.md 1.5 and 1.7.
func (d *DCOM) CheckAnonymousCallback() error {
	return d.AccessLimit.allows(&security.Token{User: security.SIDAnonymous, UserName: "ANONYMOUS LOGON"}, COMExecuteRemote)
}

// CheckConfigure reports whether a caller has rights of a registry key on the WMI
// application: security.KeyWrite changes its settings, security.WriteDAC who may.
// The error is a *COMAccessError.
func (d *DCOM) CheckConfigure(t *security.Token, rights uint32) error {
	if _, err := security.AccessCheck(d.WMI.Configure.check, t, rights, security.KeyMapping); err != nil {
		return &COMAccessError{Setting: configPermission, Right: rights, Err: err}
	}
	return nil
}

// ConfigureDescriptor is the descriptor of a key of the registry, nil where it is not
// that of the WMI application or below it: there it is ConfigurePermission.
func (d *DCOM) ConfigureDescriptor(key string) *security.SecurityDescriptor {
	own, _ := registry.SplitKey(KeyWMIApplication)
	parts, err := registry.SplitKey(key) // which does away with blanks
	if err != nil || len(parts) < len(own) || !slices.EqualFunc(parts[:len(own)], own, strings.EqualFold) {
		return nil
	}
	return d.WMI.Configure.check
}

// StandaloneHost returns the changes of winmgmt /standalonehost and the port that
// WMI gets by them: that of an endpoint which the application has, else
// FixedWMIPort. level is 0 to 6, and 0 the default. See spec/wmi.md 1.3.
func (d *DCOM) StandaloneHost(level uint32) (changes []Change, port uint16) {
	port = d.WMI.Port
	if port == 0 {
		port = FixedWMIPort
	}
	return []Change{
		PutWMIEndpoint(port),
		{Key: KeyWMIApplication, Name: "AuthenticationLevel", Value: registry.DWORD(level)},
	}, port
}

// SharedHost returns the changes of winmgmt /sharedhost.
func SharedHost() []Change {
	return []Change{
		PutWMIEndpoint(0),
		{Key: KeyWMIApplication, Name: "AuthenticationLevel", Delete: true},
	}
}

// loadConfigure reads ConfigurePermission, whose rights are those of a key.
func loadConfigure(r Reader) (Permission, []Problem) {
	p := Permission{name: configPermission}
	v, src, ok := r.Value(KeyWMIApplication, configPermission)
	if !ok {
		p.Descriptor = mustSDDL(defWMIConfigure)
		p.check = p.Descriptor
		return p, nil
	}
	p.Source = src
	sd, err := decodeCOM(v)
	if err == nil && sd.DACL != nil {
		p.Descriptor, p.check = sd, sd
		return p, nil
	}
	// As the owner of the key administrators can still make it whole again.
	p.check = &security.SecurityDescriptor{Owner: security.SIDAdministrators, DACL: &security.ACL{}}
	return p, []Problem{problem(configPermission, KeyWMIApplication, configPermission, src, "want a REG_BINARY security descriptor with a DACL; nobody may change the application")}
}

// loadEndpoint reads the port of the endpoint for TCP; 0 for none. The page on
// the value separates its parts with commas, the one on winmgmt with dots.
func loadEndpoint(r Reader) (uint16, []Problem) {
	v, src, ok := r.Value(KeyWMIApplication, endpointsName)
	if !ok {
		return 0, nil
	}
	list, good := v.Strings()
	if text, isText := v.Text(); isText {
		list, good = []string{text}, true
	}
	for _, e := range list {
		parts := strings.FieldsFunc(e, func(r rune) bool { return r == ',' || r == '.' || r == ' ' })
		if len(parts) == 0 || !strings.EqualFold(parts[0], "ncacn_ip_tcp") {
			continue // of another protocol
		}
		n, err := strconv.ParseUint(parts[len(parts)-1], 10, 16)
		if good = err == nil && len(parts) == 3 && n >= 1024; good {
			return uint16(n), nil
		}
		break
	}
	if good {
		return 0, nil
	}
	return 0, []Problem{problem(endpointsName, KeyWMIApplication, endpointsName, src,
		"want the REG_MULTI_SZ ncacn_ip_tcp,0,PORT with a port of 1024 to 65535; the port is dynamic")}
}

// loadDWORD reads a number within its range.
func loadDWORD(r Reader, key, name string, def, min, max uint32) (uint32, []Problem) {
	v, src, ok := r.Value(key, name)
	if !ok {
		return def, nil
	}
	n, _ := v.Uint()
	if v.Type() != registry.TypeDWORD || n < uint64(min) || n > uint64(max) {
		return def, []Problem{problem(name, key, name, src, "want a REG_DWORD of %d to %d", min, max)}
	}
	return uint32(n), nil
}

package settings

import (
	"errors"
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// The policies "DCOM: Machine Launch/Access Restrictions in SDDL syntax" hold over the
// limits of the machine; a damaged one admits nobody, an empty text is none.
func TestLimitsOfPolicy(t *testing.T) {
	const key = `HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DCOM`
	everybody := "O:BAG:BAD:(A;;CCDCLCSWRP;;;WD)"
	nobody := "O:BAG:BAD:(D;;CCDCLCSWRP;;;WD)"
	for _, row := range []struct {
		why              string
		policy           registry.Value
		own              string
		activate, access bool
		source           registry.Source
		problems         int
	}{
		{"over the default", registry.SZ(everybody), "", true, true, registry.SourceGPO, 0},
		{"over the machine's own", registry.SZ(everybody), nobody, true, true, registry.SourceGPO, 0},
		{"that shuts out", registry.SZ(nobody), everybody, false, false, registry.SourceGPO, 0},
		{"that is empty", registry.SZ(" "), everybody, true, true, registry.SourceHive, 0},
		{"that is damaged", registry.SZ("D:(A"), everybody, false, false, registry.SourceGPO, 2},
		{"without a list", registry.SZ("O:BAG:BA"), everybody, false, false, registry.SourceGPO, 2},
		{"of another type", binary(t, everybody), everybody, false, false, registry.SourceGPO, 2},
	} {
		var p registry.Policy
		var changes []Change
		for _, name := range []string{"MachineLaunchRestriction", "MachineAccessRestriction"} {
			p.Set(key, name, row.policy)
			if row.own != "" {
				changes = append(changes, Change{Key: KeyOle, Name: name, Value: binary(t, row.own)})
			}
		}
		d, bad := LoadDCOM(hive(t, &p, changes...))
		alice := remoteToken(security.SIDUsers)
		if err := d.CheckActivation(alice); (err == nil) != row.activate {
			t.Errorf("a policy %s: activation: %v", row.why, err)
		}
		if err := d.CheckAccess(alice); (err == nil) != row.access {
			t.Errorf("a policy %s: access: %v", row.why, err)
		}
		if d.LaunchLimit.Source != row.source || d.AccessLimit.Source != row.source || len(bad) != row.problems {
			t.Errorf("a policy %s: from %v and %v, problems %v", row.why, d.LaunchLimit.Source, d.AccessLimit.Source, bad)
		}
		_, err := d.PutPermission(LaunchLimit, mustSDDL(everybody))
		_, derr := d.DeletePermission(AccessLimit)
		if ruled := row.source == registry.SourceGPO; errors.Is(err, &Error{Code: CodeGPOControlled}) != ruled || errors.Is(derr, &Error{Code: CodeGPOControlled}) != ruled {
			t.Errorf("a policy %s: a change: %v, %v", row.why, err, derr)
		}
	}
}

// A policy of the access limit counts for sinks too, also where the program would
// admit callers without proof by itself.
func TestSinkLimitOfPolicy(t *testing.T) {
	var p registry.Policy
	p.Set(KeyDCOMPolicy, "MachineAccessRestriction", registry.SZ("O:BAG:BAD:(A;;CCDCLC;;;WD)(A;;CCDC;;;AN)"))
	if err := CheckAnonymousSink(hive(t, nil), true); err != nil {
		t.Error(err)
	}
	if err := CheckAnonymousSink(hive(t, &p), true); !errors.Is(err, security.ErrAccessDenied) {
		t.Errorf("with the policy: %v", err)
	}
}

// The configuration permission is the security of the application's key, however a
// caller spells it, and of no other.
func TestConfigureDescriptor(t *testing.T) {
	d := loadDCOM(t)
	for key, want := range map[string]bool{
		KeyWMIApplication: true, KeyWMIApplication + `\Below`: true, KeyWMIApplication + `X`: false, `HKLM\SOFTWARE\Classes\AppID`: false, KeyOle: false,
		`hkey_local_machine \ software\classes\appid\ {8bc3f05e-d86b-11d0-a075-00c04fb68820} `: true, "": false,
		strings.Replace(KeyWMIApplication, "Classes", "Claſſes", 1): true, // where a hive might fold it
	} {
		if sd := d.ConfigureDescriptor(key); (sd != nil) != want {
			t.Errorf("%q: %v", key, sd)
		}
	}
	if _, err := security.AccessCheck(d.ConfigureDescriptor(KeyWMIApplication), remoteToken(security.SIDUsers), security.KeyWrite, security.KeyMapping); err == nil {
		t.Error("everybody writes")
	}
}

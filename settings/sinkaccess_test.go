package settings

import (
	"testing"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// Who may call a sink without authentication: the table of spec/wmi.md 1.5 and 1.7, and the default limit, by which anonymous access is local.
func TestCheckAnonymousSink(t *testing.T) {
	limit := func(sddl string) Change {
		sd, err := security.ParseSDDL(sddl)
		if err != nil {
			t.Fatal(err)
		}
		v, err := COMDescriptor(sd)
		if err != nil {
			t.Fatal(err)
		}
		return Change{Key: KeyOle, Name: "MachineAccessRestriction", Value: v}
	}
	checked := Change{Key: KeyCIMOM, Name: "UnsecAppAccessControlDefault", Value: registry.SZ("1")}
	for _, row := range []struct {
		name           string
		changes        []Change
		machine, alone bool // without and with the program's own word
	}{
		{"default", nil, false, true},
		{"Everyone has remote access, which anonymous callers are not part of", []Change{limit("O:BAG:BAD:(A;;CCDCLC;;;WD)")}, false, false},
		{"ANONYMOUS LOGON local only", []Change{limit("O:BAG:BAD:(A;;CCDC;;;AN)")}, false, false},
		{"ANONYMOUS LOGON remote", []Change{limit("O:BAG:BAD:(A;;CCLC;;;AN)")}, true, true},
		{"the old format", []Change{limit("O:BAG:BAD:(A;;CC;;;AN)")}, true, true},
		{"AnonymousSinks", []Change{AnonymousSinks()}, true, true},
		{"and UnsecAppAccessControlDefault 1", []Change{AnonymousSinks(), checked}, false, false},
		{"UnsecAppAccessControlDefault 1 alone", []Change{checked}, false, false},
		{"damaged", []Change{{Key: KeyOle, Name: "MachineAccessRestriction", Value: registry.Binary([]byte{1})}}, false, false},
	} {
		r := hive(t, nil, row.changes...)
		for admitted, want := range map[bool]bool{false: row.machine, true: row.alone} {
			if err := CheckAnonymousSink(r, admitted); (err == nil) != want {
				t.Errorf("%s, admitted %v: %v", row.name, admitted, err)
			}
		}
	}
}

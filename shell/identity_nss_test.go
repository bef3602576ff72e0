//go:build !windows

package shell

import "testing"

// A name with its domain may be answered by a short one, as winbind and SSSD do where their administrator wants short names; any other name is
// answered by itself, or is none: a number is no name.
func TestNamesOfTheNameServiceSwitch(t *testing.T) {
	const bob = "bob:*:5000:5001:Bob:/home/bob:/bin/sh\n" // as getent prints it
	for name, ok := range map[string]bool{`CORP\bob`: true, "bob@corp.test": true, "bob": true, "5000": false, "bobby": false} {
		id, err := parseEntry(name, bob, false)
		if (err == nil) != ok || ok && (id.UnixUser != name || id.UID != 5000 || id.GID != 5001 || id.Home != "/home/bob") {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	for _, bad := range []string{"", "bob:*:5000", `CORP\bob:*:x:1::/:/bin/sh`, `CORP\bob:*:-1:1::/:/bin/sh`} {
		if id, err := parseEntry(`CORP\bob`, bad, false); err == nil {
			t.Errorf("%q: %+v", bad, id)
		}
	}
}

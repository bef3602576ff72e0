package host

import (
	"bufio"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

func TestPackageDatabases(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{
		"var/lib/dpkg/status": "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:2-3\nMaintainer: A <a@example.org>\nDescription: first\n more of it\n Version: 9\n\n" +
			"Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n\nPackage: b\nStatus: hold ok installed\nArchitecture: all\nVersion: 4\n",
		"lib/apk/db/installed": "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nT:the libc\nU:https://musl.libc.org/\nm:Someone <s@example.org>\nF:lib\nR:libc.so\n\n",
	})})
	got := all(t, p, "Win32_Product", query{})
	if len(got) != 3 {
		t.Fatalf("%d packages, want 3", len(got))
	}
	expect(t, got[0], map[string]string{"Name": "a", "IdentifyingNumber": "a:amd64", "Version": "1:2-3", "Vendor": "A <a@example.org>", "Description": "first",
		"InstallDate": "null", "InstallDate2": "null"})
	expect(t, got[1], map[string]string{"Name": "b", "Vendor": "null"})
	expect(t, got[2], map[string]string{"Name": "musl", "Version": "1.2.5-r0", "URLInfoAbout": "https://musl.libc.org/", "Description": "the libc"})
	if n := len(all(t, p, "Win32_Product", fixed(map[string]cim.Value{"Name": cim.Str("MUSL")}))); n != 1 {
		t.Errorf("%d packages by name", n)
	}
}

// The line is what rpm -qa prints for the format of this package.
func TestRPMLines(t *testing.T) {
	text := "bash\x1fx86_64\x1f5.2.26-3.fc42\x1fFedora Project\x1fThe GNU shell\x1fhttps://www.gnu.org/software/bash\x1f1735689600\n" +
		"gpg-pubkey\x1f(none)\x1f1-2\x1f(none)\x1fkey\x1f(none)\x1f1\nshort\x1fx\n" +
		"own\x1fnoarch\x1f1:1-1\x1f(none)\x1f(none)\x1f(none)\x1f(none)\n"
	var got []software
	if err := readRPM(bufio.NewScanner(strings.NewReader(text)), func(s *software) error { got = append(got, *s); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].id != "bash:x86_64" || got[0].version != "5.2.26-3.fc42" || !got[0].installed.Equal(time.Unix(1735689600, 0)) {
		t.Fatalf("%+v", got)
	}
	if got[1].vendor != "" || !got[1].installed.IsZero() || got[1].version != "1:1-1" {
		t.Errorf("%+v", got[1])
	}
}

func TestAccountsOfAFixture(t *testing.T) {
	p := New(Options{Now: func() time.Time { return time.Unix(20000*86400, 0) }, Root: root(t, map[string]string{
		"proc/sys/kernel/hostname": "box\n",
		"etc/passwd":               "root:x:0:0:root:/root:/bin/sh\nann:x:1000:100:Ann Example,Room 1:/home/ann:/bin/sh\nold:x:1001:100::/:/bin/sh\nbroken:x:y:0::/:\n+nis::::::\n\nopen:x:1002:100::/:\n",
		"etc/shadow":               "root:*:19000:0:99999:7:::\nann:$y$j9T$salt$hash:19000:0:90:7:::\nold:$6$a$b:19000:0:99999:7::19999:\nopen::19000:10:5:7:::\n",
		"etc/group":                "users:x:100:ann,ghost\nadm:x:4:ann,root,ann\n",
	})})
	user := func(name string) *cim.Instance {
		return only(t, p, "Win32_UserAccount", fixed(map[string]cim.Value{"Name": cim.Str(name)}))
	}
	expect(t, user("root"), map[string]string{"Disabled": "true", "PasswordExpires": "false", "PasswordRequired": "true", "Lockout": "null"})
	expect(t, user("ann"), map[string]string{"Disabled": "false", "PasswordExpires": "true", "FullName": "Ann Example", "Domain": "box", "SID": "S-1-22-1-1000", "Status": "OK"})
	expect(t, user("old"), map[string]string{"Disabled": "true", "FullName": "null", "Status": "Degraded"})
	expect(t, user("open"), map[string]string{"PasswordRequired": "false", "PasswordChangeable": "false"})
	if n := len(all(t, p, "Win32_UserAccount", query{})); n != 4 {
		t.Errorf("%d users", n)
	}
	if n := len(all(t, p, "Win32_UserAccount", fixed(map[string]cim.Value{"LocalAccount": cim.Bool(false)}))); n != 0 {
		t.Errorf("%d users of a domain", n)
	}
	for _, i := range all(t, p, "Win32_UserAccount", query{}) {
		for n := range i.Len() {
			if s := i.At(n).String(); strings.Contains(s, "$y$") || strings.Contains(s, "$6$") {
				t.Errorf("%s shows a hashed password", i.Class().Properties[n].Name)
			}
		}
	}
	var members []string
	for _, i := range all(t, p, "Win32_GroupUser", query{server: "box"}) {
		members = append(members, i.Get("GroupComponent").String()+" "+i.Get("PartComponent").String())
	}
	ref := func(class, name string) string {
		return `\\box\root\cimv2:` + class + `.Domain="box",Name="` + name + `"`
	}
	want := []string{
		ref("Win32_Group", "users") + " " + ref("Win32_UserAccount", "ann"), ref("Win32_Group", "users") + " " + ref("Win32_UserAccount", "old"),
		ref("Win32_Group", "users") + " " + ref("Win32_UserAccount", "open"),
		ref("Win32_Group", "adm") + " " + ref("Win32_UserAccount", "ann"), ref("Win32_Group", "adm") + " " + ref("Win32_UserAccount", "root"),
	}
	if strings.Join(members, "\n") != strings.Join(want, "\n") {
		t.Errorf("members\n%s\nwant\n%s", strings.Join(members, "\n"), strings.Join(want, "\n"))
	}
}

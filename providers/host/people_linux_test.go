package host

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

// record is a record of utmp(5) as glibc lays it out.
func record(kind int, line, user, host string, at time.Time) string {
	b := make([]byte, utmpLayout.size)
	binary.NativeEndian.PutUint16(b, uint16(kind))
	binary.NativeEndian.PutUint32(b[4:], uint32(os.Getpid()))
	copy(b[8:40], line)
	copy(b[40:44], line)
	copy(b[44:76], user)
	copy(b[76:332], host)
	binary.NativeEndian.PutUint32(b[utmpLayout.seconds:], uint32(at.Unix()))
	return string(b)
}

// texts are the values of a property, in order.
func texts(list []*cim.Instance, property string) string {
	var out []string
	for _, i := range list {
		out = append(out, i.Get(property).String())
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

func asAdministrator() query { return query{caller: administrator()} }

func TestLogonSessionsOfLogind(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{
		"proc/sys/kernel/hostname":     "fox\n",
		"etc/passwd":                   "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/u/alice:/bin/sh\n",
		"run/systemd/sessions/1":       "UID=1000\nUSER=alice\nSTATE=active\nREMOTE=0\nTYPE=wayland\nCLASS=user\nSERVICE=gdm-password\nREALTIME=1700000000123456\n",
		"run/systemd/sessions/1.ref":   "",
		"run/systemd/sessions/4":       "UID=0\nUSER=root\nSTATE=online\nREMOTE=1\nREMOTE_HOST=192.0.2.4\nTYPE=tty\nCLASS=user\nSERVICE=sshd\nREALTIME=1700000100000000\n",
		"run/systemd/sessions/c2":      "UID=1000\nUSER=alice\nSTATE=online\nREMOTE=0\nCLASS=manager\nSERVICE=systemd-user\n",
		"run/systemd/sessions/5":       "UID=0\nUSER=root\nSTATE=online\nREMOTE=0\nCLASS=background\nSERVICE=cron\n",
		"run/systemd/sessions/6":       "UID=0\nUSER=root\nSTATE=closing\nREMOTE=1\nCLASS=user\n",
		"run/systemd/sessions/7":       "UID=70000\nUSER=CORP\\bob\nSTATE=online\nREMOTE=1\nCLASS=user\nSERVICE=sshd\n",
		"run/systemd/sessions/garbage": "\x00\xff",
	})})
	got := map[string]string{}
	for _, i := range all(t, p, "Win32_LogonSession", query{}) {
		got[i.Get("LogonId").String()] = i.Get("LogonType").String() + " " + i.Get("AuthenticationPackage").String() + " " + i.Get("StartTime").String()
	}
	want := map[string]string{
		"1": "2 gdm-password 20231114221320.123456+000", "4": "10 sshd 20231114221500.000000+000",
		"c2": "5 systemd-user null", "5": "4 cron null", "7": "10 sshd null",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sessions %v, want %v", got, want)
	}
	only(t, p, "Win32_LogonSession", fixed(map[string]cim.Value{"LogonId": cim.Str("C2")}))
	refs := map[string]bool{}
	for _, i := range all(t, p, "Win32_LoggedOnUser", query{server: "FOX"}) {
		a, err1 := cim.ParsePath(text(i.Get("Antecedent")))
		d, err2 := cim.ParsePath(text(i.Get("Dependent")))
		if err1 != nil || err2 != nil {
			t.Fatal(i, err1, err2)
		}
		name, _ := a.Key("Name")
		id, _ := d.Key("LogonId")
		refs[a.Class+" "+name.String()+" "+d.Class+" "+id.String()] = true
	}
	for _, want := range []string{"Win32_UserAccount alice Win32_LogonSession 1", "Win32_UserAccount root Win32_LogonSession 4",
		"Win32_UserAccount alice Win32_LogonSession c2", "Win32_UserAccount root Win32_LogonSession 5"} {
		if !refs[want] {
			t.Errorf("%s is missing in %v", want, refs)
		}
	}
	if len(refs) != 4 { // the user of the domain is no account of this machine
		t.Errorf("references %v", refs)
	}
	expect(t, only(t, p, "Win32_OperatingSystem", query{}), map[string]string{"NumberOfUsers": "3"})
}

func text(v cim.Value) string { s, _ := v.Str(); return s }

// The expected values come from who(1), which reads the same file.
func TestLoginsOfUtmpAgainstWho(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	dir := root(t, map[string]string{"run/utmp": record(2, "~", "reboot", "6.1", at) + record(7, "tty1", "root", "", at) +
		record(7, "pts/3", "alice", "192.0.2.9", at.Add(time.Hour)) + record(8, "pts/4", "", "", at) + "a torn record"})
	p := New(Options{Root: dir})
	sessions := all(t, p, "Win32_LogonSession", query{})
	who := lines(output(t, "env", "TZ=UTC0", "who", filepath.Join(dir, "run/utmp")))
	if len(who) != len(sessions) {
		t.Fatalf("%d sessions, who says %q", len(sessions), who)
	}
	for n, line := range who {
		f := strings.Fields(line)
		i := sessions[n]
		remote := "2"
		if strings.Contains(line, "(") {
			remote = "10"
		}
		start, _ := i.Get("StartTime").DateTime()
		when, _ := start.Time()
		expect(t, i, map[string]string{"LogonId": f[1], "LogonType": remote})
		if got := when.UTC().Format("Jan 2 15:04"); got != strings.Join(f[2:5], " ") {
			t.Errorf("%s begins at %s, who says %s", f[1], got, line)
		}
	}
	if n := len(all(t, New(Options{Root: root(t, nil)}), "Win32_LogonSession", query{})); n != 0 {
		t.Errorf("%d sessions where nobody keeps them", n)
	}
}

func TestUserProfiles(t *testing.T) {
	me := os.Geteuid()
	first, second := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC), time.Date(2026, 2, 3, 8, 0, 0, 0, time.UTC)
	dir := root(t, map[string]string{
		"etc/passwd": fmt.Sprintf("daemon:x:%d:1::/usr/sbin:/usr/sbin/nologin\nme:x:%d:%d::/u/me:/bin/sh\nghost:x:4242:4242::/nonexistent:/bin/sh\nalias:x:%d:1::/u/me:/bin/sh\n",
			me+1, me, me, me),
		"usr/sbin/": "", "u/me/": "", "etc/login.defs": "# UID_MIN 5\nUID_MIN\t\t\t500\n",
		"var/log/wtmp": record(7, "pts/0", "me", "", second) + record(7, "pts/0", "me", "", first) + record(8, "pts/0", "me", "", second.Add(time.Hour)),
		"run/utmp":     record(7, "pts/0", "me", "", second),
	})
	i := only(t, New(Options{Root: dir}), "Win32_UserProfile", query{})
	expect(t, i, map[string]string{
		"SID": "S-1-22-1-" + strconv.Itoa(me), "LocalPath": "/u/me", "Loaded": "true", "RefCount": "1", "LastUseTime": "20260203080000.000000+000",
		"Special": strconv.FormatBool(me != 0 && me < 500), "RoamingConfigured": "false", "RoamingPath": "null", "Status": "0", "HealthStatus": "null",
	})
	if err := os.Remove(filepath.Join(dir, "run/utmp")); err != nil {
		t.Fatal(err)
	}
	expect(t, only(t, New(Options{Root: dir}), "Win32_UserProfile", query{}), map[string]string{"Loaded": "null", "RefCount": "null"})
}

// The expected values come from getent(1) and stat(1).
func TestUserProfilesAgainstOtherPrograms(t *testing.T) {
	want := map[string]string{}
	for _, line := range lines(output(t, "getent", "-s", "files", "passwd")) {
		f := strings.Split(line, ":")
		sid := "S-1-22-1-" + f[2]
		if st, err := os.Lstat(f[5]); err != nil || !st.IsDir() || want[sid] != "" {
			continue
		}
		if output(t, "stat", "-c", "%u", f[5]) == f[2] {
			want[sid] = filepath.Clean(f[5])
		}
	}
	got := map[string]string{}
	for _, i := range all(t, New(Options{}), "Win32_UserProfile", query{}) {
		got[i.Get("SID").String()] = i.Get("LocalPath").String()
	}
	if len(want) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("profiles %v, want %v", got, want)
	}
}

func TestShares(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{
		"etc/samba/smb.conf": "[global]\n usershare max shares = 2\n usershare path = /var/shares\n[homes]\n browseable = no\n[printers]\nprintable = yes\n" +
			"[Projects]\n  path = /srv/pro\\\njects\n  comment = \"All of it\"\n  Max Connections = 5\n[laser]\n print ok = yes\n path=/var/spool/samba\n[off]\navailable=no\npath=/off\n" +
			"; [not]\n# [this]\n",
		"var/shares/mine":         "#VERSION 2\npath=/u/me/pub\ncomment=My own\nusershare_acl=S-1-1-0:R,\nguest_ok=n\nsharename=Mine\n",
		"var/shares/broken":       "path=/\n",
		"var/shares/pipe":         "-> ../../etc/samba/smb.conf",
		"etc/exports":             "# nothing\n/srv/nfs 192.0.2.0/24(rw,sync) \\\n  198.51.100.1(ro)\n\"/srv/with blank\" *(ro)\n/srv/oct\\040al *\nnonsense\n",
		"etc/exports.d/a.exports": "/srv/more *(ro)\n",
		"etc/exports.d/b.txt":     "/srv/not *(ro)\n",
	})})
	got := map[string]*cim.Instance{}
	for _, i := range all(t, p, "Win32_Share", query{}) {
		got[i.Get("Name").String()] = i
	}
	if len(got) != 7 {
		t.Fatalf("shares %v", got)
	}
	expect(t, got["Projects"], map[string]string{"Path": "/srv/pro jects", "Description": "All of it", "Caption": "All of it", "Type": "0",
		"AllowMaximum": "false", "MaximumAllowed": "5", "AccessMask": "null", "Status": "null"})
	expect(t, got["laser"], map[string]string{"Type": "1", "AllowMaximum": "true", "MaximumAllowed": "null"})
	expect(t, got["Mine"], map[string]string{"Path": "/u/me/pub", "Description": "My own", "AllowMaximum": "null"})
	for _, path := range []string{"/srv/nfs", "/srv/with blank", "/srv/oct al", "/srv/more"} {
		if got[path] == nil {
			t.Errorf("%s is not listed", path)
			continue
		}
		expect(t, got[path], map[string]string{"Path": path, "Type": "0", "Description": "null"})
	}
	only(t, p, "Win32_Share", fixed(map[string]cim.Value{"Name": cim.Str("PROJECTS")}))
	if n := len(all(t, New(Options{Root: root(t, nil)}), "Win32_Share", query{})); n != 0 {
		t.Errorf("%d shares of a machine without any", n)
	}
}

func TestEnvironment(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{
		"proc/sys/kernel/hostname":                 "fox\n",
		"etc/passwd":                               "alice:x:1000:1000::/u/alice:/bin/sh\n",
		"etc/environment":                          "# first\nPATH=\"/usr/bin:/bin\"\nLANG=C\nexport EDITOR='vi'\nLANG=de_DE.UTF-8\n",
		"etc/security/pam_env.conf":                "# REMOTEHOST DEFAULT=localhost\nPAGER  DEFAULT=less OVERRIDE=more\nPATH DEFAULT=/lost\nDISPLAY DEFAULT=\"a b\"\n",
		"etc/environment.d/10-a.conf":              "MORE=1\n",
		"etc/environment.d/20-b.conf":              "MORE=${MORE}2\n",
		"u/alice/.config/environment.d/mine.conf":  "SECRET=xyz\nPATH=$HOME/bin:$PATH\n",
		"u/alice/.config/environment.d/steal.conf": "-> ../../../../etc/environment",
	})})
	values := func(q query) string {
		var out []string
		for _, i := range all(t, p, "Win32_Environment", q) {
			out = append(out, i.Get("UserName").String()+" "+i.Get("Name").String()+"="+i.Get("VariableValue").String()+" "+i.Get("SystemVariable").String())
		}
		sort.Strings(out)
		return strings.Join(out, "; ")
	}
	system := `<SYSTEM> DISPLAY=a b true; <SYSTEM> EDITOR=vi true; <SYSTEM> LANG=de_DE.UTF-8 true; <SYSTEM> MORE=${MORE}2 true; ` +
		`<SYSTEM> PAGER=more true; <SYSTEM> PATH=/usr/bin:/bin true`
	if got := values(query{}); got != system {
		t.Errorf("variables\n%s, want\n%s", got, system)
	}
	if got, want := values(asAdministrator()), system+`; fox\alice PATH=$HOME/bin:$PATH false; fox\alice SECRET=xyz false`; got != want {
		t.Errorf("variables for an administrator\n%s, want\n%s", got, want)
	}
	q := fixed(map[string]cim.Value{"Name": cim.Str("editor")})
	expect(t, only(t, p, "Win32_Environment", q), map[string]string{"Caption": `<SYSTEM>\EDITOR`})
}

func TestStartupCommands(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{
		"proc/sys/kernel/hostname":                                    "fox\n",
		"etc/passwd":                                                  "alice:x:1000:1000::/u/alice:/bin/sh\n",
		"etc/xdg/autostart/nm-applet.desktop":                         "[Desktop Entry]\nName=Network\nComment=Networks\nExec=nm-applet --indicator\n[Desktop Action x]\nExec=no\n",
		"etc/xdg/autostart/hidden.desktop":                            "[Desktop Entry]\nExec=no\nHidden=true\n",
		"etc/systemd/user/default.target.wants/agent.service":         "-> /usr/lib/systemd/user/agent.service",
		"usr/lib/systemd/user/agent.service":                          "[Unit]\nDescription=An agent\n[Service]\nExecStart=-/usr/bin/agent --now\n",
		"u/alice/.config/autostart/own.desktop":                       "[Desktop Entry]\nExec=own\n",
		"u/alice/.config/autostart/pipe.desktop":                      "-> ../../../../etc/passwd",
		"u/alice/.config/systemd/user/default.target.wants/x.service": "-> /etc/passwd",
		"u/alice/.config/systemd/user/x.service":                      "[Service]\nExecStart=/bin/x\n",
	})})
	got := all(t, p, "Win32_StartupCommand", query{})
	if texts(got, "Command") != "/usr/bin/agent --now nm-applet --indicator" {
		t.Fatalf("commands %s", texts(got, "Command"))
	}
	expect(t, got[0], map[string]string{"Name": "nm-applet", "Description": "Networks", "Location": "/etc/xdg/autostart", "User": "Public", "UserSID": "null"})
	expect(t, got[1], map[string]string{"Name": "agent", "Description": "An agent", "Location": "/etc/systemd/user/default.target.wants"})
	got = all(t, p, "Win32_StartupCommand", asAdministrator())
	if texts(got, "Command") != "/bin/x /usr/bin/agent --now nm-applet --indicator own" {
		t.Fatalf("commands %s", texts(got, "Command"))
	}
	expect(t, got[2], map[string]string{"Name": "own", "User": `fox\alice`, "UserSID": "S-1-22-1-1000", "Location": "/u/alice/.config/autostart"})
}

func TestScheduledJobs(t *testing.T) {
	script := "#!/bin/sh\n# atrun uid=1000 gid=1000\n# mail alice 0\numask 22\nHOME=/u/alice; export HOME\ncd /u/alice || {\n\t echo 'Execution directory inaccessible' >&2\n\t exit 1\n}\n"
	p := New(Options{Root: root(t, map[string]string{
		"etc/passwd":                           "alice:x:1000:1000::/u/alice:/bin/sh\n",
		"var/spool/cron/atjobs/a0001a01ad2748": script + "/usr/bin/backup --all\necho done\n",
		"var/spool/cron/atjobs/b0001b01ad2749": script + "${SHELL:-/bin/sh} << 'marcinDELIMITER5c3a8e8e'\necho hello\nmarcinDELIMITER5c3a8e8e\n",
		"var/spool/cron/atjobs/.SEQ":           "1b\n",
		"var/spool/cron/atjobs/c0001c01ad274a": "-> /etc/shadow",
	})})
	if n := len(all(t, p, "Win32_ScheduledJob", query{})); n != 0 {
		t.Errorf("%d jobs for somebody who is no administrator", n)
	}
	got := all(t, p, "Win32_ScheduledJob", asAdministrator())
	if len(got) != 3 {
		t.Fatalf("jobs %v", got)
	}
	// 0x01ad2748 = 28125000 minutes after 1970: date -u -d @1687500000
	expect(t, got[0], map[string]string{"JobId": "26", "Owner": "alice", "Notify": "alice", "StartTime": "20230623060000.000000+000",
		"Command": "/usr/bin/backup --all\necho done", "RunRepeatedly": "false", "JobStatus": "null"})
	expect(t, got[1], map[string]string{"JobId": "27", "Command": "echo hello"})
	expect(t, got[2], map[string]string{"JobId": "28", "Command": "null", "Owner": "null"})
}

func TestQuickFixes(t *testing.T) {
	var old bytes.Buffer
	z := gzip.NewWriter(&old)
	fmt.Fprint(z, "2026-01-01 10:00:00 upgrade bash:amd64 5.2-1 5.2-2\n2026-01-01 10:00:00 upgrade gone:amd64 1 2\n")
	z.Close()
	p := New(Options{Root: root(t, map[string]string{
		"proc/sys/kernel/hostname": "fox\n",
		"var/log/dpkg.log": "2026-02-03 11:00:00 startup archives unpack\n2026-02-03 11:00:00 install new:all <none> 1\n2026-02-03 11:00:01 upgrade libc6:amd64 2.36-9 2.36-9+deb12u3\n" +
			"2026-02-03 11:00:02 status installed libc6:amd64 2.36-9+deb12u3\n2026-02-03 11:00:03 upgrade back:all 2 3\n",
		"var/log/dpkg.log.2.gz": old.String(),
		"var/lib/dpkg/status": "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-2\n\nPackage: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u3\n\n" +
			"Package: back\nStatus: install ok installed\nArchitecture: all\nVersion: 2\n\nPackage: new\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n",
		"var/log/dnf.rpm.log": "2026-03-04T05:06:07+0000 SUBDEBUG Upgrade: openssl-libs-3.0.7-27.el9.x86_64\n2026-03-04T05:06:08+0000 SUBDEBUG Upgraded: openssl-libs-3.0.7-24.el9.x86_64\n",
	})})
	got := all(t, p, "Win32_QuickFixEngineering", query{})
	if want := "bash:amd64_5.2-2 libc6:amd64_2.36-9+deb12u3 openssl-libs_3.0.7-27.el9.x86_64"; texts(got, "HotFixID") != want {
		t.Fatalf("updates %s, want %s", texts(got, "HotFixID"), want)
	}
	expect(t, got[1], map[string]string{"CSName": "fox", "Description": "Update", "FixComments": "replaces 2.36-9", "InstalledOn": "2/3/2026", "ServicePackInEffect": "", "InstalledBy": "null"})
	expect(t, got[2], map[string]string{"InstalledOn": "3/4/2026", "FixComments": "null"})
}

// The expected values come from awk(1) over the log and dpkg-query(1).
func TestQuickFixesAgainstDpkg(t *testing.T) {
	if _, err := os.Stat("/var/log/dpkg.log"); err != nil {
		t.Skip("there is no log of dpkg")
	}
	want := map[string]bool{}
	for _, line := range lines(output(t, "sh", "-c", "zcat -f /var/log/dpkg.log* | awk '$3==\"upgrade\" {print $4, $6}'")) {
		f := strings.Fields(line)
		if installed := output(t, "sh", "-c", "dpkg-query -W -f '${Version}' "+f[0]+" || true"); installed == f[1] {
			want[f[0]+"_"+f[1]] = true
		}
	}
	got := map[string]bool{}
	for _, i := range all(t, New(Options{}), "Win32_QuickFixEngineering", query{}) {
		got[i.Get("HotFixID").String()] = true
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("updates %v, want %v", got, want)
	}
}

// The numbers are those of the documentation of Win32_ServerFeature: 2 web, 6 files, 7 print, 13 DNS.
func TestServerFeatures(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{
		"lib/systemd/system/nginx.service": "[Unit]\n", "usr/lib/systemd/system/apache2.service": "[Unit]\n",
		"etc/systemd/system/named.service": "-> /dev/null", "etc/init.d/smbd": "#!/bin/sh\n", "etc/systemd/system/snmpd.service": "-> /lib/systemd/system/snmpd.service",
	})})
	got := map[string]string{}
	for _, i := range all(t, p, "Win32_ServerFeature", query{}) {
		got[i.Get("ID").String()] = i.Get("ParentID").String() + " " + i.Get("Name").String()
	}
	want := map[string]string{"2": "0 Web Server (apache2, nginx)", "6": "0 File Services (smbd)", "255": "6 File Server (smbd)"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("roles %v, want %v", got, want)
	}
	for _, class := range []string{"Win32_OptionalFeature", "SoftwareLicensingProduct"} {
		if n := len(all(t, p, class, query{})); n != 0 {
			t.Errorf("%s has %d instances", class, n)
		}
	}
}

func TestWMISetting(t *testing.T) {
	p := New(Options{WMISetting: func() WMISetting {
		return WMISetting{BuildVersion: "1.2.3", DatabaseDirectory: "/var/lib/x", EnableEvents: true}
	}})
	i := only(t, p, "Win32_WMISetting", query{})
	expect(t, i, map[string]string{"BuildVersion": "1.2.3", "DatabaseDirectory": "/var/lib/x", "EnableEvents": "true", "InstallationDirectory": "null",
		"AutorecoverMofs": "null", "LoggingLevel": "null", "BackupInterval": "null"})
	if !i.Class().IsSingleton() {
		t.Error("there may be several")
	}
	if n := len(all(t, New(Options{}), "Win32_WMISetting", query{})); n != 0 {
		t.Errorf("%d settings of no object manager", n)
	}
}

package adtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// The configuration of the member's Samba: a place for everything below one folder, and Unix users by RID.
const memberConf = `[global]
	workgroup = %[2]s
	realm = %[3]s
	security = ads
	netbios name = MEMBER
	private dir = %[1]s/private
	state directory = %[1]s/state
	cache directory = %[1]s/cache
	lock directory = %[1]s/lock
	pid directory = %[1]s
	ncalrpc dir = %[1]s/ncalrpc
	log file = %[1]s/log
	name resolve order = host
	idmap config * : backend = tdb
	idmap config * : range = 3000000-3999999
	idmap config %[2]s : backend = rid
	idmap config %[2]s : range = 2000000-2999999
	template shell = /bin/sh
	template homedir = /
`

// FirstUID is what the member adds a RID of the domain to for the number of a Unix user or group.
const FirstUID = 2000000

// Joined is a machine that has joined the domain, which takes a second or two, once. It ends with the domain.
func (d *Domain) Joined(t testing.TB) *Member {
	t.Helper()
	for _, program := range []string{"net", "winbindd", "wbinfo", "ntlm_auth"} {
		if _, err := exec.LookPath(program); err != nil {
			absent(t, program+" is not installed (Debian packages samba-common-bin, winbind)")
		}
	}
	if modules, err := filepath.Glob("/usr/lib/*/libnss_winbind.so.2"); err != nil || len(modules) == 0 {
		absent(t, "the module winbind of the name service switch is not installed (Debian package libnss-winbind)")
	}
	shared.Lock()
	defer shared.Unlock()
	if d.member == nil {
		m, err := d.join()
		if err != nil {
			t.Fatal(err)
		}
		d.member = m
	}
	return d.member
}

// view is the view of the file system of a member: what it has of its own lies below its first argument, and the rest is the command that runs there.
const view = `set -e; own="$0"
mkdir -p /run/samba/winbindd
mount --bind "$own/winbindd" /run/samba/winbindd
for file in hosts group nsswitch.conf; do mount --bind "$own/etc/$file" "/etc/$file"; done
exec "$@"`

func (d *Domain) join() (*Member, error) {
	dir := filepath.Join(d.dir, "member")
	if err := d.memberFiles(dir); err != nil {
		return nil, err
	}
	// What winbind starts leaves its process group: the processes have a space of numbers of their own, which ends as a whole.
	there := func(args ...string) *exec.Cmd {
		cmd := exec.Command("unshare", append([]string{"--mount", "--pid", "--fork", "--kill-child", "sh", "-c", view, dir}, args...)...)
		cmd.Env = append(os.Environ(), "KRB5_CONFIG="+d.Krb5Conf)
		return cmd
	}
	conf := filepath.Join(dir, "etc", "smb.conf")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) { // the controller's winbind, too, must be up
		out, err := there("net", "ads", "join", "-s", conf, "-U", "Administrator%"+Password, "-S", d.Controller, "--no-dns-updates").CombinedOutput()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("net ads join: %w\n%.3000s", err, out)
		}
	}
	var log bytes.Buffer
	cmd := there("winbindd", "-s", conf, "-F", "--no-process-group")
	stop, err := spawn(cmd, &log)
	if err != nil {
		return nil, err
	}
	m := &Member{pid: cmd.Process.Pid, stop: stop}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		in := m.Enter()
		out, err := exec.Command(in[0], append(in[1:], "getent", "passwd", NetBIOS+`\`+Alice)...).CombinedOutput() // #nosec G204 -- of a test
		if err == nil {
			return m, nil
		}
		if time.Now().After(deadline) {
			stop()
			return nil, fmt.Errorf("winbind of the member does not answer: %w\n%s\n%s", err, out, log.String())
		}
	}
}

// memberFiles makes the folder of a member, with the files of /etc that it has of its own.
func (d *Domain) memberFiles(dir string) error {
	for _, name := range []string{"private", "state", "cache", "lock", "ncalrpc", "winbindd", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil { // #nosec G301 -- services that gave root up look into it
			return err
		}
	}
	own := map[string]func([]byte) []byte{
		"hosts": func(b []byte) []byte {
			return fmt.Appendf(b, "\n127.0.0.1 member.%s member\n%s %s dc1\n", DNSName, d.Address, d.Controller)
		},
		"group": func(b []byte) []byte {
			return regexp.MustCompile(`(?m)^(winbindd_priv:.*:).*$`).ReplaceAll(b, []byte("${1}nobody,casement"))
		},
		"nsswitch.conf": func(b []byte) []byte {
			return append(regexp.MustCompile(`(?m)^(passwd|group):`).ReplaceAll(b, []byte("#$0")), "\npasswd: files winbind\ngroup: files winbind\n"...)
		},
	}
	for name, change := range own {
		b, err := os.ReadFile(filepath.Join("/etc", name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "etc", name), change(b), 0o644); err != nil { // #nosec G306 -- everybody reads them
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "etc", "smb.conf"), fmt.Appendf(nil, memberConf, dir, NetBIOS, Realm), 0o600); err != nil {
		return err
	}
	// As the package of winbind leaves it, for those who may ask for keys of sessions.
	privileged := filepath.Join(dir, "state", "winbindd_privileged")
	if err := os.Mkdir(privileged, 0o750); err != nil { // #nosec G301
		return err
	}
	out, err := exec.Command("chgrp", "winbindd_priv", privileged).CombinedOutput()
	if err != nil {
		return fmt.Errorf("chgrp winbindd_priv: %w %s", err, out)
	}
	return nil
}

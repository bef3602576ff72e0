package adtest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

//go:embed populate.py
var populate string

var shared struct {
	sync.Mutex
	domain *Domain
	err    error
}

// Shared is the domain of this test binary, which starts when the first test asks for it; that takes some fifteen
// seconds. A TestMain ends it with Close. Without root, who may open the ports of a KDC, and where Samba is not
// installed the test is skipped, and fails on the build machine.
func Shared(t testing.TB) *Domain {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: a domain controller takes its time")
	}
	for _, program := range []string{"samba", "samba-tool", "/usr/bin/python3", "kinit"} {
		if _, err := exec.LookPath(program); err != nil {
			absent(t, program+" is not installed (Debian packages samba, samba-ad-provision, samba-dsdb-modules, python3-samba, krb5-user)")
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("a domain controller opens the ports 88 and 389, which needs root")
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.domain == nil && shared.err == nil {
		shared.domain, shared.err = start()
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.domain
}

// Close ends the domain, if there is one.
func Close() {
	shared.Lock()
	defer shared.Unlock()
	if d := shared.domain; d != nil {
		shared.domain, shared.err = nil, errors.New("the domain was closed")
		if d.member != nil {
			d.member.stop()
		}
		d.stop()
		for range 50 { // winbind notices a little later that its parent is gone, and writes until then
			if _, err := os.Stat(d.dir); os.IsNotExist(err) {
				return
			}
			_ = os.RemoveAll(d.dir)
			time.Sleep(100 * time.Millisecond)
		}
	}
}

func absent(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CASEMENT_CI") == "1" {
		t.Fatalf("%s; on the build machine every peer must be there", what)
	}
	t.Skip(what)
}

func start() (d *Domain, err error) {
	d = &Domain{Controller: "dc1." + DNSName}
	if d.dir, err = os.MkdirTemp("", "casement-ad-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			if d.stop != nil {
				d.stop()
			}
			_ = os.RemoveAll(d.dir)
		}
	}()
	if d.Address, err = freeAddress(); err != nil {
		return nil, err
	}
	args := []string{"domain", "provision", "--realm=" + Realm, "--domain=" + NetBIOS, "--server-role=dc", "--dns-backend=NONE", "--host-name=dc1",
		"--adminpass=" + Password, "--targetdir=" + d.dir, "--host-ip=" + d.Address}
	for _, o := range []string{"interfaces=" + d.Address + "/8", "bind interfaces only=yes", "pid directory=" + d.dir, "ncalrpc dir=" + d.dir + "/ncalrpc",
		"winbindd socket directory=" + d.dir + "/winbindd", "ntp signd socket directory=" + d.dir + "/ntp", "log file=" + d.dir + "/log"} {
		args = append(args, "--option="+o)
	}
	if out, err := exec.Command("samba-tool", args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("samba-tool domain provision: %w\n%.3000s", err, out)
	}
	if out, err := exec.Command("/usr/bin/python3", "-c", populate, d.dir, Password, DNSName).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("populate the domain: %w\n%.3000s", err, out)
	}
	if err := d.readSIDs(); err != nil {
		return nil, err
	}
	d.Krb5Conf = filepath.Join(d.dir, "krb5.conf")
	if err := os.WriteFile(d.Krb5Conf, fmt.Appendf(nil, krb5conf, Realm, Realm, d.Address, DNSName, Realm, DNSName, Realm), 0o644); err != nil { // #nosec G306 -- services that gave root up read it
		return nil, err
	}
	if err := os.Chmod(d.dir, 0o711); err != nil { // #nosec G302 -- services that gave root up look into it
		return nil, err
	}
	return d, d.run()
}

const krb5conf = `[libdefaults]
	default_realm = %s
	dns_lookup_realm = false
	dns_lookup_kdc = false
	rdns = false
	dns_canonicalize_hostname = false
	forwardable = true
	udp_preference_limit = 1
[realms]
	%s = {
		kdc = %s
	}
[domain_realm]
	.%s = %s
	%s = %s
`

// freeAddress is a loopback address that no other domain uses at the moment.
func freeAddress() (string, error) {
	for i := range 200 {
		address := fmt.Sprintf("127.50.%d.%d", (os.Getpid()+i)%250+1, 50)
		l, err := net.Listen("tcp", net.JoinHostPort(address, "88"))
		if err != nil {
			continue
		}
		return address, l.Close()
	}
	return "", errors.New("no loopback address has its port 88 free")
}

func (d *Domain) readSIDs() error {
	b, err := os.ReadFile(filepath.Join(d.dir, "sids.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &d.sids); err != nil {
		return err
	}
	d.SID = d.sids[""]
	return nil
}

// run starts the controller and waits until its ports are open.
func (d *Domain) run() error {
	// Its file server finds winbind, which says what Unix user somebody is, at the place that was compiled in, and nowhere else.
	cmd := exec.Command("unshare", "-m", "sh", "-c", `mkdir -p /run/samba/winbindd "$0" && mount --bind "$0" /run/samba/winbindd && exec "$@"`, filepath.Join(d.dir, "winbindd"),
		"samba", "-s", filepath.Join(d.dir, "etc", "smb.conf"), "-i", "--no-process-group", "-M", "single", "--option=server services=ldap,kdc,cldap,rpc,s3fs,winbindd")
	var log bytes.Buffer
	var err error
	if d.stop, err = spawn(cmd, &log); err != nil {
		return err
	}
	for _, port := range []string{"88", "389", "135", "445"} {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			c, err := net.Dial("tcp", net.JoinHostPort(d.Address, port))
			if err == nil {
				c.Close()
				break
			}
			if time.Now().After(deadline) {
				d.stop()
				return fmt.Errorf("the controller does not open port %s: %w\n%s", port, err, log.String())
			}
		}
	}
	return nil
}

// spawn starts a program that ends with us however we end, with all of its process group. stop ends it, too.
func spawn(cmd *exec.Cmd, log *bytes.Buffer) (stop func(), err error) {
	// The signal comes when the thread ends that started it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = log, log
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(ended)
	}()
	return func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}, <-started
}

// Winbind returns a folder with the programs wbinfo and ntlm_auth, which reach the winbind of the controller itself: they
// run in a view of the file system where its socket is this machine's.
func (d *Domain) Winbind(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"wbinfo", "ntlm_auth"} {
		program, err := exec.LookPath(name)
		if err != nil {
			absent(t, name+" is not installed (Debian package winbind)")
		}
		script := fmt.Sprintf(`#!/bin/sh
exec unshare -m sh -c 'mkdir -p /run/samba/winbindd && mount --bind %[1]s/winbindd /run/samba/winbindd &&
mount --bind %[1]s/state/winbindd_privileged /var/lib/samba/winbindd_privileged && exec "$@"' sh %[2]s "$@"
`, d.dir, program)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil { // #nosec G306 -- a program
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		out, err := exec.Command(filepath.Join(dir, "wbinfo"), "--name-to-sid="+NetBIOS+`\`+Operators).CombinedOutput()
		if err == nil {
			return dir
		}
		if time.Now().After(deadline) {
			t.Fatalf("winbind of the controller does not answer: %v\n%s", err, out)
		}
	}
}

// Login gets a ticket-granting ticket as kinit does, forwardable, and returns the credential cache, which goes with the
// test.
func (d *Domain) Login(t testing.TB, user string) (ccache string) {
	t.Helper()
	ccache = filepath.Join(t.TempDir(), "ccache")
	cmd := exec.Command("kinit", "-f", user)
	cmd.Env = append(os.Environ(), d.Env(ccache)...)
	cmd.Stdin = strings.NewReader(Password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kinit %s: %v\n%s", user, err, out)
	}
	return ccache
}

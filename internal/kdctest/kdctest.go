// Package kdctest runs a Kerberos key distribution center of MIT for a test: a realm of its own on a free port of loopback, with a
// folder of its own, which ends with the test. Only tests import it.
package kdctest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/internal/testlog"
)

// Encryption types, as Options.Enctypes takes them. The default offers all of AES.
const (
	AES128SHA1 = "aes128-cts-hmac-sha1-96"
	AES256SHA1 = "aes256-cts-hmac-sha1-96"
	AES128SHA2 = "aes128-cts-hmac-sha256-128"
	AES256SHA2 = "aes256-cts-hmac-sha384-192"
	RC4        = "arcfour-hmac"
)

// Options vary what Start starts.
type Options struct {
	// Enctypes are the encryption types of keys and tickets, the best first. Nil: the two of AES-SHA1, then the two of AES-SHA2.
	Enctypes []string
	// Config is added to krb5.conf at its end, as sections of its own.
	Config string
}

// KDC is a running realm.
type KDC struct {
	// Realm is the name of the realm, in capitals.
	Realm string
	// Config is the path of a krb5.conf for clients and services of the realm.
	Config string
	// Address is host:port of the KDC, TCP and UDP.
	Address string

	t   testing.TB
	dir string
}

// Start makes a realm and starts its KDC; both end with the test. Where MIT's programs are missing the test is skipped, or fails with
// CASEMENT_CI=1.
func Start(t testing.TB, realm string) *KDC {
	t.Helper()
	return StartWith(t, realm, Options{})
}

// StartWith is Start with options.
func StartWith(t testing.TB, realm string, opts Options) *KDC {
	t.Helper()
	for _, name := range []string{"krb5kdc", "kadmin.local", "kdb5_util"} {
		if tool(name) == "" {
			absent(t, name+" is missing; the package krb5-kdc or krb5-admin-server has it")
		}
	}
	if opts.Enctypes == nil {
		opts.Enctypes = []string{AES256SHA1, AES128SHA1, AES256SHA2, AES128SHA2}
	}
	k := &KDC{Realm: realm, t: t, dir: t.TempDir()}
	k.Config = filepath.Join(k.dir, "krb5.conf")
	var failure string
	for range 3 { // somebody may take the port between our look and the start
		k.configure(opts)
		if _, err := os.Stat(k.path("principal")); err != nil {
			k.run(nil, "kdb5_util", "-r", realm, "-P", "master", "create", "-s")
		}
		if failure = k.serve(); failure == "" {
			return k
		}
	}
	t.Fatalf("krb5kdc does not start: %s", failure)
	return nil
}

// absent is a skip that says what is missing, and a failure on the build machine.
func absent(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CASEMENT_CI") == "1" {
		t.Fatalf("%s; on the build machine every peer must be there", what)
	}
	t.Skip(what)
}

// tool finds a program, also where only root has it in PATH.
func tool(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

func (k *KDC) path(name string) string { return filepath.Join(k.dir, name) }

// configure writes both configurations for a free port.
func (k *KDC) configure(opts Options) {
	k.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		k.t.Fatal(err)
	}
	k.Address = l.Addr().String()
	_ = l.Close()
	types := strings.Join(opts.Enctypes, " ")
	salted := ""
	for _, e := range opts.Enctypes {
		salted += e + ":normal "
	}
	weak := strings.Contains(types, RC4)
	client := fmt.Sprintf(`[libdefaults]
	default_realm = %[1]s
	dns_lookup_kdc = false
	dns_lookup_realm = false
	dns_canonicalize_hostname = false
	rdns = false
	allow_weak_crypto = %[4]t
	allow_rc4 = %[4]t
	permitted_enctypes = %[3]s
	default_tgs_enctypes = %[3]s
	default_tkt_enctypes = %[3]s
	udp_preference_limit = 1
[realms]
	%[1]s = {
		kdc = %[2]s
	}
[domain_realm]
	localhost = %[1]s
	.%[5]s = %[1]s
	%[5]s = %[1]s
`, k.Realm, k.Address, types, weak, strings.ToLower(k.Realm)) + opts.Config
	server := fmt.Sprintf(`[kdcdefaults]
	kdc_listen = %[2]s
	kdc_tcp_listen = %[2]s
[realms]
	%[1]s = {
		database_name = %[3]s/principal
		key_stash_file = %[3]s/stash
		acl_file = %[3]s/acl
		max_life = 10h
		max_renewable_life = 7d
		supported_enctypes = %[4]s
		master_key_type = aes256-cts-hmac-sha1-96
	}
`, k.Realm, k.Address, k.dir, salted)
	for name, text := range map[string]string{"krb5.conf": client, "kdc.conf": server, "acl": ""} {
		if err := os.WriteFile(k.path(name), []byte(text), 0o600); err != nil {
			k.t.Fatal(err)
		}
	}
}

// serve starts the KDC and waits until it answers connections. It returns what it said when it ended instead.
func (k *KDC) serve() string {
	k.t.Helper()
	cmd := exec.Command(tool("krb5kdc"), "-n", "-r", k.Realm, "-P", k.path("pid"))
	cmd.Env = k.Env()
	var said testlog.Text
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return err.Error()
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	stop := func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	for range 200 {
		select {
		case <-ended:
			return said.String()
		default:
		}
		if c, err := net.DialTimeout("tcp", k.Address, time.Second); err == nil {
			_ = c.Close()
			k.t.Cleanup(stop)
			return ""
		}
		time.Sleep(25 * time.Millisecond)
	}
	stop()
	return "no answer: " + said.String()
}

// Env is the environment in which programs of MIT know the realm, and no other: KRB5_CONFIG, KRB5_KDC_PROFILE, and the rest of ours.
func (k *KDC) Env() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KRB5") {
			env = append(env, v)
		}
	}
	return append(env, "KRB5_CONFIG="+k.Config, "KRB5_KDC_PROFILE="+k.path("kdc.conf"), "KRB5CCNAME=FILE:"+k.path("ccache"), "LC_ALL=C.UTF-8")
}

// Setenv makes the realm this test's own: Config and a credential cache of the test's folder come from its environment.
func (k *KDC) Setenv(t *testing.T) {
	t.Helper()
	t.Setenv("KRB5_CONFIG", k.Config)
	t.Setenv("KRB5CCNAME", "FILE:"+filepath.Join(t.TempDir(), "ccache"))
}

// run runs a program of the realm and fails the test with what it said.
func (k *KDC) run(stdin []byte, name string, args ...string) string {
	k.t.Helper()
	cmd := exec.Command(tool(name), args...)
	cmd.Env = k.Env()
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		k.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Admin runs one command of kadmin.local, such as "modprinc -maxlife 1min alice".
func (k *KDC) Admin(command string) string {
	k.t.Helper()
	out := k.run(nil, "kadmin.local", "-r", k.Realm, "-q", command)
	if strings.Contains(out, "while ") {
		k.t.Fatalf("kadmin.local %s: %s", command, out)
	}
	return out
}

// AddPrincipal makes a principal, "alice" or "HTTP/host.example", that must pre-authenticate. An empty password makes a random key.
func (k *KDC) AddPrincipal(name, password string) {
	k.t.Helper()
	how := "-randkey"
	if password != "" {
		how = `-pw "` + strings.ReplaceAll(password, `"`, `""`) + `"`
	}
	k.Admin("addprinc +requires_preauth " + how + " " + name)
}

// Keytab writes the keys of principals to a new file and returns its path. Their keys and passwords stay as they are.
func (k *KDC) Keytab(principals ...string) string {
	k.t.Helper()
	f, err := os.CreateTemp(k.dir, "*.keytab")
	if err != nil {
		k.t.Fatal(err)
	}
	_ = f.Close()
	_ = os.Remove(f.Name()) // ktadd wants to make it
	k.Admin("ktadd -q -norandkey -k " + f.Name() + " " + strings.Join(principals, " "))
	return f.Name()
}

// CCache signs in as kinit does and returns the path of a new credential cache. Flags go to kinit, such as "-f" for forwardable tickets.
func (k *KDC) CCache(name, password string, flags ...string) string {
	k.t.Helper()
	if tool("kinit") == "" {
		absent(k.t, "kinit is missing; the package krb5-user has it")
	}
	f, err := os.CreateTemp(k.dir, "*.ccache")
	if err != nil {
		k.t.Fatal(err)
	}
	_ = f.Close()
	k.run([]byte(password+"\n"), "kinit", append(append([]string{"-c", "FILE:" + f.Name()}, flags...), name)...)
	return f.Name()
}

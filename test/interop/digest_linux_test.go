package interop

import (
	"bytes"
	"crypto/md5" // #nosec G501 -- what the server stores
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A page of lighttpd that answers Identify as a management controller would, to whoever proves to be "bob smith", and tells how that was proved.
const identifyPage = `read -r body
body='<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><i:IdentifyResponse><i:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</i:ProtocolVersion><i:ProductVendor>user='"$REMOTE_USER by $AUTH_TYPE, $CONTENT_LENGTH bytes"'</i:ProductVendor><i:ProductVersion>1</i:ProductVersion></i:IdentifyResponse></s:Body></s:Envelope>'
printf 'Content-Type: application/soap+xml;charset=UTF-8\r\nContent-Length: %s\r\n\r\n%s' "${#body}" "$body"
`

// lighttpd starts a server with the algorithms of mod_auth, over http and https; what it saw, it tells when it ends: the header of each request.
func lighttpd(t *testing.T, algorithm, more string) (plain, secure string, seen func() string) {
	t.Helper()
	binary := "/usr/sbin/lighttpd"
	if _, err := os.Stat(binary); err != nil {
		absent(t, "lighttpd is not installed")
	}
	if _, err := os.Stat("/usr/lib/lighttpd/mod_openssl.so"); err != nil {
		absent(t, "lighttpd-mod-openssl is not installed")
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "www"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("www/wsman", identifyPage)
	const a1 = "bob smith:BMC:a long secret"
	sum := md5.Sum([]byte(a1))                                                   // #nosec G401 -- see the import
	stored, name := hex.EncodeToString(sum[:]), md5.Sum([]byte("bob smith:BMC")) // #nosec G401 -- see the import
	hashed := hex.EncodeToString(name[:])
	if strings.Contains(algorithm, "SHA-256") {
		long, user := sha256.Sum256([]byte(a1)), sha256.Sum256([]byte("bob smith:BMC"))
		stored, hashed = hex.EncodeToString(long[:]), hex.EncodeToString(user[:])
	}
	write("users", "bob smith:BMC:"+stored+":"+hashed+"\n")
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost",
		"-keyout", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "cert.pem")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ports := freePorts(t, 2)
	write("lighttpd.conf", fmt.Sprintf(`server.modules = ("mod_auth", "mod_authn_file", "mod_cgi", "mod_openssl", "mod_accesslog")
server.document-root = "%[1]s/www"
server.bind = "127.0.0.1"
server.port = %[2]d
server.errorlog = "%[1]s/error.log"
accesslog.filename = "%[1]s/access.log"
accesslog.format = "%%{Authorization}i"
$SERVER["socket"] == "127.0.0.1:%[3]d" { ssl.engine = "enable" ssl.pemfile = "%[1]s/cert.pem" ssl.privkey = "%[1]s/key.pem" }
cgi.assign = ("/wsman" => "/bin/sh")
auth.backend = "htdigest"
auth.backend.htdigest.userfile = "%[1]s/users"
auth.require = ("" => ("method" => "digest", "realm" => "BMC", "require" => "valid-user", "algorithm" => "%[4]s"%[5]s))
`, dir, ports[0], ports[1], algorithm, more))
	cmd := exec.Command(binary, "-D", "-f", filepath.Join(dir, "lighttpd.conf"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := sync.OnceValue(func() string {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		killed := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // its log is whole now
		killed.Stop()
		log, err := os.ReadFile(filepath.Join(dir, "access.log"))
		if err != nil {
			t.Error(err)
		}
		return strings.ReplaceAll(string(log), `\"`, `"`)
	})
	t.Cleanup(func() {
		ended()
		if log, err := os.ReadFile(filepath.Join(dir, "error.log")); t.Failed() {
			t.Logf("lighttpd: %s %s %v", said.String(), log, err)
		}
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[1]))
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("lighttpd does not listen: %s", said.String())
		}
	}
	return fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("https://127.0.0.1:%d", ports[1]), ended
}

func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// Checklist 2.53, 2.54, 2.56: our client signs in by Digest at lighttpd 1.4, over http, where it warns, and over https, and takes the stronger of two algorithms.
func TestDigest(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a server of another project")
	}
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "state")
	run := func(password string, args ...string) (stdout, stderr string, err error) {
		cmd := exec.Command(binary, args...)
		cmd.Env = append(os.Environ(), "CASEMENT_STATE="+state, "CASEMENT_PASSWORD="+password, "HOME="+t.TempDir(), "CASEMENT_HOSTS=-")
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		err = cmd.Run()
		return out.String(), errs.String(), err
	}
	set := func(what, value string) {
		t.Helper()
		if out, errs, err := run("", "winrm", "set", what, value); err != nil {
			t.Fatalf("%v %s %s", err, out, errs)
		}
	}
	set("winrm/config/client", `@{AllowUnencrypted="true"}`)
	const secret, warning = "a long secret", "Digest over http hides the password and nothing else"
	for _, row := range []struct{ algorithm, more, want string }{
		{"MD5", "", `username="bob smith", realm="BMC", uri="/wsman", algorithm=MD5, nonce=`},
		{"SHA-256", "", `username="bob smith", realm="BMC", uri="/wsman", algorithm=SHA-256, nonce=`},
		{"MD5|SHA-256", "", `username="bob smith", realm="BMC", uri="/wsman", algorithm=SHA-256, nonce=`},
		{"SHA-256", `, "userhash" => "enable"`, `userhash=true, realm="BMC", uri="/wsman", algorithm=SHA-256, nonce=`},
	} {
		t.Run(row.algorithm+row.more, func(t *testing.T) {
			plain, secure, seen := lighttpd(t, row.algorithm, row.more)
			for at, warned := range map[string]int{plain: 1, secure: 0} {
				out, errs, err := run(secret, "identify", at, "--auth", "Digest", "-u", "bob smith", "--insecure-skip-verify", "-o", "json")
				if err != nil || !strings.Contains(out, "user=bob smith by Digest, ") || strings.Contains(out, " 0 bytes") || strings.Count(errs, warning) != warned {
					t.Errorf("%s: %v %s %s", at, err, out, errs)
				}
				out, errs, err = run("", "winrm", "identify", "-remote:"+at, "-authentication:Digest", "-username:bob smith", "-password:"+secret, "-skipCAcheck", "-skipCNcheck")
				if err != nil || !strings.Contains(out, "user=bob smith by Digest, ") || strings.Count(errs, warning) != warned {
					t.Errorf("winrm %s: %v %s %s", at, err, out, errs)
				}
				if _, errs, err := run("wrong", "identify", at, "--auth", "Digest", "-u", "bob smith", "--insecure-skip-verify"); err == nil || !strings.Contains(errs, "wrong password") {
					t.Errorf("%s with a wrong password: %v %s", at, err, errs)
				}
			}
			if log := seen(); strings.Count(log, row.want) < 4 || strings.Contains(log, secret) {
				t.Errorf("it saw %s", log)
			}
		})
	}
	set("winrm/config/client/auth", `@{Digest="false"}`)
	_, errs, err := run(secret, "identify", "https://127.0.0.1:1", "--auth", "Digest", "-u", "bob smith")
	if err == nil || !strings.Contains(errs, "0x803380E0") {
		t.Errorf("2.53: switched off: %v %s", err, errs)
	}
}

// Checklist 2.55: Digest to the service fails, and is never offered, with curl's.
func TestCurlDigest(t *testing.T) {
	s := running(t)
	enableBasic(t, s)
	for _, at := range []string{s.http, s.https} {
		headers := filepath.Join(t.TempDir(), "headers")
		status, _ := curl(t, s, at, identify, "digest", "insecure", credentials(s), fmt.Sprintf("dump-header = %q", headers))
		b, err := os.ReadFile(headers)
		if status != "401" || err != nil || !bytes.Contains(bytes.ToLower(b), []byte("www-authenticate: negotiate")) || bytes.Contains(bytes.ToLower(b), []byte("digest")) {
			t.Errorf("%s: HTTP %s, %v\n%s", at, status, err, b)
		}
	}
}

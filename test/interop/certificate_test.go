package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clientCertificates makes, with openssl, an authority that the service trusts and a certificate of it, and a stranger with the same names.
func clientCertificates(t *testing.T, s *service) (dir, issuer string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		absent(t, "openssl is not installed")
	}
	dir = t.TempDir()
	extensions := filepath.Join(dir, "extensions")
	if err := os.WriteFile(extensions, []byte("extendedKeyUsage = clientAuth\nsubjectAltName = otherName:1.3.6.1.4.1.311.20.2.3;UTF8:client@casement.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	for ca, leaf := range map[string]string{"ca": "client", "otherca": "stranger"} {
		run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=An authority", "-addext", "keyUsage=keyCertSign",
			"-keyout", file(ca+".key"), "-out", file(ca+".pem"))
		run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Client", "-keyout", file(leaf+".key"), "-out", file(leaf+".csr"))
		run("openssl", "x509", "-req", "-in", file(leaf+".csr"), "-CA", file(ca+".pem"), "-CAkey", file(ca+".key"), "-CAcreateserial", "-days", "1", "-extfile", extensions, "-out", file(leaf+".pem"))
	}
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(s.dir, "state")
	printed := run("openssl", "x509", "-in", file("ca.pem"), "-noout", "-fingerprint", "-sha1")
	_, issuer, _ = strings.Cut(printed, "=")
	issuer = strings.ReplaceAll(issuer, ":", "")
	if said := run(binary, "cert", "trust", file("ca.pem"), "--state", state); said != issuer {
		t.Errorf("casement cert trust says %s, openssl %s", said, issuer)
	}
	t.Cleanup(func() { run(binary, "cert", "distrust", issuer, "--state", state) })
	return dir, issuer
}

// pypsrp 0.9.1 and pywinrm 0.5.0: certificates of clients, from the mapping to a shell. See [MS-WSMV] 3.1.4.1.35.
func TestCertificatePeers(t *testing.T) {
	everywhere(t, func(t *testing.T, s *service) {
		interpreter := python(t, "pypsrp")
		dir, issuer := clientCertificates(t, s)
		t.Setenv("CASEMENT_CERTIFICATES", dir)
		t.Setenv("CASEMENT_ISSUER", issuer)
		runPeer(t, s, 2*time.Minute, interpreter, "certificate_peer.py")
	})
}

// curl shows a certificate to whoever asks for one, by TLS 1.3 and by TLS 1.2.
func TestCurlCertificate(t *testing.T) {
	s := running(t)
	interpreter := python(t, "pypsrp")
	dir, issuer := clientCertificates(t, s)
	peer := func(statement string) {
		t.Helper()
		cmd := exec.Command(interpreter, "-c", "import peer; "+statement)
		cmd.Env = s.environ()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", statement, err, out)
		}
	}
	peer("peer.configure(Certificate='true')")
	t.Cleanup(func() { peer("peer.configure(Certificate='false')") })
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	at := "winrm/config/service/certmapping?Issuer=" + issuer + "+Subject=client@casement.example+URI=*"
	winrm := func(verb string, more ...string) {
		t.Helper()
		cmd := exec.Command(binary, append([]string{"winrm", verb, at, "-remote:" + s.http, "-username:" + s.user, "-password:" + s.password, "--state", t.TempDir()}, more...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("winrm %s: %v\n%s", verb, err, out)
		}
	}
	winrm("create", fmt.Sprintf(`@{UserName="%s";Password="%s"}`, s.user, s.password))
	t.Cleanup(func() { winrm("delete") })
	header := `header = "Authorization: http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"`
	show := func(name string) []string {
		return []string{"insecure", header, fmt.Sprintf("cert = %q", filepath.Join(dir, name+".pem")), fmt.Sprintf("key = %q", filepath.Join(dir, name+".key"))}
	}
	for _, version := range []string{"tlsv1.3", "tls-max = 1.2"} {
		status, body := curl(t, s, s.https, identify, append(show("client"), version)...)
		if status != "200" {
			t.Errorf("%s: HTTP %s: %s", version, status, body)
			continue
		}
		checkIdentity(t, body, true)
		if !strings.Contains(body, "secprofile/https/mutual") {
			t.Errorf("%s: the profile is not named: %s", version, body)
		}
	}
	for what, options := range map[string][]string{"a stranger's certificate": show("stranger"), "no certificate": {"insecure", header}, "over http": {header}} {
		url := s.https
		if what == "over http" {
			url = s.http
		}
		if status, body := curl(t, s, url, identify, options...); status != "401" || body != "" {
			t.Errorf("%s: HTTP %s %s", what, status, body)
		}
	}
}

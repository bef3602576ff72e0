package interop

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const identify = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>`

// identity is what an Identify answer holds. See [MS-WSMV] 3.1.4.1.23.
type identity struct {
	ProtocolVersion string   `xml:"Body>IdentifyResponse>ProtocolVersion"`
	ProductVendor   string   `xml:"Body>IdentifyResponse>ProductVendor"`
	ProductVersion  string   `xml:"Body>IdentifyResponse>ProductVersion"`
	Profiles        []string `xml:"Body>IdentifyResponse>SecurityProfiles>SecurityProfileName"`
}

// curl runs curl with a configuration file, so that the password is in no process list, and gives status and body.
func curl(t *testing.T, s *service, url, body string, options ...string) (string, string) {
	t.Helper()
	program, err := exec.LookPath("curl")
	if err != nil {
		absent(t, "curl is not installed")
	}
	dir := t.TempDir()
	answer := filepath.Join(dir, "answer")
	config := fmt.Sprintf("url = %q\ndata-binary = \"@%s\"\noutput = %q\nsilent\nshow-error\nmax-time = 30\nwrite-out = \"%%{http_code}\"\nheader = \"Content-Type: application/soap+xml;charset=UTF-8\"\n%s\n",
		url, filepath.Join(dir, "body"), answer, strings.Join(options, "\n"))
	for name, data := range map[string]string{"config": config, "body": body} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "--config", filepath.Join(dir, "config"))
	cmd.Env = s.environ()
	status, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl: %v", err)
	}
	text, _ := os.ReadFile(answer)
	return string(status), string(text)
}

func credentials(s *service) string { return fmt.Sprintf("user = %q", s.user+":"+s.password) }

// curl cannot seal a body, so over HTTP its NTLM handshake succeeds and the clear message is refused while AllowUnencrypted is false.
func TestCurlNTLM(t *testing.T) {
	s := running(t)
	t.Run("over https an NTLM handshake with channel bindings reaches Identify", func(t *testing.T) {
		status, body := curl(t, s, s.https, identify, "ntlm", "insecure", credentials(s))
		if status != "200" {
			t.Fatalf("HTTP %s, want 200: %s", status, body)
		}
		checkIdentity(t, body, true)
	})
	t.Run("over http a clear message is refused", func(t *testing.T) {
		status, body := curl(t, s, s.http, identify, "ntlm", credentials(s))
		if status == "200" {
			t.Fatalf("HTTP 200 for a clear message while AllowUnencrypted is false: %s", body)
		}
	})
	t.Run("a wrong password is refused", func(t *testing.T) {
		status, _ := curl(t, s, s.https, identify, "ntlm", "insecure", fmt.Sprintf("user = %q", s.user+":not the password"))
		if status != "401" {
			t.Fatalf("HTTP %s, want 401", status)
		}
	})
}

// Statement: Identify without sign-in but with its header gives version OS: 0.0.0 SP: 0.0 and no SecurityProfiles; without the
// header 401. See [MS-WSMV] 3.1.4.1.23.
func TestCurlIdentifyUnauthenticated(t *testing.T) {
	s := running(t)
	t.Run("with the header WSMANIDENTIFY", func(t *testing.T) {
		status, body := curl(t, s, s.http, identify, `header = "WSMANIDENTIFY: unauthenticated"`)
		if status != "200" {
			t.Fatalf("HTTP %s, want 200: %s", status, body)
		}
		checkIdentity(t, body, false)
	})
	t.Run("without it", func(t *testing.T) {
		if status, _ := curl(t, s, s.http, identify); status != "401" {
			t.Fatalf("HTTP %s, want 401", status)
		}
	})
}

func checkIdentity(t *testing.T, body string, authenticated bool) {
	t.Helper()
	var got identity
	if err := xml.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if got.ProtocolVersion != "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" {
		t.Errorf("ProtocolVersion %q", got.ProtocolVersion)
	}
	if got.ProductVendor == "" {
		t.Error("no ProductVendor")
	}
	if hidden := strings.HasPrefix(got.ProductVersion, "OS: 0.0.0 SP: 0.0"); hidden == authenticated {
		t.Errorf("ProductVersion %q, authenticated %t", got.ProductVersion, authenticated)
	}
	if authenticated != (len(got.Profiles) > 0) {
		t.Errorf("SecurityProfiles %q, authenticated %t", got.Profiles, authenticated)
	}
}

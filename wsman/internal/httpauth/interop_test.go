package httpauth

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
)

// python finds an interpreter that has the peers. Without one the test is skipped, and fails where
// CASEMENT_CI is 1.
func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("CASEMENT_PYTHON")
	if name == "" {
		name = filepath.Join("..", "..", "..", ".venv", "bin", "python")
	}
	out, err := exec.CommandContext(t.Context(), name, "-c", "import pypsrp, spnego, winrm").CombinedOutput()
	if err == nil {
		return name
	}
	text := "no interpreter with pypsrp, pyspnego and pywinrm: " + err.Error() + " " + string(out)
	if os.Getenv("CASEMENT_CI") == "1" {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}

// Clients of others sign in here and send sealed messages; over TLS they are bound to its channel.
func TestClientsOfOthers(t *testing.T) {
	interpreter := python(t)
	for _, tt := range []struct {
		library, user, password string
		secure, ok              bool
	}{
		{"pypsrp-ntlm", "alice", "secret", false, true},
		{"pypsrp-negotiate", "alice", "secret", false, true},
		{"pypsrp-negotiate", "alice", "secret", true, true},
		{"pypsrp-negotiate", "alice", "wrong", false, false},
		{"pypsrp-basic", "alice", "secret", true, true},
		{"pypsrp-basic", "alice", "wrong", true, false},
		{"pywinrm-ntlm", "alice", "secret", false, true},
		{"pywinrm-ntlm", "alice", "secret", true, true},
		{"pywinrm-ntlm", "nobody", "secret", false, false},
		{"pywinrm-basic", "alice", "secret", true, true},
		{"pypsrp-credssp", "alice", "secret", false, true},
		{"pypsrp-credssp", "alice", "secret", true, true},
		{"pypsrp-credssp", "alice", "wrong", false, false},
		{"pywinrm-credssp", "alice", "secret", false, true},
		{"pywinrm-credssp", "alice", "secret", true, true},
		{"pywinrm-credssp", "nobody", "secret", false, false},
	} {
		s := listen(t, tt.secure, func(s *service) { s.hardening = auth.Strict })
		name := tt.library + " " + strings.SplitN(s.http.URL, ":", 2)[0] + " " + tt.user + " " + tt.password
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), interpreter, "testdata/peer.py", "client", tt.library,
				s.http.URL+"/wsman", tt.user, tt.password)
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				OK    bool
				Error string
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err, string(out))
			}
			if got.OK != tt.ok || (!tt.ok && got.Error == "") {
				t.Errorf("ok %v, error %q", got.OK, got.Error)
			}
		})
	}
}

// Our client signs in to a server of others: pyspnego judges the proof, pypsrp opens and seals the messages.
func TestServerOfOthers(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), python(t), "testdata/peer.py", "server", "alice", "secret")
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	// Of this service only the address is used.
	s := &service{http: &httptest.Server{URL: "http://127.0.0.1:" + strings.TrimSpace(port)}}
	c := s.dial(t, "secret", nil)
	for _, text := range []string{"<one/>", strings.Repeat("x", 100_000), "<three>ü漢</three>"} {
		r, err := c.Do(t.Context(), &Message{Body: []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != http.StatusOK || !r.Sealed || string(r.Body) != "echo:"+text {
			t.Fatalf("status %d, sealed %v, body %.40q", r.Status, r.Sealed, r.Body)
		}
	}
	_, err = s.dial(t, "wrong", nil).Do(t.Context(), &Message{Body: []byte("x")})
	if !errors.Is(err, auth.ErrLogonFailure) {
		t.Error(err)
	}
}

// curl offers OEM names alone, names the scheme NTLM, and gives no MIC.
func TestCurl(t *testing.T) {
	program, err := exec.LookPath("curl")
	if err != nil {
		if os.Getenv("CASEMENT_CI") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	s := listen(t, true, nil)
	for password, want := range map[string]string{"secret": "echo:<x/> 200", "wrong": " 401"} {
		cmd := exec.CommandContext(t.Context(), program, "--config", "-")
		cmd.Stdin = strings.NewReader("silent\nntlm\ninsecure\ndata = \"<x/>\"\nwrite-out = \" %{http_code}\"\nuser = \"alice:" +
			password + "\"\nurl = \"" + s.http.URL + "/wsman\"\n")
		out, err := cmd.Output()
		if err != nil || string(out) != want {
			t.Errorf("%s: %q, %v", password, out, err)
		}
	}
}

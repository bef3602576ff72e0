package secondhop

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
)

func delegated() *auth.Delegation {
	return &auth.Delegation{Credentials: auth.Credentials{Username: `CORP\alice`, Password: "sécret"}, CCache: []byte{5, 4, 0}}
}

func serve(t *testing.T, uid uint32) (*Server, *auth.Delegation) {
	t.Helper()
	d := delegated()
	s, err := Serve(d, uid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, d
}

func TestTake(t *testing.T) {
	if d, err := Take(t.Context()); d != nil || err != nil {
		t.Errorf("outside of a shell: %v %v", d, err)
	}
	s, kept := serve(t, uint32(os.Getuid()))
	t.Setenv(Variable, s.Name())
	for range 3 {
		d, err := Take(t.Context())
		if err != nil || d.Credentials.Username != `CORP\alice` || d.Credentials.Password != "sécret" || !bytes.Equal(d.CCache, []byte{5, 4, 0}) {
			t.Fatal(d, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if kept.Credentials.Password != "" || kept.CCache != nil {
		t.Error("Close does not wipe")
	}
	if d, err := Take(t.Context()); d != nil || err == nil {
		t.Errorf("after the shell: %v %v", d, err)
	}
	t.Setenv(Variable, "/tmp/elsewhere")
	if d, err := Take(t.Context()); d != nil || err == nil {
		t.Errorf("a name that is none: %v %v", d, err)
	}
}

// Another user is not answered, though the name is no secret.
func TestOtherUser(t *testing.T) {
	s, _ := serve(t, uint32(os.Getuid())+1)
	t.Setenv(Variable, s.Name())
	if d, err := Take(t.Context()); d != nil || err == nil {
		t.Errorf("%v %v", d, err)
	}
	if os.Getuid() != 0 {
		return
	}
	s, _ = serve(t, 0)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copied := "/tmp/secondhop-" + s.Name()[len(prefix):]
	b, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(copied, b, 0o755) // #nosec G306 -- for nobody
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(copied)
	ask := func(uid uint32) string {
		cmd := exec.CommandContext(t.Context(), copied, "-test.run", "^TestAsked$", "-test.v")
		cmd.Env, cmd.Dir = []string{Variable + "=" + s.Name(), "ASK=1"}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	if out := ask(65534); strings.Contains(out, "sécret") || !strings.Contains(out, "not for this user") {
		t.Errorf("nobody was answered: %s", out)
	}
	if out := ask(0); !strings.Contains(out, "password sécret") {
		t.Errorf("the shell's user was not answered: %s", out)
	}
	s, _ = serve(t, 65534) // a service that is somebody else than its shell
	if out := ask(65534); !strings.Contains(out, "password sécret") {
		t.Errorf("another user's shell was not answered: %s", out)
	}
	if out := ask(0); strings.Contains(out, "sécret") {
		t.Errorf("the service's own user was answered: %s", out)
	}
}

// TestAsked is the process that asks as somebody else.
func TestAsked(t *testing.T) {
	if os.Getenv("ASK") == "" {
		t.Skip("the process of TestOtherUser")
	}
	d, err := Take(t.Context())
	if err != nil {
		t.Log(err)
		return
	}
	t.Log("password", d.Credentials.Password)
}

// One that connects and reads nothing holds nobody up for long, nor the end of the shell.
func TestSlowReader(t *testing.T) {
	d := delegated()
	d.CCache = make([]byte, maxField)
	s, err := Serve(d, uint32(os.Getuid()))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", s.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	time.Sleep(20 * time.Millisecond)
	s.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("Close took %s", took)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(delegated()))
	f.Add([]byte{0, 0, 0, 1})
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decode(bytes.NewReader(b))
		if err != nil {
			return
		}
		if out := encode(d); !bytes.HasPrefix(b, out) {
			t.Fatalf("%x becomes %x", b, out)
		}
	})
}

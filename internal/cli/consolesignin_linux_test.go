//go:build !nonats

package cli

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/casementhq/casement/casementtest"
)

// listenAs is what the process of another user has in its environment: it says yes to
// all that is asked.
const listenAs = "CASEMENT_TEST_LISTEN_AS"

func TestListenAs(t *testing.T) {
	if os.Getenv(listenAs) == "" {
		t.Skip("it is the process of another test")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("at", l.Addr())
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // it ends with the test
		fmt.Println("asked with", r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/soap+xml")
		fmt.Fprint(w, `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>`)
	}))
}

// Where the service is away and somebody else of this machine listens at its port, the
// console tells that one nothing and believes it nothing.
func TestConsoleSignInTakesNoOtherService(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a process of another user needs root")
	}
	exe, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	// The folder of the test's program may be closed to others.
	copied, err := os.CreateTemp("", "casement-listen")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(copied.Name())
	if _, err := copied.Write(exe); err != nil {
		t.Fatal(err)
	}
	if err := copied.Chmod(0o755); err != nil {
		t.Fatal(err)
	}
	copied.Close()
	c := exec.Command(copied.Name(), "-test.run=^TestListenAs$", "-test.v") // #nosec G204 -- this test's own program
	c.Env, c.Dir = append(os.Environ(), listenAs+"=1"), "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Skip("no process of another user can be made here: ", err)
	}
	defer func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}()
	lines := bufio.NewScanner(out)
	address := ""
	for address == "" && lines.Scan() {
		address, _ = strings.CutPrefix(lines.Text(), "at ")
		if address == lines.Text() {
			address = ""
		}
	}
	if address == "" {
		t.Fatal("the other process does not listen")
	}
	p := consolePeople{casementtest.New(t, casementtest.Options{}).Service.State}
	_, err = p.dialService(t.Context(), "tcp", address)
	if err == nil || !strings.Contains(err.Error(), "number 65534") {
		t.Errorf("another user's process is taken for the service: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			if c, err := l.Accept(); err == nil {
				defer c.Close()
			} else {
				return
			}
		}
	}()
	own, err := p.dialService(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("a process of this user: %v", err)
	}
	own.Close()
}

package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// impacket 0.13.1 and the permissions of DCOM: a plain account, and a local administrator whose token is filtered, before and after each
// grant. The codes are those of documents 000 (item 27) and 004 (items 4, 7 to 10, 16 to 18). See spec/wmi.md 1.4 and 1.5.
func TestImpacketPermissions(t *testing.T) {
	dcomService(t) // it tells whether there is what this takes
	interpreter := python(t, "impacket")
	s := &service{as: "with permissions", uid: os.Geteuid(), apart: true, log: &logBuffer{}}
	s.start(t)
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.log)
		}
	})
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	const password = "Gate-4711-word"
	t.Setenv("CASEMENT_PROGRAM", binary)
	t.Setenv("CASEMENT_STATE", filepath.Join(s.dir, "state"))
	t.Setenv("CASEMENT_GATE_PASSWORD", password)
	for _, words := range [][]string{{"user", "passwd", "Administrator"}, {"user", "add", "alice"}, {"user", "add", "bob"}} {
		cmd := exec.Command(binary, append(words, "--password-stdin")...) // #nosec G204 -- the test's own binary
		cmd.Stdin = strings.NewReader(password + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", words, err, out)
		}
	}
	if out, err := exec.Command(binary, "group", "add", "Administrators", "bob").CombinedOutput(); err != nil { // #nosec G204 -- likewise
		t.Fatalf("%v\n%s", err, out)
	}
	runPeer(t, s, 3*time.Minute, interpreter, "impacket_gate_peer.py")
}

package interop

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Configure-SMRemoting and the policy as other people's clients see them: pywinrm and pypsrp are refused with the documented fault, PowerShell's
// shells too, and impacket goes on over DCOM (checklist 3.12, 3.17, 3.22, 3.28; spec/winrm.md 10, statement 87).
func TestRemoteManagement(t *testing.T) {
	dcomService(t) // says why a network of its own is not to be had
	s := &service{as: "remote management", uid: os.Geteuid(), apart: true, log: &logBuffer{}}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s", s.log)
		}
	})
	s.start(t)
	for _, tool := range []string{"winrm", "pypsrp", "impacket"} {
		python(t, tool)
	}
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		state string
		line  []string
	}{
		{"on", []string{"Configure-SMRemoting.exe", "-get"}},
		{"off", []string{"Configure-SMRemoting.exe", "-disable"}},
		{"on", []string{"Configure-SMRemoting.exe", "-enable"}},
		{"off", []string{"gpedit.msc", "set", "Allow remote server management through WinRM", "disabled"}},
		{"on", []string{"gpedit.msc", "clear", "Allow remote server management through WinRM"}},
	} {
		cmd := s.command(t.Context(), binary, step.line...)
		cmd.Env = append(cmd.Env, "CASEMENT_STATE="+filepath.Join(s.dir, "state"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", step.line, err, out)
		}
		time.Sleep(time.Second) // the service follows the files
		runPeer(t, s, time.Minute, python(t, "winrm"), "remotemanagement_peer.py", step.state)
	}
}

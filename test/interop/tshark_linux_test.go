package interop

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the service and our client put on the wire, tshark 4 reads as it reads what Windows puts there: it calls nothing malformed, and finds no error,
// that it does not find in recorded Windows. It unseals what NTLM seals, but not within SPNEGO, so that our client only signs here.
func TestTsharkFindsNothingMalformed(t *testing.T) {
	s := dcomService(t)
	windows := map[string]bool{}
	recorded, err := filepath.Glob(filepath.Join(os.Getenv("CASEMENT_FIXTURES"), "pcap", "*.pcap*"))
	if err != nil || len(recorded) == 0 {
		t.Log("nothing recorded on Windows is here (CASEMENT_FIXTURES); nothing at all may be malformed")
	}
	for _, name := range recorded {
		for _, fault := range faults(t, name, "", "dcom || dcerpc") {
			windows[fault.what] = true
		}
	}
	judge := func(t *testing.T, capture, filter string) {
		if n := bytes.Count(tshark(t, capture, s.password, "-Y", "("+filter+") && dcom"), []byte("\n")); n < 10 {
			t.Errorf("tshark sees %d messages of DCOM", n)
		}
		for _, f := range faults(t, capture, s.password, filter) {
			if !windows[f.what] {
				t.Errorf("frame %s: %s\n%.3000s", f.frame, f.what, tshark(t, capture, s.password, "-V", "-O", "dcerpc,dcom,remact,oxid,remunk", "-Y", "frame.number=="+f.frame))
			}
		}
	}
	t.Run("our answers to impacket", func(t *testing.T) {
		interpreter := python(t, "impacket")
		name := captured(t, s, func() {
			cmd := s.command(t.Context(), interpreter, "impacket_peer.py")
			cmd.Env = append(cmd.Env, "CASEMENT_PEER=short")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("impacket: %v\n%s", err, out)
			}
		})
		judge(t, name, "dcerpc.pkt_type in {2, 3, 12, 13, 15}") // what servers send
	})
	t.Run("our client and our service", func(t *testing.T) {
		binary, err := program()
		if err != nil {
			t.Fatal(err)
		}
		name := captured(t, s, func() {
			for _, args := range [][]string{
				{"query", "dcom://127.0.0.1", "SELECT * FROM Win32_OperatingSystem", "--auth-level", "pktIntegrity"},
				{"query", "dcom://127.0.0.1", "SELECT ProcessId, Name FROM Win32_Process", "--auth-level", "pktIntegrity"},
				{"query", "dcom://127.0.0.1", "SELECT * FROM meta_class WHERE __this ISA 'CIM_LogicalDevice'", "--auth-level", "pktIntegrity"},
			} {
				if out, err := s.command(t.Context(), binary, args...).CombinedOutput(); err != nil {
					t.Errorf("%q: %v\n%.1000s", args, err, out)
				}
			}
		})
		judge(t, name, "dcerpc || dcom")
	})
}

// fault is what tshark says about a frame.
type fault struct{ frame, what string }

// faults are the malformed frames, and those with an error, among those of a filter.
func faults(t *testing.T, capture, password, filter string) []fault {
	var list []fault
	for line := range strings.Lines(string(tshark(t, capture, password, "-Y", "("+filter+") && (_ws.malformed || _ws.expert.severity >= 8388608)",
		"-T", "fields", "-E", "separator=\t", "-e", "frame.number", "-e", "_ws.malformed", "-e", "_ws.expert.message"))) {
		frame, what, _ := strings.Cut(strings.TrimSpace(line), "\t")
		list = append(list, fault{frame, what})
	}
	return list
}

// tshark reads a capture. The password is in a file of preferences, as it is no argument.
func tshark(t *testing.T, capture, password string, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "preferences"), []byte("ntlmssp.nt_password: "+password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "tshark", append([]string{"-r", capture}, args...)...)
	cmd.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.String())
	}
	return out
}

// captured is a file with the packets of the service's network while do runs.
func captured(t *testing.T, s *service, do func()) string {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		absent(t, "tshark is missing")
	}
	name := filepath.Join(t.TempDir(), "packets.pcap")
	said := &logBuffer{}
	cmd := s.command(t.Context(), "tshark", "-i", "lo", "-q", "-w", name, "-f", "tcp")
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	begun := func() bool { return strings.Contains(said.String(), "Capture started") }
	for until := time.Now().Add(20 * time.Second); !begun() && time.Now().Before(until); {
		time.Sleep(20 * time.Millisecond)
	}
	if !begun() {
		t.Errorf("tshark has not begun: %s", said)
	}
	do()
	time.Sleep(500 * time.Millisecond) // the kernel hands packets over in blocks
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil && !slices.Contains([]int{0, 2}, cmd.ProcessState.ExitCode()) {
		t.Errorf("tshark: %v\n%s", err, said)
	}
	return name
}

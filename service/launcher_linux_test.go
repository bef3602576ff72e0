package service

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// The process that Win32_Process.Create names is the program, as /proc tells it, not a shell that waits for it.
func TestCommandLineBecomesTheProgram(t *testing.T) {
	for line, want := range map[string]string{
		"/bin/sleep 30":                "/bin/sleep\x0030\x00",
		"sleep 30":                     "sleep\x0030\x00",
		"sleep '30' \"$SECONDS_MORE\"": "sleep\x0030\x000\x00",
		"sleep 30 >/dev/null":          "sleep\x0030\x00",
	} {
		t.Run(line, func(t *testing.T) {
			cmd := exec.Command("/bin/sh", "-c", direct(line))
			cmd.Env = append(os.Environ(), "SECONDS_MORE=0")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()         //nolint:errcheck // it is killed
			defer cmd.Process.Kill() //nolint:errcheck // the same
			got := ""
			for deadline := time.Now().Add(5 * time.Second); got != want && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
				b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
				got = string(b)
			}
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
	// What only a shell can do is left to it.
	for _, line := range []string{"sleep 1; true", "A=1 env", "cd /", "true && true", "powershell -c 1", "(true)", "while true", "'/bin/a b' c"} {
		if got := direct(line); got != line {
			t.Errorf("%q becomes %q", line, got)
		}
	}
}

package wsmanclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dialTo(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// The recordings are of a Windows host. What the commands printed is read off
// the base64 of the recorded answers.
func TestShellAgainstRecordedWindows(t *testing.T) {
	for _, test := range []struct {
		file   string
		shell  wsmanclient.ShellOptions
		run    wsmanclient.CommandOptions
		input  []string
		stdout string // "…" at an end: only the beginning, or the end, counts
		stderr string
		code   uint32
	}{
		{file: "test_winrs_standard.yml", run: wsmanclient.CommandOptions{Command: "cmd.exe", Arguments: []string{"/c", "echo", "hi"}},
			stdout: "hi\r\n"},
		{file: "test_winrs_stderr_rc.yml", run: wsmanclient.CommandOptions{Command: "cmd.exe",
			Arguments: []string{"/c echo out && echo err>&2 && exit 1"}}, stdout: "out \r\n", stderr: "err \r\n", code: 1},
		{file: "test_winrs_send.yml", run: wsmanclient.CommandOptions{Command: "powershell.exe", Arguments: []string{"-"}},
			stdout: "output 1\noutput 2\n"},
		{file: "test_winrs_extra_opts.yml", shell: wsmanclient.ShellOptions{Name: "shell 1", WorkingDirectory: `C:\Windows`,
			IdleTimeout: time.Minute, Lifetime: time.Minute},
			run: wsmanclient.CommandOptions{Command: "powershell.exe", Arguments: []string{"(pwd).Path"}}, stdout: "C:\\Windows\r\n"},
		{file: "test_winrs_noprofile.yml", shell: wsmanclient.ShellOptions{NoProfile: true},
			run: wsmanclient.CommandOptions{Command: "cmd.exe", Arguments: []string{"/c", "set"}}, stdout: "ALLUSERSPROFILE=C:\\ProgramData\r\n…"},
		{file: "test_winrs_operation_timeout.yml", run: wsmanclient.CommandOptions{Command: "powershell.exe",
			Arguments: []string{"Write-Host hi; Start-Sleep 30; Write-Host hi again"}}, stdout: "hi\nhi again\n"},
		{file: "test_winrs_environment.yml", shell: wsmanclient.ShellOptions{Environment: []winrs.Variable{{Name: "env1", Value: "var1"},
			{Name: "1234", Value: "5678"}, {Name: "_-(){}[]<>*+-/\\?\"!@#$^&|;:i,.`~0", Value: "_-(){}[]<>*+-/\\?\"!@#$^&|;:i,.`~0"}}},
			run:    wsmanclient.CommandOptions{Command: "cmd.exe", Arguments: []string{"/c", "set"}},
			stdout: "1234=5678\r\n…"},
		{file: "test_winrs_unicode.yml", shell: wsmanclient.ShellOptions{CodePage: 65001}, run: wsmanclient.CommandOptions{Command: "powershell.exe", Arguments: []string{"Write-Host こんにちは"}},
			stdout: "こんにちは\n"},
	} {
		t.Run(strings.TrimSuffix(test.file, ".yml"), func(t *testing.T) {
			c := replay(t, test.file)
			s, err := c.CreateShell(t.Context(), test.shell)
			if err != nil {
				t.Fatal(err)
			}
			if info := s.Info(); info.Owner != "vagrant" || info.ShellID != s.ID() {
				t.Errorf("the shell belongs to %q and is %q, want vagrant and %q", info.Owner, info.ShellID, s.ID())
			}
			cmd, err := s.Start(t.Context(), test.run)
			if err != nil {
				t.Fatal(err)
			}
			if test.file == "test_winrs_send.yml" {
				send(t, cmd)
			}
			stdout, err1 := io.ReadAll(cmd.Stdout)
			stderr, err2 := io.ReadAll(cmd.Stderr)
			code, err := cmd.Wait(t.Context())
			if err = errors.Join(err, err1, err2); err != nil {
				t.Fatal(err)
			}
			if !fits(string(stdout), test.stdout) || string(stderr) != test.stderr || code != test.code {
				t.Errorf("stdout %q, stderr %q, exit code %d; want %q, %q, %d", stdout, stderr, code, test.stdout, test.stderr, test.code)
			}
			if err := errors.Join(cmd.Close(), s.Close(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
}

// send writes the two pieces of the recording, the second with the end.
func send(t *testing.T, cmd *wsmanclient.Command) {
	t.Helper()
	if _, err := cmd.Stdin.Write([]byte(`Write-Host "output 1";`)); err != nil {
		t.Error(err)
	}
	if err := cmd.WriteEnd([]byte(`Write-Host "output 2";`)); err != nil {
		t.Error(err)
	}
}

func fits(got, want string) bool {
	if before, found := strings.CutSuffix(want, "…"); found {
		return strings.HasPrefix(got, before)
	}
	return got == want
}

// A recorded Command that Windows refuses: its fault carries a Win32 code.
func TestRecordedFaultOfCommand(t *testing.T) {
	c := replay(t, "test_winrs_no_cmd_shell.yml")
	s, err := c.CreateShell(t.Context(), wsmanclient.ShellOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o := wsmanclient.CommandOptions{Command: "powershell.exe", Arguments: []string{"Write-Host", "hi"}, SkipShell: true}
	_, err = s.Start(t.Context(), o)
	var f *wsman.Fault
	if !errors.As(err, &f) || !f.Remote || !errors.Is(err, wsman.Code(0x80070002)) {
		t.Errorf("Start: %v, want the fault with 0x80070002", err)
	}
	o.Command = `C:\Windows\system32\WindowsPowerShell\v1.0\powershell.exe`
	var out strings.Builder
	o.Stdout = &out
	if code, err := s.Run(t.Context(), o, nil); err != nil || code != 0 || out.String() != "hi\n" {
		t.Errorf("Run: %d, %v, %q", code, err, out.String())
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRecordedShellWithoutCommand(t *testing.T) {
	c := replay(t, "test_winrs_open_already_opened.yml")
	s, err := c.CreateShell(t.Context(), wsmanclient.ShellOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if _, err := s.Start(t.Context(), wsmanclient.CommandOptions{Command: "x"}); err == nil {
		t.Error("a closed shell starts a command")
	}
}

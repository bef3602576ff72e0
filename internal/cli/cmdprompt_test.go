package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSplitLine(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		// The examples of the documentation of CommandLineToArgvW and of the C run-time's argument parsing.
		{`"a b c" d e`, []string{"a b c", "d", "e"}},
		{`"ab\"c" "\\" d`, []string{`ab"c`, `\`, "d"}},
		{`a\\\b d"e f"g h`, []string{`a\\\b`, "de fg", "h"}},
		{`a\\\"b c d`, []string{`a\"b`, "c", "d"}},
		{`a\\\\"b c" d e`, []string{`a\\b c`, "d", "e"}},
		// Lines of the checklist.
		{`C:\Windows\system32\Configure-SMRemoting.exe -enable`, []string{`C:\Windows\system32\Configure-SMRemoting.exe`, "-enable"}},
		{`winrm set winrm/config/client @{TrustedHosts ="a, b"; X="}"} -r:h`, []string{"winrm", "set", "winrm/config/client", `@{TrustedHosts ="a, b"; X="}"}`, "-r:h"}},
		{`netsh add rule name ="WMI" program=C:\x\svchost.exe`, []string{"netsh", "add", "rule", "name", "=WMI", `program=C:\x\svchost.exe`}},
		{`echo ^> ^^ "a|b" ""`, []string{"echo", ">", "^", "a|b", ""}},
		{"  \t ", nil},
	} {
		got, err := splitLine(c.line)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q (%v)", c.line, got, c.want, err)
		}
	}
	for _, bad := range []string{"a | b", "a > b", "a & b", "a < b", `a "b`, `a"b"" c d`, "a @{b", `a @{b="}`} {
		if got, err := splitLine(bad); err == nil {
			t.Errorf("%s: %q", bad, got)
		}
	}
}

func FuzzSplitLine(f *testing.F) {
	f.Add(`a\\\"b "c d" @{x="}"} ^| %windir%`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitLine(lineVars{}.expand(line))
		if n := len(strings.Join(words, "")); err == nil && n > len(lineVars{}.expand(line)) {
			t.Errorf("%q became %q", line, words)
		}
	})
}

func TestExpand(t *testing.T) {
	t.Setenv("CASEMENT_TEST_VAR", "v")
	v := lineVars{"mine": "m"}
	for in, want := range map[string]string{
		`%windir%\x %SystemRoot%`:          `C:\Windows\x C:\Windows`,
		`%MINE%%mine%`:                     "mm",
		`%CASEMENT_TEST_VAR% %none% 5% %%`: "v %none% 5% %%",
		`%`:                                "%",
	} {
		if got := v.expand(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestCmdPrompt(t *testing.T) {
	state(t)
	script := strings.Join([]string{
		"\ufeff@echo off", "rem a > comment that is not run", ":: another", "",
		`reg add HKLM\SOFTWARE\Test /v Path /d "%windir%\system32" /f`,
		`%windir%\system32\REG.EXE query HKEY_LOCAL_MACHINE \ SOFTWARE \ Test /v path`,
		"set NAME=WinRMRemoteWMIUsers__",
		`net localgroup %name%`,
		`casement user ^`, `list -o csv`,
		"echo done \"here\"",
	}, "\r\n")
	r := cli(t, script, "casement", "cmd").want(t, 0, `    Path    REG_SZ    C:\Windows\system32`, "Group    WinRMRemoteWMIUsers__", "Administrator,S-1-5-21-", `done "here"`)
	if strings.Contains(r.out, "comment") || r.err != "" {
		t.Errorf("%q %q", r.out, r.err)
	}
	file := filepath.Join(t.TempDir(), "x.cmd")
	if err := os.WriteFile(file, []byte("reg query HKLM\\None\necho on we go\nfrob /x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cli(t, "", "casement", "cmd", file).want(t, 49, "not there", "on we go", "frob is not a command")
	if r := cli(t, "", "casement", "cmd", "-e", file).want(t, 1); strings.Contains(r.out, "on we go") {
		t.Error("-e goes on")
	}
	cli(t, "exit /b 7\necho no", "casement", "cmd").want(t, 7)
	cli(t, "reg query HKLM | more", "casement", "cmd").want(t, 1, "pipes")
	cli(t, "net user x frob\nexit", "casement", "cmd").want(t, 2)
	cli(t, "reg query HKLM\\None\nexit 0", "casement", "cmd").want(t, 0)
	// What follows a line is left to the command that asks.
	cli(t, "reg add HKLM\\A /v b /d 1\nreg delete HKLM\\A\nyes\nreg query HKLM\\A", "casement", "cmd").want(t, 1, "Done: deleted", "HKEY_LOCAL_MACHINE\\A is not there")
}

package winrstool

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
)

// The documented command lines of spec section 2.
func TestDocumentedLines(t *testing.T) {
	for _, c := range []struct {
		args []string
		want Command
		at   string
	}{
		{[]string{"/r:https://contoso.com", "command"}, Command{Remote: "https://contoso.com", HasRemote: true, Line: "command"}, "https://contoso.com"},
		{[]string{"/r:contoso.com", "/usessl", "command"}, Command{Remote: "contoso.com", HasRemote: true, SSL: true, Line: "command"}, "https://contoso.com"},
		{[]string{"/r:http://169.51.2.101:80", "/unencrypted", "command"}, Command{Remote: "http://169.51.2.101:80", HasRemote: true, Unencrypted: true, Line: "command"}, "http://169.51.2.101:80"},
		{[]string{"/r:https://[::FFFF:129.144.52.38]", "command"}, Command{Remote: "https://[::FFFF:129.144.52.38]", HasRemote: true, Line: "command"}, "https://[::FFFF:129.144.52.38]"},
		{[]string{"/r:https://contoso.com", "/t:600", "/u:administrator", "/p:$%fgh7", "ipconfig"},
			Command{Remote: "https://contoso.com", HasRemote: true, User: "administrator", HasUser: true, Password: "$%fgh7", HasPassword: true, Line: "ipconfig"}, "https://contoso.com"},
		{[]string{"/r:myserver", "/env:path=%path%;c:\\tools", "/env:TEMP=d:\\temp", "config.cmd"},
			Command{Remote: "myserver", HasRemote: true, Environment: []winrs.Variable{{Name: "path", Value: "%path%;c:\\tools"}, {Name: "TEMP", Value: "d:\\temp"}}, Line: "config.cmd"}, "myserver"},
		{[]string{"/r:myserver", "netdom", "join", "myserver", "/domain:testdomain", "/userd:johns", "/passwordd:x"},
			Command{Remote: "myserver", HasRemote: true, Line: "netdom join myserver /domain:testdomain /userd:johns /passwordd:x"}, "myserver"},
		{[]string{"-Remote:m", "-NOECHO", "-nop", "-Dir:c:\\x", "dir", "-r:other"},
			Command{Remote: "m", HasRemote: true, NoEcho: true, NoProfile: true, Directory: "c:\\x", hasDirectory: true, Line: "dir -r:other"}, "m"},
		{[]string{"hostname"}, Command{Line: "hostname"}, "localhost"},
		{[]string{`dir "a b"`}, Command{Line: `dir "a b"`}, "localhost"},
		{[]string{"dir", "a b", `"c d"`, ""}, Command{Line: `dir "a b" "c d" ""`}, "localhost"},
	} {
		got, err := Parse(c.args)
		if err != nil || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%q: %#v %v", c.args, got, err)
			continue
		}
		if at, err := got.endpoint(); at != c.at || err != nil {
			t.Errorf("%q: %s %v", c.args, at, err)
		}
	}
}

func TestRefused(t *testing.T) {
	var wrong *UsageError
	for _, line := range []string{"/r:h /zz dir", "/r: dir", "/r dir", "/r:h", "/usessl:1 dir", "/r:h /r:i dir", "/t:soon dir", "/env:x dir", "/env:=x dir",
		"/r:h /compression dir", "/r:h /comp dir", "/un", "/ssl"} {
		if _, err := Parse(strings.Fields(line)); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if _, err := Parse([]string{"/r:h", "/p:secret", "dir"}); !errors.Is(err, wsman.CodeUserNameAndPasswordNeeded) || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	t.Setenv("KRB5CCNAME", "FILE:"+t.TempDir()+"/none") // whoever tests may have tickets
	for _, line := range []string{"/r:h /allowdelegate dir", "/r:h /ad dir"} {
		c, err := Parse(strings.Fields(line))
		if err == nil {
			_, err = new(Tool).open(t.Context(), c)
		}
		if !errors.Is(err, codeCredSSPCredentials) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if c, err := Parse(strings.Fields("/r:h /ad /u:a /p:b dir")); err != nil || !c.Delegate {
		t.Error(err)
	}
	c, err := Parse([]string{"/r:http://h", "/usessl", "dir"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.endpoint(); !errors.Is(err, codeUseSSL) {
		t.Error(err)
	}
	for _, args := range [][]string{nil, {"/?"}, {"-?"}} {
		if c, err := Parse(args); err != nil || !c.Help {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// FuzzParse checks that the command is never looked into.
func FuzzParse(f *testing.F) {
	f.Add("/r:h\x00/u:x", "netdom /x:y")
	f.Add("-env:a=b\x00/t:6", "dir")
	f.Fuzz(func(t *testing.T, switches, command string) {
		if len(command) < 2 || command[0] == '/' || command[0] == '-' || strings.TrimSpace(command) == "" {
			return
		}
		var args []string
		for _, s := range strings.Split(switches, "\x00") {
			if len(s) > 1 && (s[0] == '/' || s[0] == '-') {
				args = append(args, s)
			}
		}
		c, err := Parse(append(args, command))
		if err == nil && !c.Help && c.Line != command {
			t.Fatalf("%q became %q", command, c.Line)
		}
	})
}

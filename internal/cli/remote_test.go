package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
)

// server is a running service with an entry "srv" in a hosts file of its own.
func server(t *testing.T) *casementtest.Server {
	t.Helper()
	s := casementtest.New(t, casementtest.Options{Users: map[string]string{"alice": "alice's password"}})
	t.Setenv("CASEMENT_HOSTS", filepath.Join(t.TempDir(), "hosts.json"))
	t.Setenv("CASEMENT_STATE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("CASEMENT_USER", "")
	t.Setenv("CASEMENT_PASSWORD", "")
	cli(t, s.Password+"\n", "casement", "hosts", "add", "srv", s.HTTP, "--user", s.User, "--password-stdin").want(t, 0)
	return s
}

func TestQueryFormats(t *testing.T) {
	server(t)
	const q = "SELECT Name, Handle, ProcessId, TerminationDate, CreationDate FROM Win32_Process WHERE ProcessId = 1"
	var list []map[string]any
	r := cli(t, "", "casement", "query", "srv", q, "-o", "json").want(t, 0)
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v in %s", err, r.out)
	}
	if p := list[0]; p["ProcessId"] != 1.0 || p["Handle"] != "1" || p["TerminationDate"] != nil || !strings.HasPrefix(p["CreationDate"].(string), "20") {
		t.Errorf("%v", p)
	}
	rows, err := csv.NewReader(strings.NewReader(cli(t, "", "casement", "query", "srv", q, "-o", "csv").want(t, 0).out)).ReadAll()
	if err != nil || len(rows) != 2 || len(rows[0]) != 5 {
		t.Errorf("%v %q", err, rows)
	}
	cli(t, "", "casement", "query", "srv", q).want(t, 0, "Name", "ProcessId")
	cli(t, "", "casement", "query", "srv", q, "-o", "xml").want(t, 0, `<PROPERTY NAME="ProcessId" TYPE="uint32"><VALUE>1</VALUE></PROPERTY>`)
}

func TestQueryFailures(t *testing.T) {
	srv := server(t)
	cli(t, "", "casement", "query", "srv", "SELECT * FROM").want(t, 1, "srv: ", "0x80041017")
	cli(t, "", "casement", "query", "srv", "SELECT * FROM Win32_Nothing").want(t, 1, "0x80041010")
	cli(t, "", "casement", "query", "srv", "-n", "root/none", "SELECT * FROM Win32_Process").want(t, 1, "0x8004100E")
	cli(t, "", "casement", "query", "srv").want(t, 2, "one query")
	cli(t, "", "casement", "query").want(t, 2)
	cli(t, "", "casement", "query", srv.HTTP, "-u", "alice", "SELECT * FROM Win32_Process").want(t, 1, "CASEMENT_PASSWORD")
	t.Setenv("CASEMENT_PASSWORD", "wrong")
	cli(t, "", "casement", "query", srv.HTTP, "-u", "alice", "SELECT Name FROM Win32_OperatingSystem").want(t, 1, "0x80041003", "wrong password")
	t.Setenv("CASEMENT_PASSWORD", srv.Password)
	cli(t, "", "casement", "query", srv.HTTP, "-u", srv.User, "SELECT Version FROM Win32_OperatingSystem").want(t, 0, "Version")
}

func TestQueryManyHosts(t *testing.T) {
	srv := server(t)
	cli(t, srv.Password+"\n", "casement", "hosts", "add", "twin", srv.HTTP, "--user", srv.User, "--password-stdin").want(t, 0)
	cli(t, "x\n", "casement", "hosts", "add", "down", "http://127.0.0.1:1/wsman", "--user", "u", "--password-stdin").want(t, 0)
	list := filepath.Join(t.TempDir(), "hosts.txt")
	if err := os.WriteFile(list, []byte("srv twin # both\n\ndown\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := cli(t, "", "casement", "query", "--hosts", list, "SELECT Version FROM Win32_OperatingSystem", "-o", "json").want(t, 1, "1 of 3 hosts failed", "down")
	var rows []struct{ Host, Version string }
	if err := json.Unmarshal([]byte(r.out), &rows); err != nil || len(rows) != 2 || rows[0].Host == rows[1].Host || rows[0].Version != rows[1].Version {
		t.Errorf("%v %+v", err, rows)
	}
	if strings.Contains(r.out, "down") || !strings.Contains(r.err, "0x80338112") {
		t.Errorf("stdout %s\nstderr %s", r.out, r.err)
	}
	cli(t, "", "casement", "query", "srv,twin", "SELECT Version FROM Win32_OperatingSystem").want(t, 0, "Host", "twin")
}

func TestGetAndInvoke(t *testing.T) {
	server(t)
	cli(t, "", "casement", "get", "srv", `Win32_Process.Handle="1"`, "-p", "Handle,ProcessId").want(t, 0, "Handle", "1")
	cli(t, "", "casement", "get", "srv", `root/cimv2:Win32_Process.Handle="1"`).want(t, 0, "ProcessId")
	cli(t, "", "casement", "get", "srv", `Win32_Process.Handle="0x"`).want(t, 1, "0x80041002")
	cli(t, "", "casement", "get", "srv", "Win32_OperatingSystem", "-o", "list").want(t, 0, "LastBootUpTime")
	cli(t, "", "casement", "get", "srv", "a.b").want(t, 2, "cannot be read")
	var got []map[string]any
	r := cli(t, "", "casement", "invoke", "srv", "Win32_Process", "Create", "CommandLine=sleep 30", "-o", "json").want(t, 0)
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || len(got) != 1 || fmt.Sprint(got[0]["ReturnValue"]) != "0" {
		t.Fatalf("%v %s", err, r.out)
	}
	path := fmt.Sprintf(`Win32_Process.Handle="%v"`, got[0]["ProcessId"])
	cli(t, "", "casement", "get", "srv", path, "-p", "CommandLine").want(t, 0, "sleep 30")
	cli(t, "", "casement", "invoke", "srv", path, "Terminate", "Reason=0").want(t, 0, "ReturnValue : 0")
	cli(t, "", "casement", "invoke", "srv", path, "Explode").want(t, 1, "srv: ")
	cli(t, "", "casement", "invoke", "srv", path, "Terminate", "Reason=soon").want(t, 2, "uint32")
	cli(t, "", "casement", "invoke", "srv", path, "Terminate", "Reason").want(t, 2, "NAME=VALUE")
}

// classes is a session that knows one class.
type classes struct {
	cim.Session
	class *cim.Class
}

func (c classes) GetClass(context.Context, string, cim.GetOptions) (*cim.Class, error) {
	if c.class == nil {
		return nil, &cim.Error{Status: cim.ErrNotSupported}
	}
	return c.class, nil
}

func TestInvokeTypes(t *testing.T) {
	class := cim.NewClass("C", nil).StaticMethod("M", cim.Uint32, cim.In("N", cim.Uint8), cim.In("List", cim.Sint16.Array()), cim.In("On", cim.Boolean)).Build(`root\cimv2`)
	given, err := parseArguments([]string{"n=7", "list=1", "LIST=-2", "On=true"})
	if err != nil {
		t.Fatal(err)
	}
	in, err := typedArguments(context.Background(), classes{class: class}, "C", "m", given)
	want := cim.Array(cim.Sint16, []cim.Value{cim.S16(1), cim.S16(-2)})
	if err != nil || !in.Get("N").Equal(cim.U8(7)) || in[0].Name != "N" || !in.Get("List").Equal(want) || !in.Get("On").Equal(cim.Bool(true)) {
		t.Errorf("%v %v", in, err)
	}
	for _, bad := range [][]string{{"N=256"}, {"N=soon"}, {"N=1", "N=2"}, {"Other=1"}} {
		given, err := parseArguments(bad)
		if err != nil {
			t.Fatal(err)
		}
		if in, err := typedArguments(context.Background(), classes{class: class}, "C", "M", given); err == nil {
			t.Errorf("%v gives %v", bad, in)
		}
	}
	if _, err := typedArguments(context.Background(), classes{class: class}, "C", "Explode", given); err == nil || !strings.Contains(err.Error(), "it has M") {
		t.Errorf("unknown method: %v", err)
	}
	if in, err := typedArguments(context.Background(), classes{}, "C", "M", given); err != nil || !in.Get("n").Equal(cim.Text("7")) {
		t.Errorf("without class: %v %v", in, err)
	}
}

func TestRun(t *testing.T) {
	server(t)
	if r := cli(t, "", "casement", "run", "srv", "--", "echo", "out;", "echo err >&2;", "exit 7").want(t, 7); r.out != "out\n" || r.err != "err\n" {
		t.Errorf("stdout %q, stderr %q", r.out, r.err)
	}
	in := strings.Repeat("0123456789abcdef\n", 60000) // a megabyte, above one message
	if r := cli(t, in, "casement", "run", "srv", "--", "cat").want(t, 0); r.out != in {
		t.Errorf("cat gives %d bytes of %d", len(r.out), len(in))
	}
	cli(t, "", "casement", "run", "srv", "-e", "GREETING=gruß", "-d", "/", "--", "pwd; echo $GREETING").want(t, 0, "/\ngruß\n")
	cli(t, "", "casement", "run", "srv", "--", "exit 256").want(t, 0)
	cli(t, "", "casement", "run", "srv").want(t, 2)
	cli(t, "", "casement", "run", "srv", "--timeout", "300ms", "--", "sleep 20").want(t, 1, "300ms")
	cli(t, "ignored", "casement", "run", "-N", "srv", "--", "wc -c").want(t, 0, "0")
}

// Without a running service this machine answers in the process of the tool.
func TestQueryHere(t *testing.T) {
	dir := state(t)
	cli(t, "", "casement", "query", ".", "SELECT ProcessId FROM Win32_Process WHERE ProcessId = 1", "-o", "json").want(t, 0, `{"ProcessId":1}`)
	cli(t, "", "casement", "get", ".", `Win32_Process.Handle="1"`, "-p", "Handle", "-o", "csv").want(t, 0, "Handle\n1\n")
	cli(t, "", "casement", "run", ".", "--", "true").want(t, 1, "casement up")
	// The socket of a service that was killed leads nowhere.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "local.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	cli(t, "", "casement", "query", ".", "SELECT ProcessId FROM Win32_Process WHERE ProcessId = 1", "-o", "json").want(t, 0, `{"ProcessId":1}`)
}

// A command runs as the Unix user that its caller is mapped to, from the next shell on.
func TestMappedUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process as another user")
	}
	srv := server(t)
	forgetPolicy(t, srv.Service.State.Dir)
	for _, unix := range []string{"daemon", "nobody"} {
		cli(t, "", "casement", "user", "map", srv.User, "--unix", unix, "--state", srv.Service.State.Dir).want(t, 0)
		if r := cli(t, "", "casement", "run", "srv", "--", "id -un; id -Gn | grep -w root").want(t, 1); r.out != unix+"\n" {
			t.Errorf("mapped to %s, the command runs as %q (%s)", unix, r.out, r.err)
		}
	}
	cli(t, "", "casement", "user", "map", srv.User, "--state", srv.Service.State.Dir).want(t, 0)
	if r := cli(t, "", "casement", "run", "srv", "--", "id -un"); r.code == 0 {
		t.Errorf("without a mapping a command ran as %q", r.out)
	}
}

// Each wrong end gets an error that names the layer.
func TestWrongEnds(t *testing.T) {
	srv := server(t)
	t.Setenv("CASEMENT_USER", srv.User)
	t.Setenv("CASEMENT_PASSWORD", srv.Password)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"identify", strings.Replace(srv.HTTP, "http:", "https:", 1)}, 1, "does not speak TLS"},
		{[]string{"identify", strings.Replace(srv.HTTPS, "https:", "http:", 1)}, 1, "use https://"},
		{[]string{"identify", srv.HTTPS}, 1, "issuer that this machine does not trust"},
		{[]string{"identify", "http://127.0.0.1:1/wsman"}, 1, "nothing listens"},
		{[]string{"identify", "http://no-such-host.invalid/wsman"}, 1, "cannot be resolved"},
		{[]string{"identify", "dcom://srv"}, 1, "winrm://srv"},
		{[]string{"get", "srv", "Win32_Nothing.A=1"}, 1, "0x80041010"},
		{[]string{"get", "srv", `Win32_Process.Nix="1"`}, 1, "Nix is not a key"},
		{[]string{"query", "srv", "SELECT Nix FROM Win32_Process"}, 1, "column 8"},
		{[]string{"run", "srv", "-d", "/no/such/dir", "--", "pwd"}, 1, "0x80070002"},
		{[]string{"run", "srv", "--codepage", "1", "--", "pwd"}, 1, "0x80338140"},
		{[]string{"identify", "srv", "--unencrypted"}, 1, "AllowUnencrypted"},
		{[]string{"identify", "srv", "--operation-timeout", "-1s"}, 2, "above zero"},
		{[]string{"identify", "srv", "--pin", "12"}, 1, "64 hexadecimal"},
		{[]string{"identify", "srv", "--ca", "/no/such/file"}, 1, "/no/such/file"},
	} {
		r := cli(t, "", append([]string{"casement"}, c.args...)...).want(t, c.code, c.want)
		if r.out != "" || strings.Contains(r.err, srv.Password) {
			t.Errorf("%q: stdout %q, stderr %q", c.args, r.out, r.err)
		}
	}
}

func TestRunManyHosts(t *testing.T) {
	srv := server(t)
	cli(t, srv.Password+"\n", "casement", "hosts", "add", "twin", srv.HTTP, "--user", srv.User, "--password-stdin").want(t, 0)
	r := cli(t, "unused", "casement", "run", "srv,twin", "--", "cat; echo one; printf two").want(t, 0)
	for _, host := range []string{"srv", "twin"} {
		if strings.Count(r.out, host+": one\n") != 1 || strings.Count(r.out, host+": two\n") != 1 || len(r.out) != 2*len("srv: one\nsrv: two\n")+2 {
			t.Errorf("%q", r.out)
		}
	}
	list := filepath.Join(t.TempDir(), "hosts.txt")
	if err := os.WriteFile(list, []byte("srv\ntwin\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cli(t, "", "casement", "run", "--hosts", list, "--", "exit 4").want(t, 1, "2 of 2 hosts failed", "exit code 4")
	cli(t, "", "casement", "run", "srv,twin").want(t, 2, "command is missing")
}

func TestPS(t *testing.T) {
	server(t)
	cli(t, "", "casement", "ps", "srv").want(t, 2, "script is missing")
	cli(t, "", "casement", "ps", "srv", "--", strings.Repeat("x", 5000)).want(t, 1, "room for", "casement cp")
	if r := cli(t, "", "casement", "ps", "srv", "-e", "PATH=/usr/bin:/bin", "--", "Get-Process"); r.code == 0 || !strings.Contains(r.err, "PowerShell is not installed") {
		t.Errorf("without pwsh: %d %q %q", r.code, r.out, r.err)
	}
	// A stand-in for pwsh decodes the script with iconv and answers as PowerShell does.
	dir, err := os.MkdirTemp("", "casement-ps-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	script := `#!/bin/sh
for last; do :; done
printf '%s' "$last" | base64 -d | iconv -f UTF-16LE -t UTF-8
cat
printf '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><S S="Error">not_x0020_good_x000A_</S></Objs>' >&2
exit 3
`
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "pwsh"), []byte(script), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + dir + ":/usr/bin:/bin"
	if r := cli(t, "<input>", "casement", "ps", "srv", "-e", path, "--", `Write-Host "é 😀" | %`, "{ $_ }").want(t, 3); r.out != `Write-Host "é 😀" | % { $_ }<input>` || r.err != "not good\n" {
		t.Errorf("%q %q", r.out, r.err)
	}
	if r := cli(t, "\uFEFFfrom stdin", "casement", "ps", "srv", "-e", path, "-f", "-").want(t, 3); r.out != "from stdin" {
		t.Errorf("%q", r.out)
	}
	cli(t, "", "casement", "ps", "srv", "-f", "/no/such/file").want(t, 1, "/no/such/file")
	cli(t, "", "casement", "ps", "srv", "-f", "-", "--", "x").want(t, 2, "exclude")
}

func TestIdentifyAndTrace(t *testing.T) {
	srv := server(t)
	cli(t, "", "casement", "identify", "srv").want(t, 0, "ProtocolVersion", "wsman.xsd")
	cli(t, "", "casement", "identify", srv.HTTP, "--anonymous", "-o", "json").want(t, 0, "ProductVendor")
	file := filepath.Join(t.TempDir(), "soap.xml")
	r := cli(t, "", "casement", "query", "srv", "SELECT Version FROM Win32_OperatingSystem", "--trace", "--trace-soap", file).want(t, 0, "tcp", "connected to 127.0.0.1", "auth", "answer")
	if !strings.Contains(r.err, "sealed: true") || strings.Contains(r.err, srv.Password) {
		t.Errorf("%s", r.err)
	}
	b, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(b, []byte("SELECT Version")) || bytes.Contains(b, []byte(srv.Password)) {
		t.Errorf("%v in %s", err, b)
	}
	cli(t, "", "casement", "identify", "srv", "--trace-soap", file).want(t, 1, "new file")
}

func TestTLSFlags(t *testing.T) {
	srv := server(t)
	t.Setenv("CASEMENT_USER", srv.User)
	t.Setenv("CASEMENT_PASSWORD", srv.Password)
	cli(t, "", "casement", "identify", srv.HTTPS).want(t, 1, "certificate")
	cli(t, "", "casement", "identify", srv.HTTPS, "--pin", srv.Thumbprint).want(t, 0)
	cli(t, "", "casement", "identify", srv.HTTPS, "--pin", strings.Repeat("00", 32)).want(t, 1, "pinned")
	cli(t, "", "casement", "identify", srv.HTTPS, "--insecure-skip-verify").want(t, 0, "warning", "not checked")
	certs, err := filepath.Glob(filepath.Join(srv.Service.State.Dir, "certificates", "*.pem"))
	if err != nil || len(certs) != 1 {
		t.Fatal(err, certs)
	}
	cli(t, "", "casement", "identify", srv.HTTPS, "--ca", certs[0]).want(t, 0)
	cli(t, "", "casement", "identify", srv.HTTPS, "--ca", "/dev/null").want(t, 1, "no certificate in PEM")
	cli(t, "", "casement", "identify", srv.HTTPS, "--auth", "Basic", "--pin", srv.Thumbprint).want(t, 1, "it offers Negotiate")
	srv.Set("Service/Auth/Basic", "true")
	cli(t, "", "casement", "identify", srv.HTTPS, "--auth", "Basic", "--pin", srv.Thumbprint).want(t, 0)
	cli(t, "", "casement", "identify", srv.HTTPS, "--auth", "frob").want(t, 2, "Negotiate, Kerberos, CredSSP, Basic, Digest or Certificate")
}

func TestHosts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h.json")
	t.Setenv("CASEMENT_HOSTS", path)
	cli(t, "pw\n", "casement", "hosts", "add", "web1", "https://h:5986/wsman", "--user", "u", "--password-stdin", "--pin", "ab").want(t, 0)
	cli(t, "", "casement", "hosts", "add", "web2").want(t, 0)
	r := cli(t, "", "casement", "hosts", "list").want(t, 0, "web1", "https://h:5986/wsman", "web2")
	if strings.Contains(r.out, "pw") {
		t.Error("the password is listed")
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi, err)
	}
	cli(t, "", "casement", "hosts", "remove", "WEB1").want(t, 0)
	cli(t, "", "casement", "hosts", "remove", "web1").want(t, 1, "not in")
	cli(t, "", "casement", "hosts", "add", "a,b").want(t, 2)
	cli(t, "x\n", "casement", "hosts", "add", "c", "--password-stdin").want(t, 2, "--user")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	cli(t, "", "casement", "hosts", "list").want(t, 1, "chmod 600")
}

package cli

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/internal/kdctest"
	"github.com/casementhq/casement/internal/secondhop"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// TestMain is also the program itself, for tests that run it as a process.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "casement", "winrm", "winrs":
		os.Exit(Main(os.Args, Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	os.Exit(m.Run())
}

// programs is a folder, which every user can enter, with this program under its names.
func programs(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "casement-cli-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(dir, "casement"), os.O_CREATE|os.O_WRONLY, 0o755) // #nosec G302 -- a program
	if err == nil {
		_, err = io.Copy(out, in)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"winrm", "winrs"} {
		if err := os.Symlink("casement", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- for the shell's user
		t.Fatal(err)
	}
	return dir
}

const bobsPassword = "Böb's l0ng pass"

// hops starts two services with the same account, the first of which takes CredSSP.
func hops(t *testing.T) (first, second *casementtest.Server) {
	t.Helper()
	users := map[string]string{"bob": bobsPassword}
	first = casementtest.New(t, casementtest.Options{Users: users, Settings: map[string]string{"Service/Auth/CredSSP": "true"}})
	second = casementtest.New(t, casementtest.Options{Users: users})
	for _, s := range []*casementtest.Server{first, second} { // bob keeps the rights of an administrator over the network
		s.Apply(settings.SetLocalAccountTokenFilterPolicy(true))
	}
	return first, second
}

// bobsShell opens a shell by a scheme.
func bobsShell(t *testing.T, s *casementtest.Server, scheme wsmanclient.Scheme) *wsmanclient.Shell {
	t.Helper()
	set := settings.Client{NetworkDelayms: 5000, URLPrefix: "wsman", Auth: settings.Auth{Negotiate: true, CredSSP: true}}
	c, err := wsmanclient.New(strings.TrimSuffix(s.HTTP, "/wsman"), wsmanclient.Options{Scheme: scheme,
		Credentials: auth.Credentials{Username: "bob", Password: bobsPassword}, Settings: func() *settings.Client { return &set }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	sh, err := c.CreateShell(t.Context(), wsmanclient.ShellOptions{CodePage: 65001})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sh.Close(t.Context()) }) //nolint:errcheck // it may be closed
	return sh
}

// inShell runs a command line in a shell.
func inShell(t *testing.T, sh *wsmanclient.Shell, line string) run {
	t.Helper()
	var out, errs bytes.Buffer
	code, err := sh.Run(t.Context(), wsmanclient.CommandOptions{Command: line, Stdout: &out, Stderr: &errs}, nil)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return run{int(code), out.String(), errs.String()}
}

// Row 2.65: a shell opened over CredSSP reaches a second host as its caller, by winrs, winrm and casement, over
// WinRM and DCOM; one opened over Negotiate does not, and says that credentials are missing.
func TestSecondHop(t *testing.T) {
	first, second := hops(t)
	dir := programs(t)
	lines := map[string]string{
		"winrs -r:" + second.HTTP + " whoami":                                                       "",
		"winrm get winrm/config/service/auth -r:" + second.HTTP:                                     "CredSSP = false",
		"casement query " + second.HTTP + " 'SELECT Caption FROM Win32_OperatingSystem' -o csv":     "Caption",
		"casement query dcom://" + second.DCOM + " 'SELECT Name FROM Win32_OperatingSystem' -o csv": "Name",
	}
	with, without := bobsShell(t, first, wsmanclient.CredSSP), bobsShell(t, first, wsmanclient.Negotiate)
	for line, want := range lines {
		inShell(t, with, dir+"/"+line).want(t, 0, want)
		r := inShell(t, without, dir+"/"+line)
		if r.code == 0 || !strings.Contains(r.err, "user") {
			t.Errorf("without CredSSP: %s: %d %s%s", line, r.code, r.out, r.err)
		}
	}
	// Whoever names a user means that one.
	if r := inShell(t, with, dir+"/winrs -r:"+second.HTTP+" -u:bob -p:wrong whoami"); r.code == 0 {
		t.Error("a wrong password was replaced by what was handed over")
	}
}

// The credentials are in no environment and no file of the shell, and gone with it.
func TestDelegationEnds(t *testing.T) {
	first, second := hops(t)
	dir := programs(t)
	with, without := bobsShell(t, first, wsmanclient.CredSSP), bobsShell(t, first, wsmanclient.Negotiate)
	env := inShell(t, with, "env").want(t, 0, "CASEMENT_DELEGATION=@")
	if strings.Contains(env.out, bobsPassword) {
		t.Error("the password is in the environment")
	}
	if r := inShell(t, without, "env"); strings.Contains(r.out, "CASEMENT_DELEGATION") {
		t.Error("a shell without CredSSP has the variable")
	}
	_, name, _ := strings.Cut(env.out, "CASEMENT_DELEGATION=")
	name, _, _ = strings.Cut(name, "\n")
	asked := func() error {
		c, err := net.Dial("unix", name)
		if err == nil {
			defer c.Close()
			b, _ := io.ReadAll(c)
			if os.Geteuid() == 0 && len(b) > 0 { // the shell's user is nobody
				t.Errorf("somebody else got %d bytes", len(b))
			}
		}
		return err
	}
	if err := asked(); err != nil {
		t.Error(err)
	}
	found, err := findInFiles(first.Service.State.Dir, bobsPassword)
	if err != nil || found != "" {
		t.Errorf("the password is in %s: %v", found, err)
	}
	if err := with.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := asked(); err == nil {
		t.Error("the credentials outlive their shell")
	}
	// A shell of the same user that knows the name of another one's socket, after that one's end.
	r := inShell(t, without, fmt.Sprintf("CASEMENT_DELEGATION=%s %s/winrs -r:%s whoami", name, dir, second.HTTP))
	if r.code == 0 || !strings.Contains(r.err, "gone") {
		t.Errorf("%d %s%s", r.code, r.out, r.err)
	}
}

// A forwarded ticket that was handed over is the identity of a command that has no other; what the user keeps
// himself goes before it.
func TestDelegatedTickets(t *testing.T) {
	k := kdctest.Start(t, "HOP.TEST")
	k.AddPrincipal("alice", "Alice's password")
	k.Setenv(t)
	own := k.CCache("alice", "Alice's password")
	cache, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	served, err := secondhop.Serve(&auth.Delegation{CCache: cache}, uint32(os.Getuid()))
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	t.Setenv(secondhop.Variable, served.Name())
	t.Setenv("KRB5CCNAME", "/nonexistent")
	if a, err := delegatedAccount(t.Context()); a != (account{}) || err != nil || os.Getenv("KRB5CCNAME") != "/nonexistent" {
		t.Errorf("beside tickets of his own: %v, %v, KRB5CCNAME %s", a, err, os.Getenv("KRB5CCNAME"))
	}
	if err := os.Unsetenv("KRB5CCNAME"); err != nil {
		t.Fatal(err)
	}
	if a, err := delegatedAccount(t.Context()); a != (account{}) || err != nil {
		t.Fatal(a, err)
	}
	if name := os.Getenv("KRB5CCNAME"); !strings.HasPrefix(name, "FILE:/proc/self/fd/") {
		t.Errorf("KRB5CCNAME %s", name)
	}
	source := tickets.New(tickets.Options{})
	defer source.Close()
	if !source.Usable() || !source.Domain(auth.Credentials{}, "server.hop.test") {
		t.Error("the tickets cannot be used")
	}
}

// findInFiles tells which file of a folder holds a text.
func findInFiles(dir, text string) (found string, err error) {
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			found = path
		}
		return err
	})
	return found, err
}

// winrs -allowdelegate and casement --auth credssp sign in by CredSSP where this machine's client may, and
// fail with 0x803381A2 where not, which is the default (row 2.64).
func TestCredSSPClients(t *testing.T) {
	first, second := hops(t)
	state(t)
	t.Setenv("CASEMENT_HOSTS", filepath.Join(t.TempDir(), "hosts.json"))
	t.Setenv("CASEMENT_PASSWORD", bobsPassword)
	program := programs(t)
	hop := "exec " + program + "/casement query " + second.HTTP + " SELECT\\ Name\\ FROM\\ Win32_OperatingSystem -o csv"
	winrs := []string{"winrs", "-r:" + first.HTTP, "-ad", "-u:bob", "-p:" + bobsPassword, hop}
	query := []string{"casement", "query", first.HTTP, "-u", "bob", "--auth", "credssp", "SELECT Name FROM Win32_OperatingSystem", "-o", "csv"}
	winrm := []string{"winrm", "id", "-r:" + first.HTTP, "-a:CredSSP", "-u:bob", "-p:" + bobsPassword}
	for _, line := range [][]string{winrs, query, winrm} {
		cli(t, "", line...).want(t, 1, "803381A2")
	}
	cli(t, "", "winrm", "set", "winrm/config/client/auth", `@{CredSSP="true"}`).want(t, 0, "CredSSP = true")
	cli(t, "", winrs...).want(t, 0, "Name")
	cli(t, "", query...).want(t, 0, "Name")
	cli(t, "", winrm...).want(t, 0, "ProductVendor")
	cli(t, "", "winrm", "id", "-r:"+first.HTTP, "-a:CredSSP").want(t, 1, "803381A1")
	cli(t, "", "winrs", "-r:"+first.HTTP, "-ad", "hostname").want(t, 1, "803381A1")
	cli(t, "", "winrm", "id", "-r:"+second.HTTP, "-a:CredSSP", "-u:bob", "-p:"+bobsPassword).want(t, 1, "Negotiate")
	// A policy of this machine.
	cli(t, "", "casement", "reg", "add", settings.KeyDelegation, "/v", "AllowFreshCredentials", "/t", "REG_DWORD", "/d", "1", "/f").want(t, 0)
	cli(t, "", winrm...).want(t, 1, "803381A3")
	cli(t, "", "casement", "reg", "add", settings.KeyDelegation+`\AllowFreshCredentials`, "/v", "1", "/d", "WSMAN/*", "/f").want(t, 0)
	cli(t, "", winrm...).want(t, 1, "803381A4")
}

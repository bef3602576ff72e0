package interop

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// relay is the server of relay_peer.py, and what it made of our messages.
type relay struct {
	url string

	mu      sync.Mutex
	actions map[string]int // the last words of the actions that it read, with their number
}

func startRelay(t *testing.T, s *service) *relay {
	t.Helper()
	cmd := exec.Command(python(t, "pypsrp"), "relay_peer.py")
	cmd.Env = s.environ()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the relay did not start: %v", cmd.Wait())
	}
	r := &relay{url: "http://127.0.0.1:" + lines.Text() + "/wsman", actions: map[string]int{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines.Scan() {
			var o struct {
				Name   string
				OK     bool
				Detail any
			}
			if err := json.Unmarshal(lines.Bytes(), &o); err != nil || !o.OK {
				t.Errorf("the relay on a message of ours: %s %v", lines.Bytes(), err)
			}
			r.mu.Lock()
			r.actions[o.Name[strings.LastIndexByte(o.Name, '/')+1:]]++
			r.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		<-read
		_ = cmd.Wait()
	})
	return r
}

// Our client's sealed requests are opened and read by pyspnego, pypsrp and ElementTree, said again by pypsrp, and the answers come
// back the same way. See [MS-WSMV] 2.2.9.1 and 3.1.4.1.
func TestOurClientByWayOfPypsrp(t *testing.T) {
	s := running(t)
	r := startRelay(t, s)
	c, err := casement.Dial(t.Context(), r.url, casement.Options{User: s.user, Password: s.password, HostsFile: "-"})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Identify", func(t *testing.T) {
		got, err := c.Identify(t.Context(), false)
		if err != nil || !slices.Contains(got.ProtocolVersion, "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd") || got.ProductVendor == "" {
			t.Errorf("%+v %v", got, err)
		}
	})
	t.Run("objects", func(t *testing.T) { relayObjects(t, c) })
	t.Run("methods", func(t *testing.T) { relayMethods(t, c) })
	t.Run("shell", func(t *testing.T) { relayShell(t, c) })
	t.Run("configuration", func(t *testing.T) { relayConfiguration(t, c) })
	t.Run("a wrong password is refused by pyspnego", func(t *testing.T) {
		wrong, err := casement.Dial(t.Context(), r.url, casement.Options{User: s.user, Password: "not the password", HostsFile: "-"})
		if err != nil {
			t.Fatal(err)
		}
		defer wrong.Close() //nolint:errcheck // test
		if _, err := wrong.Identify(t.Context(), false); !errors.Is(err, auth.ErrLogonFailure) && !errors.Is(err, wsman.CodeAccessDenied) {
			t.Errorf("%v, want a refused logon", err)
		}
	})
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, action := range []string{"Identify", "Get", "Put", "Create", "Delete", "Enumerate", "Pull", "Release", "Command", "Send", "Receive", "Signal", "GetOwner"} {
		if r.actions[action] == 0 {
			t.Errorf("the relay has read no %s, only %v", action, r.actions)
		}
	}
}

func rows(t *testing.T, e cim.Enumerator, err error) []*cim.Instance {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close() //nolint:errcheck // test
	var all []*cim.Instance
	for {
		some, err := e.Next(t.Context(), 0)
		for _, i := range some {
			all = append(all, i.Clone())
		}
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func text(i *cim.Instance, name string) string { return string(i.Get(name).AppendText(nil)) }

func relayObjects(t *testing.T, c *casement.Connection) {
	session, err := c.Session(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close() //nolint:errcheck // test
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	e, err := session.Query(t.Context(), "SELECT CSName, Caption FROM Win32_OperatingSystem", cim.QueryOptions{})
	if got := rows(t, e, err); len(got) != 1 || text(got[0], "CSName") != host {
		t.Errorf("Win32_OperatingSystem: %v, want CSName %s", got, host)
	}
	pid := fmt.Sprint(os.Getpid())
	e, err = session.Enumerate(t.Context(), "Win32_Process", cim.EnumerateOptions{})
	if got := rows(t, e, err); !slices.ContainsFunc(got, func(i *cim.Instance) bool { return text(i, "Handle") == pid }) {
		t.Errorf("%d processes, but not %s", len(got), pid)
	}
	path := cim.ObjectPath{Class: "Win32_Process", Keys: []cim.Key{{Name: "Handle", Value: cim.Str(pid)}}}
	one, err := session.Get(t.Context(), path, cim.GetOptions{})
	if err != nil || text(one, "ProcessId") != pid || text(one, "ParentProcessId") != fmt.Sprint(os.Getppid()) {
		t.Errorf("Get: %v %v", one, err)
	}
	if _, err := session.Get(t.Context(), cim.ObjectPath{Class: "Win32_NoSuchClass", Keys: path.Keys}, cim.GetOptions{}); err == nil {
		t.Error("an unknown class was found")
	}
	// An enumeration that is given up is released.
	e, err = session.Enumerate(t.Context(), "Win32_Process", cim.EnumerateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Next(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func relayMethods(t *testing.T, c *casement.Connection) {
	session, err := c.Session(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close() //nolint:errcheck // test
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	path := cim.ObjectPath{Class: "Win32_Process", Keys: []cim.Key{{Name: "Handle", Value: cim.Str(fmt.Sprint(os.Getpid()))}}}
	got, err := session.Invoke(t.Context(), path, "GetOwner", nil, cim.OperationOptions{})
	if err != nil || string(got.Out.Get("User").AppendText(nil)) != me.Username {
		t.Errorf("GetOwner: %+v %v, want %s", got, err, me.Username)
	}
	class := cim.ObjectPath{Class: "Win32_Process"}
	got, err = session.Invoke(t.Context(), class, "Create", cim.Arguments{{Name: "CommandLine", Value: cim.Str("/no/such/program <&> 'ü'")}}, cim.OperationOptions{})
	if code, _ := got.ReturnValue.Int(); err != nil || code != 9 {
		t.Errorf("Create: %+v %v, want 9", got, err)
	}
}

func relayShell(t *testing.T, c *casement.Connection) {
	shell, err := c.Shell(t.Context(), wsmanclient.ShellOptions{WorkingDirectory: "/usr", CodePage: 65001, NoProfile: true,
		Environment: []winrs.Variable{{Name: "CASEMENT_A", Value: "a <&> \"b\" 漢"}}})
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	run := func(command, input string) uint32 {
		t.Helper()
		out.Reset()
		errOut.Reset()
		var stdin io.Reader
		if input != "" {
			stdin = strings.NewReader(input)
		}
		code, err := shell.Run(t.Context(), wsmanclient.CommandOptions{Command: command, Stdout: &out, Stderr: &errOut}, stdin)
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		return code
	}
	if code := run(`printf '%s|' "$CASEMENT_A"; pwd; echo "grüße" >&2; exit 7`, ""); code != 7 || out.String() != "a <&> \"b\" 漢|/usr\n" || errOut.String() != "grüße\n" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, &out, &errOut)
	}
	input := strings.Repeat("0123456789 <&> ü\n", 20_000)
	if code := run("sha256sum", input); code != 0 || !strings.HasPrefix(out.String(), fmt.Sprintf("%x", sha256.Sum256([]byte(input)))) {
		t.Errorf("exit code %d, checksum of the input %q", code, &out)
	}
	if code := run(`head -c 1000000 /dev/zero | tr '\0' x`, ""); code != 0 || out.String() != strings.Repeat("x", 1_000_000) {
		t.Errorf("exit code %d, %d bytes of output", code, out.Len())
	}
	if err := shell.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func relayConfiguration(t *testing.T, c *casement.Connection) {
	target := wsman.EPR{ResourceURI: "http://schemas.microsoft.com/wbem/wsman/1/config/winrs"}
	before, err := c.Client().Get(t.Context(), target, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = "<cfg:MaxShellsPerUser>29</cfg:MaxShellsPerUser>"
	body := `<cfg:Winrs xmlns:cfg="http://schemas.microsoft.com/wbem/wsman/1/config/winrs">` + want + `</cfg:Winrs>`
	if _, err := c.Client().Put(t.Context(), target, []byte(body), nil); err != nil {
		t.Fatal(err)
	}
	after, err := c.Client().Get(t.Context(), target, nil)
	if err != nil || !bytes.Contains(after, []byte(want)) || bytes.Contains(before, []byte(want)) {
		t.Errorf("%v: before %s, after %s", err, before, after)
	}
	if _, err := c.Client().Put(t.Context(), target, []byte(strings.Replace(body, "29", "30", 1)), nil); err != nil {
		t.Error(err)
	}
	var f *wsman.Fault
	if _, err := c.Client().Get(t.Context(), wsman.EPR{ResourceURI: "http://example.org/nothing"}, nil); !errors.As(err, &f) || !f.Remote {
		t.Errorf("%v, want a fault of the service", err)
	}
}

package casement_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/hosts"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Where dcom:// and monikers lead: host and port of the resolver, also by the names
// of the hosts file. Checklist 1.06.
func TestDialDCOMTargets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts.json")
	for _, e := range []hosts.Entry{
		{Name: "web1", URL: "https://192.0.2.7:5986/wsman", User: "u", Password: "p"},
		{Name: "old", URL: "dcom://192.0.2.8:1135", User: "u", Password: "p"},
		{Name: "bare", URL: "bare.example.com"},
	} {
		if err := hosts.Put(file, e); err != nil {
			t.Fatal(err)
		}
	}
	for target, want := range map[string]string{
		"dcom://h": "h:135", "DCOM://h:1135": "h:1135", "dcom://[2001:db8::1]:99": "[2001:db8::1]:99", "dcom://2001:db8::1": "[2001:db8::1]:135",
		"dcom://web1": "192.0.2.7:135", "dcom://old": "192.0.2.8:1135", "OLD": "192.0.2.8:1135", "dcom://old:77": "192.0.2.8:77", "dcom://bare": "bare.example.com:135",
		`winmgmts:\\h\root\cimv2`: "h:135", "winmgmts:{impersonationLevel=impersonate,authenticationLevel=pktPrivacy}!//web1/root/default": "192.0.2.7:135",
	} {
		var dialled string
		c := dial(t, target, casement.Options{HostsFile: file, DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			dialled = address
			return nil, errors.New("not here")
		}})
		if _, err := c.Session(t.Context(), ""); err == nil || dialled != want {
			t.Errorf("%s leads to %q, want %q (%v)", target, dialled, want, err)
		}
		if c.Client() != nil || c.Target() != target {
			t.Errorf("%s is %s over WinRM", target, c.Target())
		}
		if _, err := c.Shell(t.Context(), wsmanclient.ShellOptions{}); !errors.Is(err, cim.ErrNotSupported) {
			t.Errorf("%s: Shell: %v", target, err)
		}
		if _, err := c.Identify(t.Context(), true); !errors.Is(err, cim.ErrNotSupported) {
			t.Errorf("%s: Identify: %v", target, err)
		}
	}
}

// What a client of DCOM refuses before anything is sent.
func TestDialDCOMRefusals(t *testing.T) {
	identify := func() settings.Scripting { return settings.Scripting{ImpersonationLevel: 2, Namespace: `root\cimv2`} }
	for _, row := range []struct {
		why, target string
		o           casement.Options
		want        error
	}{
		{"a domain in user and authority (T-02)", "dcom://h", casement.Options{User: `A\u`, DCOM: casement.DCOMOptions{Authority: "NTLMDomain:B"}}, cim.ErrInvalidParameter},
		{"an authority that is none", "dcom://h", casement.Options{DCOM: casement.DCOMOptions{Authority: "Basic:x"}}, cim.ErrInvalidParameter},
		{"an authority for this machine", "winmgmts:{authority=ntlmdomain:d}!root\\cimv2", casement.Options{Opener: opener{}}, cim.ErrLocalCredentials},
		{"Default Impersonation Level 2 (1.22)", "dcom://h", casement.Options{DCOM: casement.DCOMOptions{Scripting: identify}}, cim.ErrAccessDenied},
		{"an impersonation level that is too low", "dcom://h", casement.Options{DCOM: casement.DCOMOptions{ImpersonationLevel: wmi.ImpersonationIdentify}}, cim.ErrAccessDenied},
		{"EnableDCOM N", "dcom://h", casement.Options{DCOM: casement.DCOMOptions{Disabled: true}}, casement.ErrDCOMDisabled},
		{"Basic", "dcom://h", casement.Options{Scheme: wsmanclient.Basic}, nil},
		{"the environment's proxy", "dcom://h", casement.Options{Proxy: "env"}, nil},
		{"a proxy that is none", "dcom://h", casement.Options{Proxy: "ftp://proxy"}, nil},
	} {
		row.o.HostsFile = "-"
		c, err := casement.Dial(t.Context(), row.target, row.o)
		if err == nil {
			c.Close()
		}
		if err == nil || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.why, err, row.want)
		}
	}
}

// A moniker without a namespace has that of "Default Namespace" (checklist 1.22);
// other targets have root\cimv2.
func TestDefaultNamespace(t *testing.T) {
	scripting := func() settings.Scripting { return settings.Scripting{ImpersonationLevel: 3, Namespace: `root\default`} }
	for target, want := range map[string]string{
		"winmgmts:": `root\default`, "winmgmts:{impersonationLevel=impersonate}!": `root\default`, "winmgmts::Win32_Process": `root\default`,
		`winmgmts:root\hardware`: `root\hardware`, `winmgmts:\\.\root\hardware`: `root\hardware`, ".": `root\cimv2`,
	} {
		c := dial(t, target, casement.Options{Opener: opener{}, DCOM: casement.DCOMOptions{Scripting: scripting}})
		s, err := c.Session(t.Context(), "")
		if err != nil || s.Namespace() != want {
			t.Errorf("%s: %v, %v, want %s", target, s, err, want)
		}
	}
}

// rows counts what a query over DCOM gives.
func rows(t *testing.T, c *casement.Connection) (int, error) {
	t.Helper()
	e, err := c.Query(t.Context(), "", "SELECT Version FROM Win32_OperatingSystem")
	if err != nil {
		return 0, err
	}
	defer e.Close()
	n := 0
	err = cim.Each(t.Context(), e, func(*cim.Instance) error { n++; return nil })
	return n, err
}

// winmgmt /standalonehost 6: a call at packet level is refused and one at privacy
// served, at the port that was set, once WMI has been started anew; /sharedhost
// undoes it (checklist 0.08, 1.10).
func TestStandaloneHostOverDCOM(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	local := dial(t, ".", casement.Options{StateDir: s.Service.State.Dir})
	restart := func() {
		t.Helper()
		session, err := local.Session(t.Context(), "root")
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		for _, method := range []string{"StopService", "StartService"} {
			r, err := session.Invoke(t.Context(), cim.ObjectPath{Class: "Casement_WMIService", Singleton: true}, method, nil, cim.OperationOptions{})
			if code, _ := r.ReturnValue.Uint(); err != nil || code != 0 {
				t.Fatalf("%s: %d, %v", method, code, err)
			}
		}
	}
	// A client that does not do what the service asks for: its level is the one that
	// it was given. Ours asks as the exporter wants it.
	insist := func(level dcerpc.Level) error {
		t.Helper()
		blanket := dcom.Blanket{Initiator: func(string, string) (auth.Initiator, error) {
			return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: s.User, Password: s.Password}}), nil
		}, AuthType: dcerpc.AuthNTLM}
		client := dcom.NewClient(dcom.ClientOptions{Blanket: blanket})
		defer client.Close()
		host, port, err := net.SplitHostPort(s.Service.DCOM().Resolver)
		if err != nil {
			t.Fatal(err)
		}
		login, err := client.Activate(t.Context(), host+"["+port+"]", wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
		if err != nil {
			t.Fatal(err)
		}
		blanket.Level, blanket.Exactly = level, true
		return login[0].With(&blanket).Call(t.Context(), 3, establishPosition{}, nil)
	}
	ask := func() error {
		t.Helper()
		c := dial(t, "dcom://"+s.Service.DCOM().Resolver, casement.Options{User: s.User, Password: s.Password, DCOM: casement.DCOMOptions{AuthenticationLevel: wmi.AuthenticationPkt}})
		n, err := rows(t, c)
		if err == nil && n != 1 {
			t.Errorf("%d rows", n)
		}
		return err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	free.Close()
	if err != nil {
		t.Fatal(err)
	}
	s.Apply(settings.Change{Key: settings.KeyWMIApplication, Name: "Endpoints", Value: registry.MultiSZ("ncacn_ip_tcp,0," + port)})
	changes, _ := s.Service.State.Snapshot().DCOM.StandaloneHost(6)
	s.Apply(changes...)
	for _, step := range []struct {
		why    string
		do     func()
		packet bool
	}{
		{"before WMI has started anew", func() {}, true},
		{"/standalonehost 6", restart, false},
		{"/sharedhost", func() { s.Apply(settings.SharedHost()...); restart() }, true},
	} {
		step.do()
		var fault *dcom.Error
		switch err := insist(dcerpc.LevelPacket); {
		case step.packet && err != nil:
			t.Errorf("%s: at packet level: %v", step.why, err)
		case !step.packet && (!errors.As(err, &fault) || fault.HRESULT != 0x80070005):
			t.Errorf("%s: at packet level: %v, want 0x80070005", step.why, err)
		}
		if err := insist(dcerpc.LevelPrivacy); err != nil {
			t.Errorf("%s: at privacy: %v", step.why, err)
		}
		if err := ask(); err != nil {
			t.Errorf("%s: our client: %v", step.why, err)
		}
		_, at, err := net.SplitHostPort(s.Service.DCOM().WMI)
		if err != nil || (at == port) == step.packet {
			t.Errorf("%s: WMI is at port %s, the endpoint is %s", step.why, at, port)
		}
	}
}

// establishPosition are the arguments of IWbemLevel1Login::EstablishPosition, both
// empty. See [MS-WMI] 3.1.4.1.1.
type establishPosition struct{}

func (establishPosition) MarshalNDR(e *ndr.Encoder) {
	e.Pointer(false)
	e.Uint32(0)
}

// Who may pass DCOM and who may enter the namespace are two questions with two
// codes (checklist 4.03): 0x80070005 and 0x80041003. See spec/wmi.md 1.9.
func TestTwoGatesOverDCOM(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	s.AddUser("alice", "Secret-1-word")
	ask := func() error {
		t.Helper()
		_, err := rows(t, dial(t, "dcom://"+s.DCOM, casement.Options{User: "alice", Password: "Secret-1-word"}))
		return err
	}
	var refused *dcom.Error
	if err := ask(); !errors.As(err, &refused) || refused.HRESULT != 0x80070005 {
		t.Errorf("without rights in DCOM: %v", err)
	}
	if err := s.Service.State.Accounts.AddMember("Distributed COM Users", "alice"); err != nil {
		t.Fatal(err)
	}
	if err := ask(); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("without rights in the namespace: %v", err)
	}
	if err := s.Service.State.Accounts.AddMember("Administrators", "alice"); err != nil {
		t.Fatal(err)
	}
	s.Apply(settings.SetLocalAccountTokenFilterPolicy(true))
	if err := ask(); err != nil {
		t.Errorf("with both: %v", err)
	}
}

// DCOM goes through a SOCKS5 proxy, its second connection too; the proxy is told the name of the host.
func TestDCOMThroughSOCKS(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: manager(t)})
	_, port, err := net.SplitHostPort(s.DCOM)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var asked []string
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				name, port, err := acceptSOCKS(c)
				mu.Lock()
				asked = append(asked, name)
				mu.Unlock()
				var there net.Conn
				if err == nil {
					there, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
				}
				if err != nil {
					t.Errorf("the proxy: %v", err)
					return
				}
				defer there.Close()
				_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
				wg.Go(func() { _, _ = io.Copy(there, c); there.Close() })
				_, _ = io.Copy(c, there)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	c := dial(t, "dcom://far.example:"+port, casement.Options{User: s.User, Password: s.Password, HostsFile: "-", Proxy: "socks5://" + l.Addr().String()})
	rows, err := c.Query(t.Context(), cimtest.Namespace, "SELECT * FROM CT_Part")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := cim.Each(t.Context(), rows, func(*cim.Instance) error { n++; return nil }); err != nil || n != 3 {
		t.Errorf("%d parts, %v", n, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(asked, []string{"far.example", "far.example"}) {
		t.Errorf("the proxy was asked for %v", asked)
	}
}

// acceptSOCKS reads a CONNECT for a host by its name. See RFC 1928.
func acceptSOCKS(c net.Conn) (name string, port int, err error) {
	head := make([]byte, 3)
	if _, err = io.ReadFull(c, head[:2]); err != nil {
		return "", 0, err
	}
	if _, err = io.CopyN(io.Discard, c, int64(head[1])); err != nil {
		return "", 0, err
	}
	if _, err = c.Write([]byte{5, 0}); err != nil {
		return "", 0, err
	}
	request := make([]byte, 5)
	if _, err = io.ReadFull(c, request); err != nil {
		return "", 0, err
	}
	if request[3] != 3 {
		return "", 0, fmt.Errorf("an address of type %d and not a name", request[3])
	}
	rest := make([]byte, int(request[4])+2)
	_, err = io.ReadFull(c, rest)
	n := len(rest) - 2
	return string(rest[:n]), int(binary.BigEndian.Uint16(rest[n:])), err
}

package casement_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/hosts"
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
		{"Basic", "dcom://h", casement.Options{Scheme: wsmanclient.Basic}, nil},
		{"a proxy", "dcom://h", casement.Options{Proxy: "http://proxy:3128"}, nil},
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

package service

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// fakeUnits is a system manager with one unit.
type fakeUnits struct {
	enabled, active bool
	why             string
	calls           int
}

func (f *fakeUnits) Present(context.Context, string) (enabled, active bool, why string, err error) {
	return f.enabled, f.active, f.why, nil
}

func (f *fakeUnits) EnableNow(_ context.Context, name string) error {
	if name != "casement.service" {
		return errors.New("which unit?")
	}
	f.calls++
	f.enabled, f.active = true, true
	return nil
}

// quick plans and applies.
func quick(t *testing.T, q *QuickConfig, o QuickConfigOptions) (QuickPlan, []string) {
	t.Helper()
	p, err := q.Plan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	done, err := q.Apply(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return p, done
}

func planCode(t *testing.T, q *QuickConfig, o QuickConfigOptions, code uint32) {
	t.Helper()
	_, err := q.Plan(t.Context(), o)
	if !errors.Is(err, &settings.Error{Code: code}) {
		t.Errorf("%v, want 0x%08X", err, code)
	}
}

// The documented success lines, spec section 1.6, in their order; the second
// run finds nothing to do.
func TestQuickConfigLines(t *testing.T) {
	units := &fakeUnits{}
	q := &QuickConfig{Dir: filepath.Join(t.TempDir(), "state"), Units: units}
	p, done := quick(t, q, QuickConfigOptions{})
	want := []string{
		"WinRM service type changed to delayed auto start.",
		"WinRM service started.",
		"Created a WinRM listener on HTTP://* to accept WS-Man requests to any IP on this machine.",
		"WinRM firewall exception enabled.",
		"Configured LocalAccountTokenFilterPolicy to grant administrative rights remotely to local users.",
	}
	if !slices.Equal(done, want) || len(p.Actions) != len(want) || p.Running || units.calls != 1 {
		t.Errorf("%q\nwant %q\n%+v", done, want, p)
	}
	before, err := os.ReadFile(filepath.Join(q.Dir, "hive.reg"))
	if err != nil {
		t.Fatal(err)
	}
	p, done = quick(t, q, QuickConfigOptions{})
	if len(p.Actions) > 0 || len(done) > 0 || !p.Running || units.calls != 1 {
		t.Errorf("the second run does %q %q", p.Actions, done)
	}
	if after, _ := os.ReadFile(filepath.Join(q.Dir, "hive.reg")); string(after) != string(before) {
		t.Errorf("the second run changes the hive:\n%s", after)
	}
}

func TestQuickConfigWithoutSystemd(t *testing.T) {
	q := &QuickConfig{Dir: filepath.Join(t.TempDir(), "state"), Units: &fakeUnits{why: "this system does not run systemd"}}
	p, done := quick(t, q, QuickConfigOptions{})
	if len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "was not started") || !strings.Contains(p.Notes[0], "systemd") {
		t.Errorf("%q", p.Notes)
	}
	for _, l := range done {
		if strings.Contains(l, "service") {
			t.Errorf("it says %q and did not", l)
		}
	}
}

// Where systemd runs and knows no such unit, the real one says so.
func TestQuickConfigPlanLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	q := &QuickConfig{Dir: dir}
	if _, err := q.Plan(t.Context(), QuickConfigOptions{}); err != nil {
		t.Fatal(err)
	}
	planCode(t, q, QuickConfigOptions{Transport: "HTTPS"}, 0x80338115)
	if _, err := os.Stat(dir); err == nil {
		t.Error("a plan made the state folder")
	}
}

// change edits the hive of a state folder.
func change(t *testing.T, dir string, f func(tx *registry.Tx) error) {
	t.Helper()
	s, err := OpenState(dir, StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Hive.Update(f); err != nil {
		t.Fatal(err)
	}
}

func snapshotOf(t *testing.T, dir string) (*settings.Snapshot, []firewall.Rule) {
	t.Helper()
	s, err := OpenState(dir, StateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rules, _ := firewall.Rules(s.Hive.Snapshot())
	return s.Snapshot(), rules
}

// The exception is for the present network profile; after the profile changed a
// second run adds the new one (checklist 2.19, 2.20).
func TestQuickConfigProfiles(t *testing.T) {
	q := &QuickConfig{Dir: filepath.Join(t.TempDir(), "state"), Units: &fakeUnits{}}
	profile := func(name string) {
		change(t, q.Dir, func(tx *registry.Tx) error { return tx.Set(settings.KeyCasement, "NetworkProfile", registry.SZ(name)) })
	}
	quick(t, q, QuickConfigOptions{})
	_, rules := snapshotOf(t, q.Dir)
	if !firewall.WinRMEnabled(rules, "HTTP", firewall.Private) || firewall.WinRMEnabled(rules, "HTTP", firewall.Public) || firewall.WinRMEnabled(rules, "HTTPS", firewall.AllProfiles) {
		t.Error("the first run opens something other than HTTP on private networks")
	}
	profile("Public")
	planCode(t, q, QuickConfigOptions{}, 0x80338169)
	p, done := quick(t, q, QuickConfigOptions{Force: true})
	if !slices.Equal(done, []string{"WinRM firewall exception enabled."}) {
		t.Errorf("%q %q", p.Actions, done)
	}
	if _, rules = snapshotOf(t, q.Dir); !firewall.WinRMEnabled(rules, "HTTP", firewall.Public) || !firewall.WinRMEnabled(rules, "HTTP", firewall.Private) {
		t.Error("the second run does not add the new profile")
	}
	profile("nonsense")
	if live, _ := snapshotOf(t, q.Dir); NetworkProfile(live.Reader) != firewall.Public {
		t.Error("a damaged profile is not taken for public")
	}
}

func TestQuickConfigFirewallPolicy(t *testing.T) {
	const key = `HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall\StandardProfile`
	for value, c := range map[string]struct{ number, code uint32 }{
		"DoNotAllowExceptions": {1, 0x80338116}, "AllowLocalPolicyMerge": {0, 0x80338117},
	} {
		q := &QuickConfig{Dir: filepath.Join(t.TempDir(), "state"), Units: &fakeUnits{}}
		change(t, q.Dir, func(tx *registry.Tx) error { return tx.Set(key, value, registry.DWORD(c.number)) })
		planCode(t, q, QuickConfigOptions{}, c.code)
	}
	q := &QuickConfig{Dir: filepath.Join(t.TempDir(), "state"), Units: &fakeUnits{}}
	change(t, q.Dir, func(tx *registry.Tx) error {
		return tx.Set(firewall.KeyPolicy, "WINRM-HTTP-In-TCP-NoScope", registry.SZ("v2.31|Action=Allow|Active=FALSE|Dir=In|Protocol=6|LPort=5985|App=System|Name=WinRM|"))
	})
	planCode(t, q, QuickConfigOptions{}, 0x80338117)
}

// What an administrator set stays; what is absent is written (checklist 2.21).
func TestQuickConfigShellLimits(t *testing.T) {
	q := &QuickConfig{Dir: filepath.Join(t.TempDir(), "state"), Units: &fakeUnits{}}
	key := settings.KeyWSMAN + `\Winrs`
	change(t, q.Dir, func(tx *registry.Tx) error { return tx.Set(key, "MaxShellsPerUser", registry.DWORD(7)) })
	quick(t, q, QuickConfigOptions{})
	live, _ := snapshotOf(t, q.Dir)
	for name, want := range map[string]uint64{"MaxShellsPerUser": 7, "IdleTimeout": 7200000, "MaxConcurrentUsers": 10,
		"MaxProcessesPerShell": 25, "MaxMemoryPerShellMB": 1024, "AllowRemoteShellAccess": 1} {
		v, src, ok := live.Reader.Value(key, name)
		if n, _ := v.Uint(); !ok || n != want || src != registry.SourceHive {
			t.Errorf("%s is %v %v, want %d", name, v, ok, want)
		}
	}
}

// certificates for HTTPS: signed by an authority, for this machine, for
// servers, valid now; everything else is refused with 0x80338115.
func TestQuickConfigHTTPS(t *testing.T) {
	now := time.Now()
	host := hostName()
	for name, c := range map[string]struct {
		cert certificateSpec
		ok   bool
	}{
		"fits":         {certificateSpec{name: host, end: now.Add(time.Hour), usage: x509.ExtKeyUsageServerAuth}, true},
		"other name":   {certificateSpec{name: "other.example", end: now.Add(time.Hour), usage: x509.ExtKeyUsageServerAuth}, false},
		"expired":      {certificateSpec{name: host, end: now.Add(-time.Minute), usage: x509.ExtKeyUsageServerAuth}, false},
		"for clients":  {certificateSpec{name: host, end: now.Add(time.Hour), usage: x509.ExtKeyUsageClientAuth}, false},
		"self-signed":  {certificateSpec{name: host, end: now.Add(time.Hour), usage: x509.ExtKeyUsageServerAuth, self: true}, false},
		"not yet true": {certificateSpec{name: host, begin: now.Add(time.Hour), end: now.Add(2 * time.Hour), usage: x509.ExtKeyUsageServerAuth}, false},
	} {
		q := &QuickConfig{Dir: filepath.Join(t.TempDir(), "state"), Units: &fakeUnits{}}
		s, err := OpenState(q.Dir, StateOptions{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		print, err := s.Certificates.Add(c.cert.make(t))
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		if !c.ok {
			planCode(t, q, QuickConfigOptions{Transport: "HTTPS"}, 0x80338115)
			if live, _ := snapshotOf(t, q.Dir); len(live.Listeners) > 0 {
				t.Errorf("%s: a listener was made", name)
			}
			continue
		}
		_, done := quick(t, q, QuickConfigOptions{Transport: "HTTPS"})
		if !slices.Contains(done, "Created a WinRM listener on HTTPS://* to accept WS-Man requests to any IP on this machine.") {
			t.Errorf("%s: %q", name, done)
		}
		live, rules := snapshotOf(t, q.Dir)
		if len(live.Listeners) != 1 || live.Listeners[0].Transport != "HTTPS" || live.Listeners[0].CertificateThumbprint != print || live.Listeners[0].Port != 5986 {
			t.Errorf("%s: %+v", name, live.Listeners)
		}
		if firewall.WinRMEnabled(rules, "HTTP", firewall.AllProfiles) || !firewall.WinRMEnabled(rules, "HTTPS", firewall.Private) {
			t.Errorf("%s: the wrong rule is open", name)
		}
	}
}

type certificateSpec struct {
	name       string
	begin, end time.Time
	usage      x509.ExtKeyUsage
	self       bool
}

// make returns the certificate and its key as PEM.
func (c certificateSpec) make(t *testing.T) (cert, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if c.begin.IsZero() {
		c.begin = time.Now().Add(-time.Hour)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: c.name}, NotBefore: c.begin, NotAfter: c.end,
		DNSNames: []string{c.name}, ExtKeyUsage: []x509.ExtKeyUsage{c.usage}, BasicConstraintsValid: true}
	issuer, signer := leaf, own
	if !c.self {
		issuer = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, IsCA: true, BasicConstraintsValid: true}
		if signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, issuer, own.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

package doctor

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/security"
)

// A host that says it is a Windows, where a local administrator without his rights
// comes in by a grant of his own: the doctor warns of what is missing in answers.
// Row 40.
func TestFilteredAccountSeesLess(t *testing.T) {
	const ns = `root\cimv2`
	system := cim.NewClass("Win32_OperatingSystem", nil).Dynamic().Key("Name", cim.String).Property("Caption", cim.String).Property("Version", cim.String).Property("OSType", cim.Uint16).Build(ns)
	group := cim.NewClass("Win32_Group", nil).Dynamic().Key("Domain", cim.String).Key("Name", cim.String).Property("SID", cim.String).Build(ns)
	user := cim.NewClass("Win32_UserAccount", nil).Dynamic().Key("Domain", cim.String).Key("Name", cim.String).Build(ns)
	member := cim.NewClass("Win32_GroupUser", nil).Dynamic().Key("GroupComponent", cim.Reference).Key("PartComponent", cim.Reference).Build(ns)
	provider := static.New(system, group, user, member)
	add := func(class *cim.Class, pairs ...any) {
		t.Helper()
		i := cim.NewInstance(class)
		for n := 0; n < len(pairs); n += 2 {
			if err := i.Set(pairs[n].(string), pairs[n+1].(cim.Value)); err != nil {
				t.Fatal(err)
			}
		}
		if err := provider.Add(i); err != nil {
			t.Fatal(err)
		}
	}
	add(system, "Name", cim.Str("w"), "Caption", cim.Str("Microsoft Windows Server 2019 Standard"), "Version", cim.Str("10.0.17763"), "OSType", cim.U16(18))
	add(group, "Domain", cim.Str("SRV07"), "Name", cim.Str("Administratoren"), "SID", cim.Str("S-1-5-32-544"))
	add(user, "Domain", cim.Str("SRV07"), "Name", cim.Str("ops"))
	m := cimom.New(cimom.Options{})
	t.Cleanup(func() { m.Close() })
	if err := m.Register(provider); err != nil {
		t.Fatal(err)
	}
	s := casementtest.New(t, casementtest.Options{Opener: m})
	at := netip.MustParseAddrPort(s.DCOM)
	p := &patient{Server: s, t: t, target: Target{Name: at.Addr().String(), ResolverPort: at.Port(), Transports: []string{"dcom"}}}
	own, err := asSystem{m}.Open(t.Context(), cim.Caller{}, ns, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	sd, err := security.ParseSDDL("O:BAG:BAD:(A;;0x6003f;;;SY)(A;;0x6003f;;;BA)(A;;0x23;;;AU)")
	if err != nil {
		t.Fatal(err)
	}
	b, err := sd.Bytes()
	if err == nil {
		_, err = own.Invoke(t.Context(), cim.ObjectPath{Class: "__SystemSecurity", Singleton: true}, "SetSD", cim.Arguments{{Name: "SD", Value: cim.Bytes(b)}}, cim.OperationOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	s.AddUser("ops", "Secret-Ops-1", "Administrators", "Distributed COM Users")
	p.as("ops", "Secret-Ops-1")
	if r := p.examine(); r.Verdict != OK || result(t, r, "uac.filter").Outcome != Pass {
		t.Errorf("no administrator by its classes: %+v", r.Cause)
	}
	add(member, "GroupComponent", cim.Ref(`Win32_Group.Domain="SRV07",Name="Administratoren"`), "PartComponent", cim.Ref(`Win32_UserAccount.Domain="SRV07",Name="ops"`))
	r := p.says(want{cause: "uac.filter", confidence: Likely, row: 40, failed: "uac.filter", outcome: Warn, remedy: "manage-as", says: "UAC filters this account", reach: ReachWorks})
	c := result(t, r, "uac.filter")
	seen := ""
	for _, e := range c.Seen {
		seen += e.Saw + "\n"
	}
	if !strings.Contains(seen, "Win32_UserAccount") || !strings.Contains(seen, "Win32_NetworkAdapterConfiguration") || r.Target.OS == nil || !strings.Contains(*r.Target.OS, "2019") {
		t.Errorf("%v\n%s", errors.New(c.Detail), seen)
	}
	for _, m := range r.Remedies {
		if strings.Contains(strings.Join(m.Commands, " "), "casement reg") || strings.Contains(strings.Join(m.Commands, " "), "casement group") {
			t.Errorf("a remedy of another kind of host: %+v", m)
		}
	}
}

package service

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement/firewall"
)

// An answer file narrows a rule to the profiles for which its group is asked: nothing is
// opened that nobody asked for.
func TestAnswersNarrowRules(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	group := func(name, profile string) string {
		return "<FirewallGroup><Active>true</Active><Group>" + name + "</Group><Profile>" + profile + "</Profile></FirewallGroup>"
	}
	text := `<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="specialize"><component name="Networking-MPSSVC-Svc"><FirewallGroups>` +
		group("Windows Remote Management", "domain") + group("Windows Management Instrumentation (WMI)", "domain") + group("@FirewallAPI.dll,-34251", "private") +
		`</FirewallGroups></component></settings></unattend>`
	if err := os.WriteFile(filepath.Join(dir, "unattend.xml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := at(t, dir, testTime())
	for _, r := range rulesOf(t, s) {
		want := map[string]firewall.Profile{"Windows Remote Management": firewall.Domain, "Windows Management Instrumentation (WMI)": firewall.Domain | firewall.Private}[r.Group]
		switch {
		case want == 0 && r.Active, r.Active && r.Profiles != want:
			t.Errorf("%s is active for %v, want %v", r.ID, r.Profiles, want)
		case want != 0 && !r.Active && r.Profiles != firewall.Public: // WinRM's rule for public networks stays off
			t.Errorf("%s is not active", r.ID)
		}
	}
}

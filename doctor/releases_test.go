package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/settings"
)

// What is to be typed differs by the release. Checklist 3.30, 3.04 to 3.06; spec/winrm.md 9: Configure-SMRemoting is a
// program since Windows Server 2012 and a script in 2008 R2, PowerShell's remoting serves 2008; the policy had another name
// before 2012, and so had the group; New-SelfSignedCertificate and the cmdlets of CIM came with 2012.
func TestStepsOfReleases(t *testing.T) {
	const (
		oldPolicy, newPolicy = "Allow automatic configuration of listeners", "Allow remote server management through WinRM"
		oldGroup, newGroup   = "WinRMRemoteWMIUsers__", "Remote Management Users"
		oldLimit, newLimit   = "Get-WmiObject -Namespace root", "Get-CimInstance -Namespace root"
		program              = `%windir%\system32\Configure-SMRemoting.exe -enable`
		cmdlet               = "New-SelfSignedCertificate -DnsName srv04.example"
	)
	for _, c := range []struct{ version, stack, name, enable, needs, policy, group, certificate, limit string }{
		{"6.0.6003", "2.0", "Windows Server 2008", `powershell -Command "Enable-PSRemoting -Force"`, "install .NET Framework 4 and Windows Management Framework 3.0", oldPolicy, oldGroup, "certreq -new", oldLimit},
		{"6.1.7601", "2.0", "Windows Server 2008 R2", `powershell -ExecutionPolicy RemoteSigned -File %windir%\system32\Configure-SMRemoting.ps1 -force -enable`, "install .NET Framework 4.5 and Windows Management Framework 4.0",
			oldPolicy, oldGroup, "certreq -new", oldLimit},
		{"6.2.9200", "3.0", "Windows Server 2012", program, "", newPolicy, newGroup, cmdlet, newLimit},
		{"6.3.9600", "3.0", "Windows Server 2012 R2", program, "", newPolicy, newGroup, cmdlet, newLimit},
		{"10.0.14393", "3.0", "Windows Server 2016", program, "", newPolicy, newGroup, cmdlet, newLimit},
		{"10.0.17763", "3.0", "Windows Server 2019", program, "", newPolicy, newGroup, cmdlet, newLimit},
		{"10.0.20348", "3.0", "Windows Server 2022", program, "", newPolicy, newGroup, cmdlet, newLimit},
		{"10.0.25398", "3.0", "Windows Server, version 23H2", program, "", newPolicy, newGroup, cmdlet, newLimit},
		{"10.0.26100", "3.0", "Windows Server 2025", program, "", newPolicy, newGroup, cmdlet, newLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := windowsOf(t, c.version, c.stack)
			at := netip.MustParseAddrPort(s.DCOM)
			target := Target{Name: "srv04.example", Address: "127.0.0.1", Endpoint: s.HTTP, ResolverPort: at.Port()}
			o := Options{Credentials: auth.Credentials{Username: s.User, Password: s.Password}}
			typed := func(id string) string {
				t.Helper()
				r := Examine(t.Context(), target, o)
				validReport(t, r)
				if r.Target.OS == nil && id != "certificate-name" || r.Target.OS != nil && *r.Target.OS != c.name {
					t.Errorf("%s: the release is %v", id, r.Target.OS)
				}
				for _, m := range r.Remedies {
					if strings.Contains(fmt.Sprint(m.Commands, m.Undo), "casement reg") || strings.HasSuffix(m.ID, "-casement") {
						t.Errorf("a remedy of another kind of host: %+v", m)
					}
				}
				for _, m := range r.Remedies {
					if m.ID == id {
						return strings.Join(m.Commands, "\n")
					}
				}
				if id != "wmf" {
					t.Errorf("no %s: %s", id, show(t, r))
				}
				return ""
			}
			want := func(what, got, part string) {
				t.Helper()
				if !strings.Contains(got, part) || part == "" && got != "" {
					t.Errorf("%s: %q, want %q", what, got, part)
				}
			}

			s.Apply(settings.SetAllowRemoteAccess(false))
			if got := typed("remote-management"); got != c.enable {
				t.Errorf("remote management is enabled by %q, want %q", got, c.enable)
			}
			want("the policy", typed("policy"), `"`+c.policy+`"`)
			s.Apply(settings.SetAllowRemoteAccess(true))

			shut, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			shut.Close()
			target.Endpoint = "http://" + shut.Addr().String() + "/wsman"
			want("what must be installed", typed("wmf"), c.needs)

			target.Endpoint = strings.Replace(s.HTTPS, "127.0.0.1", "srv04.example", 1)
			want("a certificate", typed("certificate-name"), c.certificate)

			target.Endpoint, target.Transports = s.HTTP, []string{"winrm"}
			s.AddUser("ops", "Secret-Ops-1", "Administrators")
			o.Credentials = auth.Credentials{Username: "ops", Password: "Secret-Ops-1"}
			want("rights without UAC", typed("grant"), `net localgroup "`+c.group+`" ops /add`)

			x := newExamination(target, o)
			x.told(hostFacts{kind: windowsHost, version: c.version})
			want("a limit of WMI", (&findings{x: x}).arbitrate(7), c.limit)
		})
	}
}

// windowsOf is a simulated Windows of a release.
func windowsOf(t *testing.T, version, stack string) *casementtest.Server {
	t.Helper()
	system := cim.NewClass("Win32_OperatingSystem", nil).Dynamic().Key("Name", cim.String).Property("Caption", cim.String).Property("Version", cim.String).Property("OSType", cim.Uint16).Build(`root\cimv2`)
	provider := static.New(system)
	i := cim.NewInstance(system)
	for _, v := range []cim.NamedValue{{Name: "Name", Value: cim.Str("w")}, {Name: "Version", Value: cim.Str(version)}, {Name: "OSType", Value: cim.U16(18)}} {
		if err := i.Set(v.Name, v.Value); err != nil {
			t.Fatal(err)
		}
	}
	if err := provider.Add(i); err != nil {
		t.Fatal(err)
	}
	m := cimom.New(cimom.Options{})
	t.Cleanup(func() { m.Close() })
	if err := m.Register(provider); err != nil {
		t.Fatal(err)
	}
	return casementtest.New(t, casementtest.Options{Opener: m, Vendor: "Microsoft Corporation", Product: "OS: " + version + " SP: 0.0 Stack: " + stack})
}

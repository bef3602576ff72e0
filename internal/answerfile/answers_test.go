package answerfile

import (
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/casementhq/casement/firewall"
)

// sample has the form that Windows System Image Manager writes.
const sample = `<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend">
    <settings pass="windowsPE">
        <component name="Microsoft-Windows-Setup" processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS" xmlns:wcm="http://schemas.microsoft.com/WMIConfig/2002/State">
            <UserData><ProductKey><Key>AAAAA-BBBBB</Key></ProductKey></UserData>
        </component>
    </settings>
    <settings pass="specialize">
        <component name="Networking-MPSSVC-Svc" processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS" xmlns:wcm="http://schemas.microsoft.com/WMIConfig/2002/State">
            <DomainProfile_EnableFirewall>false</DomainProfile_EnableFirewall>
            <PublicProfile_DisableNotifications>true</PublicProfile_DisableNotifications>
            <FirewallGroups>
                <FirewallGroup wcm:action="add" wcm:keyValue="RemoteDesktop">
                    <Active>true</Active>
                    <Group>@FirewallAPI.dll,-28752</Group>
                    <Profile>all</Profile>
                </FirewallGroup>
                <FirewallGroup wcm:action="add" wcm:keyValue="WMI">
                    <Profile>private</Profile>
                    <Group>@FirewallAPI.dll,-34251</Group>
                    <Active>True</Active>
                </FirewallGroup>
                <FirewallGroup wcm:action="add" wcm:keyValue="WinRM"><Group>windows remote management</Group></FirewallGroup>
            </FirewallGroups>
        </component>
        <component name="Microsoft-Windows-Web-Services-for-Management-Core" processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS">
            <EnableServerRemoteManagement>False</EnableServerRemoteManagement>
        </component>
    </settings>
    <settings pass="oobeSystem">
        <component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64" language="neutral" versionScope="nonSxS">
            <UserAccounts><AdministratorPassword><Value>secret</Value></AdministratorPassword></UserAccounts>
        </component>
    </settings>
    <cpi:offlineImage cpi:source="wim:c:/install.wim#Server" xmlns:cpi="urn:schemas-microsoft-com:cpi" />
</unattend>
`

// Checklist 3.43: a sample file passes; foreign components are named and nothing of them
// is kept.
func TestSample(t *testing.T) {
	no := false
	want := &Answers{
		RemoteManagement: &no,
		Firewall:         map[firewall.Profile]bool{firewall.Domain: false},
		Groups: []Group{{"Windows Management Instrumentation (WMI)", firewall.Private, true},
			{"Windows Remote Management", firewall.Domain, false}}, // the documented defaults of Active and Profile
		Ignored: []string{"component Microsoft-Windows-Setup", "setting PublicProfile_DisableNotifications", "firewall group @FirewallAPI.dll,-28752",
			"component Microsoft-Windows-Shell-Setup", "offlineImage"},
	}
	units := utf16.Encode([]rune("\uFEFF" + strings.Replace(sample, "utf-8", "utf-16", 1)))
	little := make([]byte, 0, 2*len(units))
	for _, u := range units {
		little = binary.LittleEndian.AppendUint16(little, u)
	}
	for name, text := range map[string]string{"UTF-8": sample, "with a mark": "\xEF\xBB\xBF" + sample, "UTF-16": string(little)} {
		got, err := Parse(strings.NewReader(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func wsman(pass, inside string) string {
	return `<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="` + pass + `"><component name="Microsoft-Windows-Web-Services-for-Management-Core">` +
		inside + `</component></settings></unattend>`
}

func mpssvc(inside string) string {
	return strings.Replace(wsman("specialize", inside), componentWSMan, componentFW, 1)
}

func TestSettings(t *testing.T) {
	for _, row := range []struct {
		text string
		want bool
	}{
		{wsman("specialize", "<EnableServerRemoteManagement>true</EnableServerRemoteManagement>"), true},
		{wsman("oobeSystem", "<EnableServerRemoteManagement> TRUE </EnableServerRemoteManagement>"), true},
		{wsman("specialize", "<EnableServerremoteManagement>False</EnableServerremoteManagement>"), false}, // as the documents once spell it
	} {
		if a, err := Parse(strings.NewReader(row.text)); err != nil || a.RemoteManagement == nil || *a.RemoteManagement != row.want {
			t.Errorf("%s: %+v, %v", row.text, a, err)
		}
	}
}

// A file that is wrong anywhere is refused as a whole.
func TestWrongFiles(t *testing.T) {
	group := func(s string) string {
		return mpssvc("<FirewallGroups><FirewallGroup>" + s + "</FirewallGroup></FirewallGroups>")
	}
	for _, text := range []string{
		"", "x", "<unattend/>", `<answers xmlns="urn:schemas-microsoft-com:unattend"/>`, sample + "<more/>", sample[:len(sample)-20],
		`<!DOCTYPE unattend [<!ENTITY a "b">]>` + sample[len(`<?xml version="1.0" encoding="utf-8"?>`):],
		strings.Replace(sample, "utf-8", "iso-8859-1", 1), "\xFF\xFE\x3C",
		`<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="later"/></unattend>`,
		`<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="specialize"><component/></settings></unattend>`,
		`<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="specialize"><part/></settings></unattend>`,
		wsman("generalize", "<EnableServerRemoteManagement>true</EnableServerRemoteManagement>"),
		wsman("specialize", "<EnableServerRemoteManagement>1</EnableServerRemoteManagement>"),
		wsman("specialize", "<EnableServerRemoteManagement/>"),
		wsman("specialize", "<EnableServerRemoteManagment>true</EnableServerRemoteManagment>"),
		wsman("specialize", "<EnableServerRemoteManagement>true</EnableServerRemoteManagement><EnableServerRemoteManagement>false</EnableServerRemoteManagement>"),
		wsman("specialize", `<x:EnableServerRemoteManagement xmlns:x="urn:other">true</x:EnableServerRemoteManagement>`),
		mpssvc("<DomainProfile_EnableFirewal>true</DomainProfile_EnableFirewal>"), mpssvc("<DomainProfile_EnableFirewall>yes</DomainProfile_EnableFirewall>"),
		group("<Active>true</Active>"), group("<Group>a</Group><Group>b</Group>"), group("<Group>a</Group><Profile>home</Profile>"), group("<Group>a</Group><Port>1</Port>"),
		mpssvc("<FirewallGroups><Group>a</Group></FirewallGroups>"),
		mpssvc(`<FirewallGroups><FirewallGroup xmlns:w="http://schemas.microsoft.com/WMIConfig/2002/State" w:action="remove"><Group>a</Group></FirewallGroup></FirewallGroups>`),
		mpssvc("<FirewallGroups><FirewallGroup><Group>Windows Remote Management</Group><Active>true</Active><Profile>all</Profile></FirewallGroup>" +
			"<FirewallGroup><Group>@FirewallAPI.dll,-30267</Group><Profile>public</Profile></FirewallGroup></FirewallGroups>"),
		wsman("specialize", strings.Repeat("<a>", 40)+strings.Repeat("</a>", 40)),
		`<unattend xmlns="urn:schemas-microsoft-com:unattend">` + strings.Repeat("<a/>", maxElements) + "</unattend>",
		`<unattend xmlns="urn:schemas-microsoft-com:unattend">` + strings.Repeat(" ", maxFile) + "</unattend>",
	} {
		if a, err := Parse(strings.NewReader(text)); err == nil || a != nil {
			t.Errorf("%.120q was accepted", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(wsman("specialize", "<EnableServerRemoteManagement>true</EnableServerRemoteManagement>")))
	f.Add([]byte("\xFF\xFE<\x00a\x00/\x00>\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Parse(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		if a.RemoteManagement == nil && len(a.Firewall)+len(a.Groups) == 0 {
			return
		}
		// What counts can only come from our components.
		text := strings.ToLower(string(b))
		if utf8, err := utf8Of(b); err == nil {
			text = strings.ToLower(string(utf8))
		}
		if !strings.Contains(text, "unattend") {
			t.Fatalf("%q gives %+v", b, a)
		}
	})
}

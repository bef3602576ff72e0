package wsmanserver_test

import (
	"testing"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/settings"
)

// nobody lets in the system alone.
const nobody = "O:NSG:BAD:P(A;;GA;;;SY)"

// guard gives resource URIs a descriptor, as winrm configSDDL does.
func guard(t *testing.T, s *casementtest.Server, sddl string, exact bool, uris ...string) {
	t.Helper()
	for _, uri := range uris {
		changes, err := settings.PutSecurity(settings.BuiltinPlugins(), uri, sddl, exact)
		if err != nil {
			t.Fatal(err)
		}
		s.Apply(changes...)
	}
}

const (
	dmtfClass = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"
	denied    = 5
)

// An administrator closes a class. Who is shut out must not get in by spelling
// its URI in another way that leads to the same class.
func TestSpellingsOfAURIShareItsDescriptor(t *testing.T) {
	s, w := serve(t)
	for _, exact := range []bool{true, false} {
		guard(t, s, nobody, exact, wmi("Win32_Service"))
		for _, uri := range []string{
			wmi("Win32_Service"), wmi("WIN32_service"), wmi("Win32_Service") + "/", wmi("Win32_Service") + "//",
			nsWMI + "//root/cimv2/Win32_Service", nsWMI + "/root//cimv2/Win32_Service", nsWMI + "/root/cimv2//Win32_Service",
			nsWMI + "/./root/cimv2/Win32_Service", nsWMI + "/root/./cimv2/Win32_Service", nsWMI + "/root/x/../cimv2/Win32_Service",
			nsWMI + "/root/cimv2/Win32_%53ervice", nsWMI + "/root%2Fcimv2/Win32_Service", nsWMI + `/root\cimv2/Win32_Service`,
			nsWMI + `/root\cimv2\Win32_Service`, nsWMI + `/\root/cimv2/Win32_Service`, nsWMI + `/root/cimv2\/Win32_Service`, wmi("Win32_\u017Fervice"),
		} {
			a := w.do(request{action: get, uri: uri, selectors: winRM})
			if a.status == 200 {
				t.Errorf("exact %v: %s opened the class: %s", exact, uri, a.body)
			}
		}
	}
	if a := w.do(request{action: get, uri: wmi("Win32_Service"), selectors: winRM}); a.fault().Detail.Fault.Code != denied {
		t.Errorf("the class itself: %s", a.body)
	}
	w.ok(request{action: get, uri: wmi("CT_Only")})
}

// The same holds for the class's other name, the DMTF URI with the namespace as
// a selector, in whatever version of the schema.
func TestADMTFURIDoesNotDodgeTheDescriptorOfItsClass(t *testing.T) {
	s, w := serve(t)
	selectors := map[string]string{"Name": "WinRM", "__cimnamespace": "root/cimv2"}
	byDMTF := request{action: get, uri: dmtfClass + "Win32_Service", selectors: selectors}
	w.ok(byDMTF)
	guard(t, s, nobody, true, wmi("Win32_Service"))
	for _, namespace := range []string{"root/cimv2", `root\cimv2`, "/root/cimv2/", `\\.\root\cimv2`, "ROOT/CIMV2", "root//cimv2"} {
		selectors["__cimnamespace"] = namespace
		if a := w.do(byDMTF); a.status == 200 {
			t.Errorf("namespace %s opened the class: %s", namespace, a.body)
		}
	}
	w.ok(request{action: get, uri: dmtfClass + "CIM_Sensor", selectors: map[string]string{"DeviceID": "fan1", "__cimnamespace": "root/hardware"}})
	guard(t, s, nobody, true, dmtfClass+"CIM_Sensor")
	for _, uri := range []string{dmtfClass + "CIM_Sensor", dmtfClass + "CIM_Sensor/", dmtfClass[:len(dmtfClass)-2] + "3/CIM_Sensor",
		dmtfClass[:len(dmtfClass)-2] + "/CIM_Sensor", dmtfClass + "/CIM_Sensor"} {
		if a := w.do(request{action: get, uri: uri, selectors: map[string]string{"DeviceID": "fan1"}}); a.status == 200 {
			t.Errorf("%s opened the class: %s", uri, a.body)
		}
	}
}

// A shell runs as the Unix user of its owner's account, who may be root. One
// administrator of WinRM must not act as that user by naming the shell of
// another; seeing it and closing it is all that administrators may do.
func TestAdministratorsGiveNoCommandsInShellsOfOthers(t *testing.T) {
	const uri = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
	s, owner := serve(t)
	s.AddUser("second", "Secret-1-word", "Administrators")
	other := owner.as("second", "Secret-1-word")
	s.Apply(settings.SetLocalAccountTokenFilterPolicy(true))
	id := owner.ok(request{action: create, uri: uri, body: `<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams></rsp:Shell>`}).text("ShellId")
	in := map[string]string{"ShellId": id}
	do := func(w *wire, action, body string) reply {
		return w.do(request{action: nsShell + "/" + action, uri: uri, selectors: in, body: body})
	}
	command := do(owner, "Command", `<rsp:CommandLine><rsp:Command>sleep 20</rsp:Command></rsp:CommandLine>`).text("CommandId")
	for action, body := range map[string]string{
		"Command": `<rsp:CommandLine><rsp:Command>id</rsp:Command></rsp:CommandLine>`,
		"Send":    `<rsp:Send><rsp:Stream Name="stdin" CommandId="` + command + `">YQ==</rsp:Stream></rsp:Send>`,
		"Receive": `<rsp:Receive><rsp:DesiredStream CommandId="` + command + `">stdout</rsp:DesiredStream></rsp:Receive>`,
		"Signal":  `<rsp:Signal CommandId="` + command + `"><rsp:Code>` + nsShell + `/signal/terminate</rsp:Code></rsp:Signal>`,
	} {
		do(other, action, body).wantFault(action+" in the shell of another", "w:InvalidSelectors", "", 2150858843)
	}
	other.ok(request{action: get, uri: nsShell, selectors: in})
	other.ok(request{action: remove, uri: uri, selectors: in})
	owner.do(request{action: get, uri: nsShell, selectors: in}).wantFault("after its end", "w:InvalidSelectors", "", 2150858843)
}

// Class metadata has one descriptor, under whatever URI below its base it is
// asked for.
func TestClassMetadataHasOneDescriptor(t *testing.T) {
	const base = "http://schemas.dmtf.org/wbem/cim-xml/2/cim-schema/2/"
	s, w := serve(t)
	ask := func(last string) reply {
		return w.do(request{action: get, uri: base + last, selectors: map[string]string{"__cimnamespace": "root/cimv2", "ClassName": "Win32_Service"}})
	}
	if a := ask("*"); a.status != 200 {
		t.Fatal(a.body)
	}
	guard(t, s, nobody, true, base+"*")
	for _, last := range []string{"*", "*/", "Win32_Service", ""} {
		if a := ask(last); a.status == 200 {
			t.Errorf("%s opened class metadata: %s", base+last, a.body)
		}
	}
}

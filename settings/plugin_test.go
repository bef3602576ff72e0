package settings

import (
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
)

func testPlugin() Plugin {
	uri := "http://example.org/res"
	return Plugin{Name: "MyPlugIn", Filename: "/usr/lib/my.so", Resources: []Resource{{ResourceURI: uri,
		Capabilities: []Capability{{Type: "Get", SupportsFragment: true}, {Type: "Enumerate", SupportsFiltering: true}},
		Security:     []PluginSecurity{{URI: uri + "/x", SDDL: sddlShell}}}}}
}

// Plug-ins of spec/winrm.md 3.7; statement 74: plug-in XML with zero Resource ->
// rejected; Shell + Get on one URI -> rejected.
func TestPluginValidate(t *testing.T) {
	for _, row := range []struct {
		id     string
		change func(*Plugin)
		code   uint32
	}{
		{"good", func(*Plugin) {}, 0},
		{"74: zero Resource", func(p *Plugin) { p.Resources = nil }, CodeSchemaValidation},
		{"74: Shell + Get", func(p *Plugin) { p.Resources[0].Capabilities = []Capability{{Type: "Shell"}, {Type: "Get"}} }, CodeSchemaValidation},
		{"Shell alone", func(p *Plugin) { p.Resources[0].Capabilities = []Capability{{Type: "Shell"}} }, 0},
		{"no capability", func(p *Plugin) { p.Resources[0].Capabilities = nil }, CodeSchemaValidation},
		{"unknown capability", func(p *Plugin) { p.Resources[0].Capabilities[0].Type = "get" }, CodeSchemaValidation},
		{"fragment of Enumerate", func(p *Plugin) { p.Resources[0].Capabilities[1].SupportsFragment = true }, CodeSchemaValidation},
		{"filter of Get", func(p *Plugin) { p.Resources[0].Capabilities[0].SupportsFiltering = true }, CodeSchemaValidation},
		{"no name", func(p *Plugin) { p.Name = "" }, CodeSchemaValidation},
		{"name of 2049", func(p *Plugin) { p.Name = strings.Repeat("n", 2049) }, CodeSchemaValidation},
		{"no file", func(p *Plugin) { p.Filename = "" }, CodeInvalidFilePath},
		{"SDKVersion 3", func(p *Plugin) { p.SDKVersion = 3 }, CodeSchemaValidation},
		{"rendering", func(p *Plugin) { p.XMLRenderingType = "dom" }, CodeSchemaValidation},
		{"XmlReader", func(p *Plugin) { p.XMLRenderingType = "XmlReader" }, 0},
		{"architecture", func(p *Plugin) { p.Architecture = "16" }, CodeSchemaValidation},
		{"idle 1209601", func(p *Plugin) { p.ProcessIdleTimeoutSec = 1209601 }, CodeSchemaValidation},
		{"buffering", func(p *Plugin) { p.OutputBufferingMode = "Keep" }, CodeSchemaValidation},
		{"security outside -> 0x803381AF", func(p *Plugin) { p.Resources[0].Security[0].URI = "http://other" }, 0x803381AF},
		{"bad SDDL -> 0x8033815C", func(p *Plugin) { p.Resources[0].Security[0].SDDL = "X" }, 0x8033815C},
		{"users 101", func(p *Plugin) { p.Quotas = &PluginQuotas{MaxConcurrentUsers: 101} }, CodeSchemaValidation},
		{"idle 59999", func(p *Plugin) { p.Quotas = &PluginQuotas{IdleTimeoutms: 59999} }, CodeSchemaValidation},
		{"same URI twice", func(p *Plugin) { p.Resources = append(p.Resources, p.Resources[0]) }, CodeSchemaValidation},
	} {
		p := testPlugin()
		row.change(&p)
		wantCode(t, row.id, p.Validate(), row.code)
	}
	for _, p := range BuiltinPlugins() {
		if err := p.Validate(); err != nil {
			t.Errorf("built-in %s: %v", p.Name, err)
		}
	}
}

func TestPluginStore(t *testing.T) {
	empty := registry.NewTree()
	changes, err := CreatePlugin(empty, testPlugin())
	wantCode(t, "create", err, 0)
	r := hive(t, nil, changes...)
	list, bad := Plugins(r)
	i := findPlugin(list, "myplugin")
	if len(bad) > 0 || i < 0 {
		t.Fatalf("%+v %+v", list, bad)
	}
	p := list[i]
	if len(p.Resources) != 1 || !p.Resources[0].Capabilities[1].SupportsFiltering || p.Resources[0].Security[0].SDDL != sddlShell {
		t.Errorf("read back %+v", p)
	}
	if q := p.EffectiveQuotas(); q != DefaultQuotas {
		t.Errorf("quotas %+v", q)
	}
	_, err = CreatePlugin(r, testPlugin())
	wantCode(t, "again", err, CodeAlreadyExists)
	other := testPlugin()
	other.Name = "Other"
	_, err = CreatePlugin(r, other)
	wantCode(t, "two plug-ins must not expose the same URI", err, CodeAlreadyExists)
	runAs := testPlugin()
	runAs.RunAsUser, runAs.RunAsPassword = "u", "geheim"
	_, err = CreatePlugin(hive(t, gpo(on("Service", "DisableRunAs"))), runAs)
	wantCode(t, "DisableRunAs -> 0x803381E0", err, 0x803381E0)
	stored, err := CreatePlugin(empty, runAs)
	if err != nil || strings.Contains(stored[0].Value.String(), "geheim") {
		t.Errorf("the RunAs password is in the hive (%v)", err)
	}
	_, err = DeletePlugin(r, "WMI Provider")
	wantCode(t, "delete of a built-in", err, CodeReadOnly)
	del, err := DeletePlugin(r, "MyPlugIn")
	wantCode(t, "delete", err, 0)
	if list, _ := Plugins(hive(t, nil, append(changes, del...)...)); len(list) != len(BuiltinPlugins()) {
		t.Errorf("%d plug-ins are left", len(list))
	}
	_, bad = Plugins(hive(t, nil, Change{Key: KeyPlugin + `\x`, Name: "ConfigXML", Value: registry.SZ("<a>")}))
	if len(bad) != 1 || bad[0].Err.Code != CodePluginCorrupted {
		t.Errorf("damaged: %+v", bad)
	}
}

// Statement 75: the most specific (longest prefix / exact) Security entry decides.
func TestSecurityTable(t *testing.T) {
	table := SecurityTable{{URI: "http://r/a", SDDL: "A"}, {URI: "http://r/a/b", SDDL: "AB"}, {URI: "http://r/x", SDDL: "X", ExactMatch: true}}
	for uri, want := range map[string]string{"http://r/a": "A", "HTTP://R/A/z": "A", "http://r/a/b/c": "AB", "http://r/x": "X", "http://r/x/y": "root", "http://q": "root"} {
		if got := table.SDDL(uri, "root"); got != want {
			t.Errorf("%s: %s, want %s", uri, got, want)
		}
	}
	own := "O:NSG:BAD:P(A;;GA;;;BA)"
	plugins := BuiltinPlugins()
	changes, err := PutSecurity(plugins, wsman1+"/wmi/", own, false)
	wantCode(t, "1.7: the documented configSDDL URI", err, 0)
	r := hive(t, nil, changes...)
	loaded, bad := LoadSecurity(r, plugins)
	if got := loaded.SDDL(wsman1+"/wmi/root/cimv2/Win32_Service", "root"); len(bad) > 0 || got != own {
		t.Errorf("%s %+v", got, bad)
	}
	if got := loaded.SDDL(wsman1+"/wmi", "root"); got != sddlWMI {
		t.Errorf("the plug-in's own entry became %s", got)
	}
	_, err = PutSecurity(plugins, "http://unknown/", own, false)
	wantCode(t, "URI whose security cannot be changed -> 0x803381BF", err, 0x803381BF)
	_, err = PutSecurity(plugins, wsman1+"/wmi/", "D:(", false)
	wantCode(t, "bad SDDL -> 0x8033815C", err, 0x8033815C)
	del, err := DeleteSecurity(r, wsman1+"/WMI/")
	wantCode(t, "delete", err, 0)
	if loaded, _ := LoadSecurity(hive(t, nil, append(changes, del...)...), plugins); loaded.SDDL(wsman1+"/wmi/x", "root") != sddlWMI {
		t.Error("the plug-in's entry did not come back")
	}
	_, err = DeleteSecurity(r, "http://unknown/")
	wantCode(t, "delete unknown", err, CodeResourceNotFound)
}

// The XML of [MS-WSMV] 2.2.4.22 as an administrator writes it, with the other spelling
// SupportOptions.
const pluginXML = `<PlugInConfiguration xmlns="http://schemas.microsoft.com/wbem/wsman/1/config/PluginConfiguration"
 Name="MyPlugIn" Filename="%windir%\my.dll" SDKVersion="1" XmlRenderingType="text" UseSharedProcess="true">
 <InitializationParameters><Param Name="a" Value="b"/></InitializationParameters>
 <Resources><Resource ResourceUri="http://example.org/res" SupportOptions="true">
  <Security Uri="http://example.org/res" Sddl="O:NSG:BAD:P(A;;GA;;;BA)" ExactMatch="true"/>
  <Capability Type="Get" SupportsFragment="true"/></Resource></Resources>
 <Quotas MaxShells="7"/></PlugInConfiguration>`

func TestParsePlugin(t *testing.T) {
	p, err := ParsePlugin(pluginXML)
	if err != nil {
		t.Fatal(err)
	}
	r := p.Resources[0]
	if p.Name != "MyPlugIn" || !p.UseSharedProcess || p.Parameters[0] != (PluginParam{"a", "b"}) || !r.SupportOptions || !r.Security[0].ExactMatch ||
		!r.Capabilities[0].SupportsFragment || p.EffectiveQuotas().MaxShells != 7 || p.EffectiveQuotas().MaxShellsPerUser != 5 {
		t.Errorf("%+v", p)
	}
}

func FuzzPlugin(f *testing.F) {
	f.Add(pluginXML)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePlugin(text)
		if err != nil {
			return
		}
		out, err := p.XML()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePlugin(out); err != nil && len(out) <= maxPluginXML {
			t.Fatalf("what was written is refused: %v\n%s", err, out)
		}
	})
}

package winrmtool

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// noConnector fails the test when anything is opened.
type noConnector struct{ t *testing.T }

func (n noConnector) Local(context.Context) (*wsmanclient.Client, error) {
	n.t.Error("a local session was opened")
	return nil, errors.New("no")
}

func (n noConnector) Remote(context.Context, RemoteOptions) (*wsmanclient.Client, error) {
	n.t.Error("a remote session was opened")
	return nil, errors.New("no")
}

func (n noConnector) Client() settings.Client {
	w, _ := settings.Load(registry.NewTree(), settings.Current)
	return w.Client
}

// run runs a tool that must not connect.
func run(t *testing.T, in string, q QuickConfig, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	tool := &Tool{Connector: noConnector{t}, QuickConfig: q, In: strings.NewReader(in), Out: &o, Err: &e}
	code = tool.Run(t.Context(), args)
	return o.String(), e.String(), code
}

// machine is a machine that lacks what the documented transcript shows.
type machine struct {
	running, applied bool
	refuse           error
	options          QuickConfigOptions
}

func (m *machine) Plan(_ context.Context, o QuickConfigOptions) (QuickPlan, error) {
	m.options = o
	p := QuickPlan{Running: m.running || m.applied}
	if !m.applied {
		p.Actions = []string{"Set the WinRM service type to delayed auto start.", "Start the WinRM service.",
			"Create a WinRM listener on HTTP://* to accept WS-Man requests to any IP on this machine."}
	}
	return p, m.refuse
}

func (m *machine) Apply(context.Context, QuickPlan) ([]string, error) {
	m.applied = true
	return []string{"WinRM service type changed to delayed auto start.", "WinRM service started.",
		"Created a WinRM listener on HTTP://* to accept WS-Man requests to any IP on this machine."}, nil
}

const planText = `WinRM is not set up to receive requests on this machine.
The following changes must be made:

Set the WinRM service type to delayed auto start.
Start the WinRM service.
Create a WinRM listener on HTTP://* to accept WS-Man requests to any IP on this machine.
`

// The report is that of spec section 1.6, after the prompt in its own words.
const reportText = `
WinRM has been updated for remote management.

WinRM service type changed to delayed auto start.
WinRM service started.
Created a WinRM listener on HTTP://* to accept WS-Man requests to any IP on this machine.
`

func TestQuickConfigDialogue(t *testing.T) {
	const prompt = "\nMake these changes [y/n]? "
	for _, verb := range []string{"quickconfig", "qc"} {
		for _, c := range []struct {
			in, want string
			applied  bool
			args     []string
		}{
			{"y\n", planText + prompt + reportText, true, nil},
			{"what\nY\n", planText + prompt + prompt + reportText, true, nil},
			{"n\n", planText + prompt, false, nil},
			{"", planText + prompt, false, nil},
			{"", planText + reportText, true, []string{"-quiet"}},
			{"", planText + reportText, true, []string{"/q"}},
		} {
			m := &machine{}
			out, errs, code := run(t, c.in, m, append([]string{verb}, c.args...)...)
			if out != c.want || errs != "" || code != ExitOK || m.applied != c.applied {
				t.Errorf("%s %q %q: %d %v\n%s%s", verb, c.in, c.args, code, m.applied, out, errs)
			}
		}
	}
	m := &machine{applied: true}
	const again = "WinRM service is already running on this machine.\nWinRM is already set up for remote management on this computer.\n"
	if out, _, code := run(t, "", m, "qc"); out != again || code != ExitOK {
		t.Errorf("the second run: %d\n%s", code, out)
	}
	m = &machine{refuse: &settings.Error{Code: 0x80338115, Message: "no certificate"}}
	out, errs, code := run(t, "y\n", m, "qc", "-transport:HTTPS", "-force")
	if code != ExitFailure || out != "" || m.applied || m.options != (QuickConfigOptions{"HTTPS", true}) ||
		!strings.Contains(errs, "\n\nError number:  -2144108267 0x80338115\n") {
		t.Errorf("%d %+v\n%s%s", code, m, out, errs)
	}
}

// winrm help config names every setting of the schema, with its default
// (checklist 2.22).
func TestHelpNamesEverySetting(t *testing.T) {
	out, _, code := run(t, "", nil, "help", "config")
	if code != ExitOK {
		t.Fatal(code)
	}
	w, _ := settings.Load(registry.NewTree(), settings.Current)
	fields, err := w.Describe(settings.URIConfig)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var walk func([]settings.Field)
	walk = func(list []settings.Field) {
		for _, f := range list {
			if len(f.Children) > 0 {
				walk(f.Children)
				continue
			}
			n++
			at := strings.Index(out, f.Name)
			if at < 0 {
				t.Errorf("it does not name %s", f.Name)
			} else if !strings.Contains(out, f.Value) {
				t.Errorf("it does not say that %s is %s", f.Name, f.Value)
			}
		}
	}
	walk(fields)
	if n != 44 { // as many as spec section 1.5 prints
		t.Errorf("the schema has %d settings", n)
	}
	for _, word := range []string{"Listener", "Address", "Transport", "Port", "Hostname", "Enabled", "ListeningOn", "TrustedHosts", "Certificates"} {
		if !strings.Contains(out, word) {
			t.Errorf("it does not name %s", word)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, topic := range []string{"uris", "aliases", "config", "certmapping", "remoting", "auth", "input", "switches", "proxy", "filters"} {
		out, _, code := run(t, "", nil, "help", strings.ToUpper(topic))
		if code != ExitOK || len(out) < 300 {
			t.Errorf("%s: %d %d bytes", topic, code, len(out))
		}
	}
	general, _, _ := run(t, "", nil)
	for _, args := range [][]string{{"-?"}, {"/?"}, {"help"}} {
		if out, _, code := run(t, "", nil, args...); code != ExitOK || out != general || !strings.Contains(out, "quickconfig (qc)") {
			t.Errorf("%q: %d", args, code)
		}
	}
	seen := map[string]string{}
	for word, verb := range verbs {
		out, _, code := run(t, "", nil, word, "-?")
		if code != ExitOK || len(out) < 100 {
			t.Errorf("%s -?: %d %q", word, code, out)
		}
		if other, ok := seen[verb]; ok && other != out {
			t.Errorf("%s -? differs", word)
		}
		seen[verb] = out
	}
	for def := range uses {
		for name := range strings.FieldsSeq(uses[def]) {
			if findSwitch(name) == nil {
				t.Errorf("%s uses a switch %s that does not exist", def, name)
			}
		}
	}
	switchHelp := strings.NewReplacer("[", "", "]", "").Replace(helpText("switches"))
	for _, d := range switchDefs[:len(switchDefs)-1] {
		if !strings.Contains(switchHelp, "-"+d.names[0]) {
			t.Errorf("winrm help switches does not name -%s", d.names[0])
		}
	}
	if _, errs, code := run(t, "", nil, "help", "../winrm"); code != ExitUsage || !strings.Contains(errs, "topics are") {
		t.Errorf("%d %s", code, errs)
	}
}

// Numbers in every notation; the numbers and their names are those of
// [MS-ERREF] and wsmerror.h.
func TestHelpmsg(t *testing.T) {
	for _, c := range []struct{ number, want string }{
		{"5", "Access is denied."}, {"0x5", "Access is denied."}, {"0x80070005", "Access is denied."}, {"-2147024891", "Access is denied."},
		{"0x80338012", wsman.CodeDestinationUnreachable.Text()}, {"-2144108526", wsman.CodeDestinationUnreachable.Text()}, {"2150858770", wsman.CodeDestinationUnreachable.Text()},
		{"1722", "The RPC server is not available."}, {"12007", "The server's name could not be resolved."},
		{"0x80041010", "The class does not exist or is not valid."}, {"-2147217392", "The class does not exist or is not valid."},
		{"0x80041003", "The present user may not do this."}, {"0x80090322", "The target principal name is wrong."}, {"0", "The operation completed successfully."},
	} {
		if out, errs, code := run(t, "", nil, "helpmsg", c.number); code != ExitOK || out != c.want+"\n" {
			t.Errorf("%s: %d %q %s", c.number, code, out, errs)
		}
	}
	for n := uint32(0x80338000); n < 0x80338200; n++ {
		if text, ok := Message(n); !ok || text == "" {
			t.Errorf("0x%08X has no text", n)
		}
	}
	for _, bad := range []string{"x", "0x", "4294967296", "77777"} {
		if _, _, code := run(t, "", nil, "helpmsg", bad); code != ExitUsage {
			t.Errorf("%s: %d", bad, code)
		}
	}
}

func TestOverlay(t *testing.T) {
	target, err := parseResource("winrm/config/listener?Address=*+Transport=HTTP")
	if err != nil {
		t.Fatal(err)
	}
	n, err := parseXML([]byte(listenerXML))
	if err != nil {
		t.Fatal(err)
	}
	if err := overlay(n, target, []property{{Name: "Port", Value: "6000"}, {Name: "Hostname", Null: true}}); err != nil {
		t.Fatal(err)
	}
	got, err := parseXML(n.xml())
	if err != nil {
		t.Fatal(err)
	}
	const want = `Listener
    Address = *
    Transport = HTTP
    Port = 6000
    Hostname = null
    Enabled = true
    URLPrefix = wsman
    CertificateThumbprint
`
	if got.text() != want {
		t.Errorf("%s\nwant\n%s", got.text(), want)
	}
	if !got.Children[2].is("http://schemas.microsoft.com/wbem/wsman/1/config/listener", "Port") {
		t.Error("the namespace is lost")
	}
	err = overlay(n, target, []property{{Name: "port", Value: "1"}})
	if !errors.Is(err, codeParameterName) || !strings.Contains(err.Error(), "it is Port") {
		t.Error(err)
	}
	client, _ := parseXML([]byte(policyXML))
	if err := overlay(client, wsman.EPR{}, []property{{Name: "Auth", Value: "x"}}); !errors.Is(err, codeParameterName) {
		t.Error(err)
	}
	if err := overlay(client, wsman.EPR{}, nil); err != nil || strings.Contains(string(client.xml()), "GPO") {
		t.Errorf("%v: the mark of policy is written back: %s", err, client.xml())
	}
	array, _ := parseXML([]byte(`<p:X xmlns:p="u"><p:A>1</p:A><p:A>2</p:A><p:B>3</p:B></p:X>`))
	if err := overlay(array, wsman.EPR{}, []property{{Name: "A", Value: "9"}}); err != nil || array.text() != "X\n    A = 9\n    B = 3\n" {
		t.Errorf("%v %s", err, array.text())
	}
}

func TestBodies(t *testing.T) {
	listener, _ := parseResource("winrm/config/Listener?Address=*+Transport=HTTPS")
	got := string(createBody(listener, []property{{Name: "Hostname", Value: "a&b"}}))
	if want := `<p:Listener xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/config/listener"><p:Hostname>a&amp;b</p:Hostname></p:Listener>`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	process, _ := parseResource("wmicimv2/Win32_Process")
	got = string(invokeBody(process, "Create", []property{{Name: "CommandLine", Value: "x"}, {Name: "CurrentDirectory", Null: true}}))
	const uri = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Process"
	if want := `<p:Create_INPUT xmlns:p="` + uri + `"><p:CommandLine>x</p:CommandLine><p:CurrentDirectory xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/></p:Create_INPUT>`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := string(invokeBody(process, "X", nil)); got != `<p:X_INPUT xmlns:p="`+uri+`"/>` {
		t.Error(got)
	}
}

// The input of set and create: a file, the standard input, or none.
func TestInputSources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "in.xml")
	if err := os.WriteFile(file, []byte("<?xml version=\"1.0\"?>\n<a>1</a>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		in   string
		want string
		fail bool
	}{
		{[]string{"set", "x", "-file:" + file}, "", "<a>1</a>", false},
		{[]string{"set", "x"}, "<b/>", "<b/>", false},
		{[]string{"create", "x", "@{}"}, "<b/>", "", false},
		{[]string{"set", "x"}, "", "", true},
		{[]string{"set", "x"}, "<b>", "", true},
		{[]string{"set", "x", "-file:" + file + ".none"}, "", "", true},
		{[]string{"invoke", "y", "x"}, "", "", false},
	} {
		tool := &Tool{In: strings.NewReader(c.in)}
		got, err := tool.input(mustParse(t, c.args...))
		if string(got) != c.want || (err != nil) != c.fail {
			t.Errorf("%q: %q %v", c.args, got, err)
		}
	}
}

func TestFragmentPath(t *testing.T) {
	for in, want := range map[string]string{"Name": "Name", "/Win32_Service/Name": "Name", "DNSServerSearchOrder[1]": "DNSServerSearchOrder[1]", "/Name": "Name", "A/text()": "A/text()"} {
		if got := relativePath(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestProxy(t *testing.T) {
	env := func(name string) string { return map[string]string{"HTTPS_PROXY": "proxy.example:3128"}[name] }
	for _, c := range []struct {
		conn Connection
		want string
		fail bool
	}{
		{Connection{}, "", false}, {Connection{ProxyAccess: "no_proxy"}, "", false}, {Connection{ProxyAccess: "ie_settings"}, "env", false},
		{Connection{ProxyAccess: "winhttp_settings", ProxyAuth: "basic", ProxyUser: "u", ProxyPassword: "p"}, "http://u:p@proxy.example:3128", false},
		{Connection{ProxyAccess: "auto_detection"}, "", true}, {Connection{ProxyAuth: "negotiate"}, "", true},
	} {
		got, err := c.conn.proxy(env)
		if got != c.want || (err != nil) != c.fail {
			t.Errorf("%+v: %s %v", c.conn, got, err)
		}
	}
}

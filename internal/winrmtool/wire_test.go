package winrmtool

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// An alias that reaches the wire is refused; the tool expands it (statement 43).
func TestAliasOnTheWire(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	client, err := wsmanclient.New(s.HTTP, wsmanclient.Options{Credentials: auth.Credentials{Username: s.User, Password: s.Password}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var f *wsman.Fault
	if _, err := client.Get(t.Context(), wsman.EPR{ResourceURI: "winrm/config"}, nil); !errors.As(err, &f) || !f.Remote {
		t.Errorf("an alias on the wire: %v, want a fault of the service", err)
	}
	if _, err := client.Get(t.Context(), wsman.EPR{ResourceURI: expand("winrm/config")}, nil); err != nil {
		t.Error(err)
	}
}

// strict is a machine whose client settings are the documented ones.
type strict struct{ noConnector }

func (s strict) Remote(_ context.Context, o RemoteOptions) (*wsmanclient.Client, error) {
	o.Options.Settings = func() *settings.Client { set := s.Client(); return &set }
	return wsmanclient.New(o.Endpoint, o.Options)
}

// What the client's settings forbid is refused before anything is sent
// (statements 51 to 53 and 59).
func TestNothingIsSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var connections atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			c.Close()
		}
	}()
	at := "-r:http://" + l.Addr().String()
	for _, c := range []struct{ line, number string }{
		{at + " -u:u -p:p -unencrypted", "0x803380DE"},
		{at + " -u:u -p:p -a:Basic", "0x803380DE"},
		{at + " -u:u -p:p -a:CredSSP", "0x803381A2"},
		{at + " -u:u -p:p -a:Kerberos", "0x8033810E"},
		{"-r:http://192.0.2.77 -u:u -p:p", "0x803380E4"},
		{"-r:http://192.0.2.77 -u:u -p:p -a:Kerberos", "0x8033810B"},
		{"-r:http://192.0.2.77", "0x803381BB"},
	} {
		var out, errs bytes.Buffer
		tool := &Tool{Connector: strict{noConnector{t}}, Out: &out, Err: &errs}
		code := tool.Run(t.Context(), append([]string{"get", "winrm/config"}, strings.Fields(c.line)...))
		if code != ExitFailure || out.Len() > 0 || !strings.Contains(errs.String(), c.number+"\n") {
			t.Errorf("%s: %d %s", c.line, code, errs.String())
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were opened", n)
	}
}

// The operations against a real service, by the tool's own switches.
func TestOperations(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	run := func(args ...string) (string, string, int) {
		var out, errs bytes.Buffer
		tool := &Tool{Connector: strict{noConnector{t}}, Out: &out, Err: &errs,
			Password: func(context.Context, string) (string, error) { return s.Password, nil }}
		code := tool.Run(t.Context(), append(args, "-r:"+s.HTTP, "-u:"+s.User))
		return out.String(), errs.String(), code
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"get", "winrm/config/winrs"}, "    MaxShellsPerUser = 30\n"},
		{[]string{"set", "winrm/config/winrs", `@{MaxShellsPerUser="7"}`}, "    MaxShellsPerUser = 7\n"},
		{[]string{"get", "winrm/config/winrs", "-encoding:utf-16", "-timeout:5000"}, "    MaxShellsPerUser = 7\n"},
		{[]string{"invoke", "restore", "winrm/config", "@{}"}, ""},
		{[]string{"get", "winrm/config/winrs", "-format:xml"}, ":MaxShellsPerUser>30<"},
		{[]string{"enumerate", "winrm/config/listener", "-returntype:objectandepr"}, "Selector: Address = IP:127.0.0.1, Transport = HTTP\n"},
		{[]string{"enumerate", "wmicimv2/Win32_OperatingSystem", "-shallow"}, "Win32_OperatingSystem\n"},
		{[]string{"enumerate", "winrm/config/plugin", "-format:pretty"}, `Name="WMI Provider"`},
	} {
		out, errs, code := run(c.args...)
		if code != ExitOK || errs != "" || !strings.Contains(out, c.want) {
			t.Errorf("%q: %d\n%s%s", c.args, code, out, errs)
		}
	}
	big := filepath.Join(t.TempDir(), "big.xml")
	if err := os.WriteFile(big, []byte("<a>"+strings.Repeat("x", 40<<10)+"</a>"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Set("MaxEnvelopeSizekb", "32")
	if _, errs, code := run("set", "winrm/config", "-file:"+big); code != ExitFailure || !strings.Contains(errs, "0x80338111\n") {
		t.Errorf("a request above MaxEnvelopeSizekb: %d %s", code, errs)
	}
	if out, errs, code := run("delete", "winrm/config/listener?Address=*+Transport=HTTP"); code != ExitFailure || out != "" || !strings.Contains(errs, "0x80338000") {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

package wsmanclient_test

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Commands with no argument, one shell each, over https. What they printed is
// read off the base64 of the recorded answers.
func TestRecordedCommandLines(t *testing.T) {
	type line struct {
		command string
		has     []string
	}
	for _, test := range []struct {
		file  string
		shell wsmanclient.ShellOptions
		lines []line
	}{
		{file: "test_client_execute_cmd.yml", lines: []line{
			{"dir", []string{" Volume in drive C is Windows 2016\r\n", " Directory of C:\\Users\\vagrant\r\n"}},
			{"echo abc", []string{"abc\r\n"}}}},
		{file: "test_client_execute_cmd_environment.yml", lines: []line{
			{"set", []string{"\r\nbool=True\r\n", "\r\ndouble_quote=double \" quote\r\n", "\r\nhyphen - var=abc @ 123\r\n", "\r\nint=1234\r\n"}}},
			shell: wsmanclient.ShellOptions{Environment: []winrs.Variable{{Name: "string", Value: "string value"}, {Name: "int", Value: "1234"},
				{Name: "bool", Value: "True"}, {Name: "double_quote", Value: `double " quote`}, {Name: "single_quote", Value: "single ' quote"},
				{Name: "hyphen - var", Value: "abc @ 123"}}}},
	} {
		t.Run(strings.TrimSuffix(test.file, ".yml"), func(t *testing.T) {
			c := replay(t, test.file)
			for _, l := range test.lines {
				s, err := c.CreateShell(t.Context(), test.shell)
				if err != nil {
					t.Fatal(err)
				}
				var out strings.Builder
				code, err := s.Run(t.Context(), wsmanclient.CommandOptions{Command: l.command, Stdout: &out}, nil)
				if err != nil || code != 0 {
					t.Fatalf("%s: exit code %d, %v", l.command, code, err)
				}
				for _, want := range l.has {
					if !strings.Contains(out.String(), want) {
						t.Errorf("%s printed %q, which lacks %q", l.command, out.String(), want)
					}
				}
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Receive of a command that is not there, and of none.
func TestRecordedFaultOfReceive(t *testing.T) {
	receive := func(t *testing.T, c *wsmanclient.Client, s *wsmanclient.Shell, attribute string) error {
		t.Helper()
		body := `<rsp:Receive xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><rsp:DesiredStream` + attribute +
			`>stdout stderr</rsp:DesiredStream></rsp:Receive>`
		_, err := c.Invoke(t.Context(), s.Reference(), winrs.ActionReceive, []byte(body), &wsmanclient.RequestOptions{MustUnderstand: true,
			Options: wsman.OptionSet{{Name: winrs.OptionKeepAlive, Value: "True"}}})
		return err
	}
	for _, test := range []struct {
		file, attribute string
		command         []string
		code            wsman.Code
		text            string
	}{
		{"test_winrs_bad_cmd_id.yml", ` CommandId="87E77BEB-6761-4C48-9D70-A00266B8459A"`, []string{"/c", "echo", "hi"}, 2150858843,
			"a command identifier that does not exist"},
		{"test_winrs_fail_poll_process.yml", "", nil, 87, "The parameter is incorrect"},
	} {
		t.Run(strings.TrimSuffix(test.file, ".yml"), func(t *testing.T) {
			c := replay(t, test.file)
			s, err := c.CreateShell(t.Context(), wsmanclient.ShellOptions{})
			if err != nil {
				t.Fatal(err)
			}
			end := func() {}
			if test.command != nil {
				end = bareCommand(t, c, s, test.command)
			}
			err = receive(t, c, s, test.attribute)
			var f *wsman.Fault
			if !errors.As(err, &f) || !f.Remote || !errors.Is(err, test.code) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v, want the fault %d %q", err, test.code, test.text)
			}
			end()
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// bareCommand starts a command by bare messages, and returns what ends it: a
// Command of the shell would ask for output that the recording does not have.
func bareCommand(t *testing.T, c *wsmanclient.Client, s *wsmanclient.Shell, arguments []string) func() {
	t.Helper()
	const shell = `xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"`
	line := `<rsp:CommandLine ` + shell + `><rsp:Command>cmd.exe</rsp:Command>`
	for _, a := range arguments {
		line += `<rsp:Arguments>` + a + `</rsp:Arguments>`
	}
	answer, err := c.Invoke(t.Context(), s.Reference(), winrs.ActionCommand, []byte(line+`</rsp:CommandLine>`),
		&wsmanclient.RequestOptions{MustUnderstand: true, Options: wsman.OptionSet{{Name: winrs.OptionSkipShell, Value: "False"}}})
	if err != nil {
		t.Fatal(err)
	}
	var id struct {
		CommandID string `xml:"CommandId"`
	}
	if err := xml.Unmarshal(answer, &id); err != nil || id.CommandID == "" {
		t.Fatalf("%v in %s", err, answer)
	}
	return func() {
		body := `<rsp:Signal ` + shell + ` CommandId="` + id.CommandID + `"><rsp:Code>http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/ctrl_c</rsp:Code></rsp:Signal>`
		if _, err := c.Invoke(t.Context(), s.Reference(), winrs.ActionSignal, []byte(body), nil); err != nil {
			t.Error(err)
		}
	}
}

// Get of the configuration of three hosts that differ in one setting.
func TestRecordedConfiguration(t *testing.T) {
	for file, want := range map[string]string{
		"test_wsman_update_envelope_size_150.yml":  "150",
		"test_wsman_update_envelope_size_500.yml":  "500",
		"test_wsman_update_envelope_size_4096.yml": "4096",
	} {
		t.Run(strings.TrimSuffix(file, ".yml"), func(t *testing.T) {
			got, err := replay(t, file).Get(t.Context(), wsman.EPR{ResourceURI: "http://schemas.microsoft.com/wbem/wsman/1/config"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var config struct {
				XMLName xml.Name `xml:"http://schemas.microsoft.com/wbem/wsman/1/config Config"`
				Size    string   `xml:"MaxEnvelopeSizekb"`
				Prefix  string   `xml:"Client>URLPrefix"`
			}
			if err := xml.Unmarshal(got, &config); err != nil || config.Size != want || config.Prefix != "wsman" {
				t.Errorf("%v: MaxEnvelopeSizekb %q, want %q", err, config.Size, want)
			}
		})
	}
}

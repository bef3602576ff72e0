package winrs_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
)

func message(t *testing.T, content string) *wsman.Message {
	t.Helper()
	m, err := wsman.Decode([]byte(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header/><s:Body>`+content+`</s:Body></s:Envelope>`), "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The answer of a command that ended, as recorded (statement 68).
func TestReceiveResponse(t *testing.T) {
	const doc = `<rsp:ReceiveResponse><rsp:Stream Name="stdout" CommandId="C">aGkNCg==</rsp:Stream><rsp:Stream Name="stdout" CommandId="C" End="true"></rsp:Stream><rsp:Stream Name="stderr" CommandId="C" End="true"></rsp:Stream><rsp:CommandState CommandId="C" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"><rsp:ExitCode>-2147024894</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse>`
	buf := make([]byte, 0, 64)
	got, grown, err := winrs.ReadReceiveResponse(message(t, doc), buf)
	if err != nil {
		t.Fatal(err)
	}
	want := []winrs.Stream{
		{Name: "stdout", CommandID: "C", Data: []byte("hi\r\n")},
		{Name: "stdout", CommandID: "C", End: true, Data: []byte{}},
		{Name: "stderr", CommandID: "C", End: true, Data: []byte{}},
	}
	if !reflect.DeepEqual(got.Streams, want) || got.State != winrs.Done || !got.HasExitCode || got.ExitCode != 0x80070002 {
		t.Errorf("%+v", got)
	}
	if &grown[:1][0] != &buf[:1][0] {
		t.Error("the caller's buffer was not used")
	}
	for in, code := range map[string]uint32{"0": 0, "2147942402": 0x80070002, "4294967295": 1<<32 - 1, "-1": 1<<32 - 1} {
		got, _, err := winrs.ReadReceiveResponse(message(t, strings.Replace(doc, "-2147024894", in, 1)), nil)
		if err != nil || got.ExitCode != code {
			t.Errorf("exit code %s: %+v %v", in, got, err)
		}
	}
	for _, bad := range []string{strings.Replace(doc, "-2147024894", "4294967296", 1), strings.Replace(doc, "aGkNCg==", "aGkN!!==", 1)} {
		if _, _, err := winrs.ReadReceiveResponse(message(t, bad), nil); err == nil {
			t.Errorf("accepted: %s", bad)
		}
	}
}

func TestSendWhiteSpace(t *testing.T) {
	s, _, err := winrs.ReadSend(message(t, "<rsp:Send><rsp:Stream Name=\"stdin\" CommandId=\"C\" End=\"True\">\n aGkN\n\t Cg== \r\n</rsp:Stream></rsp:Send>"), nil)
	if err != nil || len(s.Streams) != 1 || string(s.Streams[0].Data) != "hi\r\n" || !s.Streams[0].End {
		t.Errorf("%+v %v", s, err)
	}
}

// Single quotes go literally (spec/peers.md F26), blanks and line ends stay.
func TestCommandLine(t *testing.T) {
	want := &winrs.CommandLine{Command: `powershell 'a' "b" <c>&`, Arguments: []string{" lead", "", "x\ty\r\nz", "é😀"}}
	doc, err := wsman.AppendMessage(nil, &wsman.Header{Action: winrs.ActionCommand}, want)
	if err != nil || bytes.Contains(doc, []byte("&#39;")) || bytes.Contains(doc, []byte("&apos;")) {
		t.Fatalf("%s %v", doc, err)
	}
	m, err := wsman.Decode(doc, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := winrs.ReadCommandLine(m); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
}

// Bad shell XML is code 87 for WinRM 2.0 and later ([MS-WSMV] note 89).
func TestShellInvalid(t *testing.T) {
	for _, doc := range []string{
		`<rsp:Shell><rsp:IdleTimeOut>soon</rsp:IdleTimeOut></rsp:Shell>`,
		`<rsp:Shell><rsp:Environment><rsp:Variable>x</rsp:Variable></rsp:Environment></rsp:Shell>`,
		`<rsp:Shell><rsp:Environment><rsp:Variable Name="a=b">x</rsp:Variable></rsp:Environment></rsp:Shell>`,
	} {
		_, err := winrs.ReadShell(message(t, doc))
		f, ok := err.(*wsman.Fault)
		if !ok || f.Code != 87 {
			t.Errorf("%s: %v", doc, err)
		}
	}
	s, err := winrs.ReadShell(message(t, `<rsp:Shell Name="n"><rsp:Environment><rsp:Variable Name="A">  1 </rsp:Variable></rsp:Environment><rsp:IdleTimeOut>PT180.000S</rsp:IdleTimeOut><rsp:InputStreams> stdin
pr </rsp:InputStreams></rsp:Shell>`))
	if err != nil || s.Name != "n" || s.IdleTimeOut != 3*time.Minute || !reflect.DeepEqual(s.InputStreams, []string{"stdin", "pr"}) ||
		s.Environment[0].Value != "  1 " {
		t.Errorf("%+v %v", s, err)
	}
}

func TestSameSignal(t *testing.T) {
	if !winrs.SameSignal(winrs.SignalTerminate, "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/Terminate") {
		t.Error("signals depend on case")
	}
}

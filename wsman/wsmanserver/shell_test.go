package wsmanserver_test

import (
	"encoding/base64"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const cmdURI = nsShell + "/cmd"

const plainShell = `<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>`

// shell opens a shell and returns its id.
func (w *wire) shell() string {
	w.t.Helper()
	a := w.ok(request{action: create, uri: cmdURI, body: plainShell})
	return a.text("ShellId")
}

func inShell(id, action, body string) request {
	return request{action: nsShell + "/" + action, uri: cmdURI, selectors: map[string]string{"ShellId": id}, body: body}
}

// command starts a command and returns its id.
func (w *wire) command(shell, line string) string {
	w.t.Helper()
	a := w.ok(inShell(shell, "Command", `<rsp:CommandLine><rsp:Command>`+line+`</rsp:Command></rsp:CommandLine>`))
	return a.text("CommandId")
}

func receive(shell, command string) request {
	return inShell(shell, "Receive", `<rsp:Receive><rsp:DesiredStream CommandId="`+command+`">stdout stderr</rsp:DesiredStream></rsp:Receive>`)
}

// output receives until the command is done: stdout and the last answer.
func (w *wire) output(shell, command string) (string, reply) {
	w.t.Helper()
	var out strings.Builder
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		a := w.do(receive(shell, command))
		if a.status != http.StatusOK {
			if f := a.fault(); f.Detail.Fault.Code == 2150858793 {
				continue
			}
			w.t.Fatalf("Receive: %d\n%s", a.status, a.body)
		}
		for _, chunk := range strings.Split(a.body, `<rsp:Stream Name="stdout"`)[1:] {
			text := chunk[strings.IndexByte(chunk, '>')+1:]
			text, _, _ = strings.Cut(text, "<")
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				w.t.Fatal(err)
			}
			out.Write(b)
		}
		if strings.Contains(a.body, "/CommandState/Done") {
			return out.String(), a
		}
	}
	w.t.Fatal("the command does not end")
	return "", reply{}
}

func terminate(shell, command string) request {
	return inShell(shell, "Signal", `<rsp:Signal CommandId="`+command+`"><rsp:Code>`+nsShell+`/signal/terminate</rsp:Code></rsp:Signal>`)
}

// Statements 65 to 71: remote shells.
func TestShellStatements(t *testing.T) {
	s, w := serve(t, "Winrs/MaxShellsPerUser", "2")
	shell := w.shell()
	t.Run("67", func(t *testing.T) {
		command := w.command(shell, "sleep 1; echo late")
		slow := receive(shell, command)
		slow.timeout = "PT0.5S"
		a := w.do(slow)
		a.t = t
		a.wantFault("67", "w:TimedOut", "", 2150858793)
		if out, _ := w.output(shell, command); out != "late\n" {
			t.Errorf("67: after the fault: %q", out)
		}
	})
	t.Run("68", func(t *testing.T) {
		out, last := w.output(shell, w.command(shell, "echo out; echo err >&amp;2; exit 3"))
		if out != "out\n" || strings.Count(last.body, `End="true"`) != 2 || last.text("ExitCode") != "3" {
			t.Errorf("68: %q\n%s", out, last.body)
		}
	})
	t.Run("65", func(t *testing.T) {
		second := w.shell()
		w.do(request{action: create, uri: cmdURI, body: plainShell}).wantFault("65", "w:QuotaLimit", "", 2150859173)
		w.ok(request{action: remove, uri: cmdURI, selectors: map[string]string{"ShellId": second}})
		w.do(inShell(second, "Command", `<rsp:CommandLine><rsp:Command>id</rsp:Command></rsp:CommandLine>`)).
			wantFault("4.8: a shell that is gone", "w:InvalidSelectors", "UnexpectedSelectors", 2150858843)
	})
	t.Run("69", func(t *testing.T) {
		w.do(request{action: enumerate, uri: cmdURI, body: optimized(10, "")}).wantFault("69", "a:ActionNotSupported", "", 0)
		a := w.ok(request{action: enumerate, uri: nsShell, body: optimized(10, "")})
		if ids := a.texts("ShellId"); len(ids) != 1 || ids[0] != shell {
			t.Errorf("69: the shells are %v, want %s", ids, shell)
		}
		w.do(request{action: enumerate, uri: nsShell, body: optimized(10, wqlFilter("x"))}).wantFault("4.8 filter", "n:FilteringNotSupported", "", 0)
		a = w.ok(request{action: get, uri: nsShell, selectors: map[string]string{"ShellId": strings.ToLower(shell)}})
		if a.text("Owner") == "" || a.text("ClientIP") != "127.0.0.1" {
			t.Errorf("4.8: Get: %s", a.body)
		}
	})
	t.Run("70", func(t *testing.T) {
		s.AddUser("plain", "Secret-1-word", "Remote Management Users")
		other := w.as("plain", "Secret-1-word")
		grantEverything(s)
		mine := other.shell()
		a := other.ok(request{action: enumerate, uri: nsShell, body: optimized(10, "")})
		if ids := a.texts("ShellId"); len(ids) != 1 || ids[0] != mine {
			t.Errorf("70: a plain user sees %v", ids)
		}
		other.do(request{action: get, uri: nsShell, selectors: map[string]string{"ShellId": shell}}).wantFault("70: Get", "w:InvalidSelectors", "", 2150858843)
		other.do(request{action: remove, uri: cmdURI, selectors: map[string]string{"ShellId": shell}}).wantFault("70: Delete", "w:InvalidSelectors", "", 2150858843)
		if ids := w.ok(request{action: enumerate, uri: nsShell, body: optimized(10, "")}).texts("ShellId"); len(ids) != 2 {
			t.Errorf("70: an administrator sees %v", ids)
		}
		w.ok(request{action: remove, uri: cmdURI, selectors: map[string]string{"ShellId": mine}})
	})
	t.Run("71", func(t *testing.T) {
		text := request{action: create, uri: cmdURI, body: plainShell}.envelopeText()
		a := w.post(soapUTF8, strings.NewReader(text), func(r *http.Request) { r.ContentLength = -1 })
		a.wantFault("71", "w:InternalError", "", 50)
	})
	t.Run("66", func(t *testing.T) {
		s.Set("Winrs/AllowRemoteShellAccess", "false")
		w.do(request{action: create, uri: cmdURI, body: plainShell}).wantFault("66", "w:InternalError", "", 0x803381AC)
		if out, _ := w.output(shell, w.command(shell, "echo on")); out != "on\n" {
			t.Errorf("3.4: a shell that is open does not live on: %q", out)
		}
		s.Set("Winrs/AllowRemoteShellAccess", "true")
	})
}

// Section 4.8: what a shell's messages may hold.
func TestShellMessages(t *testing.T) {
	_, w := serve(t)
	const sub = "w:InvalidParameter" // the recordings have it so
	w.do(request{action: create, uri: cmdURI, body: `<rsp:Odd/>`}).wantFault("no rsp:Shell", "w:SchemaValidationError", "", 0)
	w.do(request{action: create, uri: cmdURI, body: `<rsp:Shell><rsp:InputStreams>odd</rsp:InputStreams></rsp:Shell>`}).wantFault("unknown stream", sub, "", 87)
	w.do(request{action: create, uri: cmdURI, body: `<rsp:Shell Name="` + strings.Repeat("x", 256) + `"/>`}).wantFault("6 name", "w:InternalError", "", 0x803381C2)
	w.do(request{action: create, uri: cmdURI, body: `<rsp:Shell><rsp:IdleTimeOut>PT2147484S</rsp:IdleTimeOut></rsp:Shell>`}).wantFault("6 idle", "w:InternalError", "", 0x803381F2)
	w.do(request{action: create, uri: nsShell + "/none", body: plainShell}).wantFault("no such shell", "a:DestinationUnreachable", "", 0)

	a := w.do(request{action: create, uri: cmdURI, body: plainShell, header: `<rsp:CompressionType s:mustUnderstand="true">xpress</rsp:CompressionType>`})
	if f := a.fault(); f.Code != "s:MustUnderstand" {
		t.Errorf("4.8: compression that is not done: %+v", f)
	}
	a = w.ok(request{action: create, uri: cmdURI, body: `<rsp:Shell><rsp:Environment><rsp:Variable Name="WHO">wörld</rsp:Variable></rsp:Environment>` +
		`<rsp:WorkingDirectory>/</rsp:WorkingDirectory><rsp:OutputStreams>stdout</rsp:OutputStreams></rsp:Shell>`})
	shell := a.text("ShellId")
	if out, _ := w.output2(shell, w.command(shell, `echo $WHO $(pwd); head -c 2000000 /dev/zero >&amp;2`)); out != "wörld /\n" {
		t.Errorf("environment and directory: %q", out)
	}
	id := w.command(shell, "cat")
	w.do(inShell(shell, "Send", `<rsp:Send><rsp:Stream Name="stdin" CommandId="`+id+`">eA==</rsp:Stream></rsp:Send>`)).wantFault("undeclared stdin", "w:InternalError", "", 0x8033818B)
	w.ok(terminate(shell, id))
	w.do(terminate(shell, id)).wantFault("no such command", "w:InvalidSelectors", "", 2150858843)
	w.do(inShell(shell, "Disconnect", `<rsp:Disconnect/>`)).wantFault("Disconnect", "w:InternalError", "", 0x803381C5)
	w.do(inShell(shell, "Command", `<rsp:CommandLine><rsp:Command></rsp:Command></rsp:CommandLine>`)).wantFault("empty command", sub, "", 87)

	codePage := func(page string) request {
		return request{action: create, uri: cmdURI, body: plainShell, header: `<w:OptionSet><w:Option Name="WINRS_CODEPAGE">` + page + `</w:Option></w:OptionSet>`}
	}
	w.do(codePage("1")).wantFault("code page", "w:InternalError", "", 0x80338140)
	latin := w.ok(codePage("1252")).text("ShellId")
	if out, _ := w.output(latin, w.command(latin, `printf '\303\244'`)); out != "\xe4" {
		t.Errorf("code page 1252: %q", out)
	}
	const skip = `<w:OptionSet><w:Option Name="WINRS_SKIP_CMD_SHELL">TRUE</w:Option></w:OptionSet>`
	for header, want := range map[string]string{"": "a b two", skip: "a  b|$((1+1))|"} {
		line := `<rsp:Command>echo</rsp:Command><rsp:Arguments>a  b</rsp:Arguments><rsp:Arguments>$(test $((1+1)) = 2 &amp;&amp; echo two)</rsp:Arguments>`
		if header != "" {
			line = `<rsp:Command>printf</rsp:Command><rsp:Arguments>%s|</rsp:Arguments><rsp:Arguments>a  b</rsp:Arguments><rsp:Arguments>$((1+1))</rsp:Arguments>`
		}
		r := inShell(latin, "Command", `<rsp:CommandLine>`+line+`</rsp:CommandLine>`)
		r.header = header
		if out, _ := w.output(latin, w.ok(r).text("CommandId")); strings.TrimSpace(out) != want {
			t.Errorf("arguments: %q, want %q", out, want)
		}
	}
	if _, err := exec.LookPath("pwsh"); err != nil {
		id := w.command(latin, "powershell -Command 1")
		out, last := w.output(latin, id)
		if out != "" || last.text("ExitCode") == "0" {
			t.Errorf("PowerShell that is not installed: %q, exit code %s", out, last.text("ExitCode"))
		}
	}

	interactive := w.shell()
	id = w.command(interactive, "cat; echo end")
	send := func(data, end string) {
		w.ok(inShell(interactive, "Send", `<rsp:Send><rsp:Stream Name="stdin" CommandId="`+id+`" `+end+`>`+base64.StdEncoding.EncodeToString([]byte(data))+`</rsp:Stream></rsp:Send>`))
	}
	send("one\n", "")
	send("two\n", `End="true"`)
	if out, _ := w.output(interactive, id); out != "one\ntwo\nend\n" {
		t.Errorf("Send: %q", out)
	}
	send("three", "") // surplus is discarded
	id = w.command(interactive, "trap 'echo interrupted; exit 5' INT; while :; do sleep 0.05; done")
	time.Sleep(100 * time.Millisecond)
	w.ok(inShell(interactive, "Signal", `<rsp:Signal CommandId="`+id+`"><rsp:Code>`+nsShell+`/signal/ctrl_c</rsp:Code></rsp:Signal>`))
	if out, last := w.output(interactive, id); out != "interrupted\n" || last.text("ExitCode") != "5" {
		t.Errorf("ctrl_c: %q %s", out, last.text("ExitCode"))
	}
	w.do(inShell(interactive, "Signal", `<rsp:Signal CommandId="`+id+`"><rsp:Code>odd</rsp:Code></rsp:Signal>`)).wantFault("signal", sub, "", 87)
}

// output2 is output for a shell that has stdout alone.
func (w *wire) output2(shell, command string) (string, reply) {
	w.t.Helper()
	a := w.do(inShell(shell, "Receive", `<rsp:Receive><rsp:DesiredStream CommandId="`+command+`">stderr</rsp:DesiredStream></rsp:Receive>`))
	a.wantFault("undeclared stderr", "w:InternalError", "", 0x8033818D)
	var out strings.Builder
	for {
		a = w.ok(inShell(shell, "Receive", `<rsp:Receive><rsp:DesiredStream CommandId="`+command+`">stdout</rsp:DesiredStream></rsp:Receive>`))
		for _, text := range a.texts("Stream") {
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				w.t.Fatal(err)
			}
			out.Write(b)
		}
		if strings.Contains(a.body, "/CommandState/Done") {
			return out.String(), a
		}
	}
}

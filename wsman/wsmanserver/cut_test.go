package wsmanserver_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// goroutines waits until there are no more goroutines than before.
func goroutines(t testing.TB, what string, before int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		now := runtime.NumGoroutine()
		if now <= before {
			return
		}
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%s: %d goroutines, before %d\n%s", what, now, before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// sendAndCut writes a request on a connection of its own and cuts it.
func sendAndCut(t testing.TB, address, user, password string, r request, after time.Duration) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	text := r.envelopeText()
	fmt.Fprintf(c, "POST /wsman HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		basic(user, password), soapUTF8, len(text), text)
	time.Sleep(after)
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// A request whose client goes away frees everything it held, whatever it was
// doing: a method, a query, a Receive.
func TestCutRequests(t *testing.T) {
	s, w := serve(t, "Service/AllowUnencrypted", "true", "Service/MaxConcurrentOperationsPerUser", "3")
	address := addressOf(s)
	shell := w.shell()
	id := w.command(shell, "sleep 20")
	w.ok(request{action: get, uri: wmi("CT_Only")})
	w.http.CloseIdleConnections()
	time.Sleep(100 * time.Millisecond)
	before := runtime.NumGoroutine()
	slow := request{action: wmi("Win32_Service") + "/Slow", uri: wmi("Win32_Service"), selectors: winRM,
		body: `<x:Slow_INPUT xmlns:x="` + wmi("Win32_Service") + `"/>`}
	for _, r := range []request{slow, slow, slow, slow, receive(shell, id), receive(shell, id)} {
		sendAndCut(t, address, s.User, s.Password, r, 150*time.Millisecond)
	}
	goroutines(t, "cut requests", before)
	// Neither the operations nor the Receive of the command are taken.
	for range 3 {
		w.ok(request{action: enumerate, uri: wmi("Win32_Service"), body: optimized(10, "")})
	}
	a := receive(shell, id)
	a.timeout = "PT0.5S"
	w.do(a).wantFault("the command goes on", "w:TimedOut", "", 2150858793)
}

// A connection that is killed in mid-output: the shell is usable, and output
// that was not delivered comes with the next Receive.
func TestKilledInMidOutput(t *testing.T) {
	s, w := serve(t, "Service/AllowUnencrypted", "true")
	shell := w.shell()
	const lines = 200000
	id := w.command(shell, fmt.Sprintf("seq 1 %d", lines))
	c, err := net.Dial("tcp", addressOf(s))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	text := receive(shell, id).envelopeText()
	fmt.Fprintf(c, "POST /wsman HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		basic(s.User, s.Password), soapUTF8, len(text), text)
	if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
	time.Sleep(200 * time.Millisecond) // the service learns of it
	out, _ := w.output(shell, id)
	got := strings.Fields(out)
	if len(got) != lines || got[0] != "1" || got[lines-1] != fmt.Sprint(lines) {
		t.Fatalf("%d lines of %d came", len(got), lines)
	}
}

// An abandoned enumeration of 5,000 instances costs its owner nothing: the
// next ones are served, and its goroutine ends with its idle time.
func TestAbandonedEnumeration(t *testing.T) {
	_, w := serve(t, "Service/EnumerationTimeoutms", "500")
	w.ok(request{action: get, uri: wmi("CT_Only")})
	before := runtime.NumGoroutine()
	for range 10 {
		w.ok(request{action: enumerate, uri: wmi("CT_Many"), body: optimized(10, "")})
	}
	begin := time.Now()
	a := w.ok(request{action: enumerate, uri: wmi("CT_Many"), body: optimized(many, ""), envelope: 4 << 20})
	if d := time.Since(begin); d > 5*time.Second || len(a.texts("N")) == 0 {
		t.Errorf("beside abandoned enumerations one takes %v", d)
	}
	goroutines(t, "abandoned enumerations", before)
	for range 15 { // every operation of the WMI plug-in is free again
		w.ok(request{action: enumerate, uri: wmi("CT_Many"), body: optimized(1, "")})
	}
}

// Deleting a shell ends what runs in it, the background processes too; so does
// the end of the service.
func TestNothingIsLeftRunning(t *testing.T) {
	s, w := serve(t)
	alive := func(pid string) bool {
		b, err := os.ReadFile("/proc/" + pid + "/stat")
		return err == nil && !strings.Contains(string(b), ") Z ")
	}
	start := func() (shell, pid string) {
		shell = w.shell()
		out, _ := w.output(shell, w.command(shell, "(trap '' HUP; exec sleep 100) >/dev/null 2>&amp;1 &amp; echo $!"))
		return shell, strings.TrimSpace(out)
	}
	shell, pid := start()
	if !alive(pid) {
		t.Skipf("the background process %s ended with its command", pid)
	}
	w.ok(request{action: remove, uri: cmdURI, selectors: map[string]string{"ShellId": shell}})
	eventually(t, "the background process is gone", func() bool { return !alive(pid) })
	_, pid = start()
	s.Close()
	if alive(pid) {
		t.Error("a process outlives the service")
	}
}

// A Send to a command that does not read is taken once, and does not hold the
// shell.
func TestSendToDeafCommand(t *testing.T) {
	_, w := serve(t)
	shell := w.shell()
	id := w.command(shell, "sleep 1; wc -c")
	big := base64.StdEncoding.EncodeToString(make([]byte, 200<<10))
	send := inShell(shell, "Send", `<rsp:Send><rsp:Stream Name="stdin" CommandId="`+id+`">`+big+`</rsp:Stream></rsp:Send>`)
	send.timeout = "PT0.5S"
	w.ok(send) // it is on its way
	last := inShell(shell, "Send", `<rsp:Send><rsp:Stream Name="stdin" CommandId="`+id+`" End="true">eA==</rsp:Stream></rsp:Send>`)
	w.ok(last)
	if out, _ := w.output(shell, id); strings.TrimSpace(out) != fmt.Sprint(200<<10+1) {
		t.Errorf("the command read %s bytes", out)
	}
}

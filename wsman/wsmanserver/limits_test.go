package wsmanserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/internal/testlog"
)

// Section 6: each limit with its subcode and code.
func TestLimits(t *testing.T) {
	s, w := serve(t, "Service/MaxConcurrentOperationsPerUser", "2")
	t.Run("operations", func(t *testing.T) {
		open := request{action: enumerate, uri: wmi("CT_Many"), body: optimized(1, "")}
		var contexts []string
		for range 2 {
			contexts = append(contexts, w.ok(open).text("EnumerationContext"))
		}
		w.do(open).wantFault("enumerations", "w:InternalError", "", 0x803381A6)
		shell := w.shell()
		w.do(inShell(shell, "Command", `<rsp:CommandLine><rsp:Command>id</rsp:Command></rsp:CommandLine>`)).wantFault("commands", "w:QuotaLimit", "", 2150859174)
		for _, c := range contexts {
			w.ok(request{action: release, uri: wmi("CT_Many"), body: `<n:Release><n:EnumerationContext>` + c + `</n:EnumerationContext></n:Release>`})
		}
		id := w.command(shell, "id")
		w.command(shell, "id")
		w.do(inShell(shell, "Command", `<rsp:CommandLine><rsp:Command>id</rsp:Command></rsp:CommandLine>`)).wantFault("commands", "w:QuotaLimit", "", 2150859174)
		w.ok(terminate(shell, id))
		w.command(shell, "id")
		w.ok(request{action: remove, uri: cmdURI, selectors: map[string]string{"ShellId": shell}})
		w.ok(request{action: get, uri: wmi("CT_Only")})
	})
	s.Set("Service/MaxConcurrentOperationsPerUser", "1500")
	t.Run("plugin", func(t *testing.T) {
		open := request{action: enumerate, uri: wmi("CT_Many"), body: optimized(1, "")}
		for range 15 { // the quota of the WMI plug-in, [MS-WSMV] 2.2.4.28
			w.ok(open)
		}
		w.do(open).wantFault("operations of the plug-in", "w:QuotaLimit", "", 0x803381E8)
	})
	t.Run("users", func(t *testing.T) {
		grantEverything(s)
		s.Set("Winrs/MaxConcurrentUsers", "1")
		w.shell()
		s.AddUser("other", "Secret-1-word")
		w.as("other", "Secret-1-word").do(request{action: create, uri: cmdURI, body: plainShell}).wantFault("users", "w:QuotaLimit", "", 2150859179)
	})
	t.Run("processes", func(t *testing.T) {
		s.Set("Winrs/MaxProcessesPerShell", "1")
		shell := w.shell()
		id := w.command(shell, "exec sleep 20")
		w.do(inShell(shell, "Command", `<rsp:CommandLine><rsp:Command>id</rsp:Command></rsp:CommandLine>`)).wantFault("processes", "w:InternalError", "", 0)
		w.ok(terminate(shell, id))
		w.command(shell, "id")
		s.Set("Winrs/MaxProcessesPerShell", "25")
	})
	t.Run("memory", func(t *testing.T) {
		s.Set("Winrs/MaxMemoryPerShellMB", "64")
		shell := w.shell()
		id := w.command(shell, "tail /dev/zero; sleep 20")
		a := w.do(receive(shell, id))
		a.wantFault("memory", "w:InternalError", "", 0)
		if !strings.Contains(a.body, "MaxMemoryPerShellMB") {
			t.Errorf("the fault does not name the limit:\n%s", a.body)
		}
	})
}

// Section 6: envelopes that are too large on the way back.
func TestEnvelopeLimits(t *testing.T) {
	s, w := serve(t)
	uri := wmi("Win32_Service")
	instance := `<x:Win32_Service xmlns:x="` + uri + `"><x:StartMode>` + strings.Repeat("long ", 20000) + `</x:StartMode></x:Win32_Service>`
	w.do(request{action: put, uri: uri, selectors: winRM, body: instance, envelope: 8192}).wantFault("done already", "w:EncodingLimit", "UnreportableSuccess", 0x8033804D)
	show := request{action: get, uri: uri, selectors: winRM}
	if a := w.ok(show); len(a.text("StartMode")) != 100000 {
		t.Errorf("the Put that could not be reported was not done: %d", len(a.body))
	}
	small := show
	small.envelope = 8192
	w.do(small).wantFault("the client's limit", "w:EncodingLimit", "MaxEnvelopeSizeExceeded", 0x80338048)
	list := request{action: enumerate, uri: uri, body: optimized(10, ""), envelope: 8192}
	w.do(list).wantFault("an item that does not fit", "w:EncodingLimit", "MaxEnvelopeSizeExceeded", 0x80338048)
	first := w.ok(request{action: enumerate, uri: uri, body: `<n:Enumerate/>`})
	next := request{action: pull, uri: uri, body: pullBody(first.text("EnumerationContext"), 1)}
	small = next
	small.envelope = 8192
	for seen := 0; seen < 2; {
		a := w.do(small)
		if a.status != http.StatusOK { // the item waits for more room
			a.wantFault("a Pull of an item that does not fit", "w:EncodingLimit", "MaxEnvelopeSizeExceeded", 0x80338048)
			a = w.ok(next)
		}
		seen += len(a.texts("Win32_Service"))
		if strings.Contains(a.body, "EndOfSequence") != (seen == 2) && seen == 2 {
			w.ok(next)
		}
	}
	s.Set("MaxEnvelopeSizekb", "32")
	w.do(show).wantFault("the service's limit", "w:EncodingLimit", "ServiceEnvelopeLimit", 0x80338049)

	many := request{action: enumerate, uri: wmi("CT_Many"), body: optimized(32000, ""), envelope: 8192}
	a := w.ok(many)
	if n := len(a.texts("N")); n < 2 || len(a.body) > 8192 {
		t.Errorf("a batch of %d in %d bytes", n, len(a.body))
	}
}

// Section 3.1: MaxEnvelopeSizekb above what is supported is taken, the log warns
// of it once, and a request above the supported size is refused all the same,
// before it is read.
func TestUnsupportedEnvelope(t *testing.T) {
	var log testlog.Text
	s := casementtest.New(t, casementtest.Options{Opener: machine(t), Settings: map[string]string{"Service/Auth/Basic": "true"}, Log: &log})
	w := newWire(t, s)
	if a := w.set("MaxEnvelopeSizekb", "4294967295"); a.text("MaxEnvelopeSizekb") != "4294967295" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.set("MaxTimeoutms", "50000")
	if n := strings.Count(log.String(), "MaxEnvelopeSizekb is above the supported 1039440"); n != 1 {
		t.Errorf("the log warns %d times:\n%s", n, log.String())
	}
	s.Set("Service/AllowUnencrypted", "true")
	c := s.Dial()
	fmt.Fprintf(c, "POST /wsman HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n<s:",
		basic(s.User, s.Password), soapUTF8, 1039440<<10+1)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a request of a gigabyte: %s", resp.Status)
	}
}

// Section 6 and 3.3: MaxConnections and MaxPacketRetrievalTimeSeconds.
func TestConnectionLimits(t *testing.T) {
	s, _ := serve(t, "Service/MaxConnections", "2", "Service/AllowUnencrypted", "true")
	first, second := s.Dial(), s.Dial()
	eventually(t, "a third connection is refused", func() bool {
		third := s.Dial()
		defer third.Close()
		_ = third.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		resp, err := http.ReadResponse(bufio.NewReader(third), nil)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable
	})
	second.Close()
	eventually(t, "the place of a closed connection is free", func() bool {
		third := s.Dial()
		defer third.Close()
		fmt.Fprint(third, "GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(third), nil)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusNotFound
	})
	// A body that dribbles; the setting holds from the next request on.
	s.Set("Service/MaxPacketRetrievalTimeSeconds", "1")
	fmt.Fprintf(first, "POST /wsman HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n<s:", basic(s.User, s.Password), soapUTF8)
	begin := time.Now()
	_ = first.SetReadDeadline(begin.Add(5 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(first), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusInternalServerError || time.Since(begin) > 3*time.Second {
		t.Errorf("a body that dribbles: %s after %v, want 500 after a second", resp.Status, time.Since(begin))
	}
	if _, err := io.Copy(io.Discard, first); err != nil {
		t.Errorf("the connection is not closed: %v", err)
	}
}

package wsmanserver_test

import (
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Strangers open connections without end, beyond MaxConnections. Each refusal
// takes up to a second when the stranger neither reads nor closes; their number
// must not become the service's number of goroutines and descriptors.
func TestRefusedConnectionsAreBounded(t *testing.T) {
	s, _ := serve(t, "Service/MaxConnections", "1")
	first := s.Dial()
	if _, err := io.WriteString(first, "POST /wsman HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	var answer [512]byte
	if n, err := first.Read(answer[:]); err != nil || !strings.Contains(string(answer[:n]), " 401 ") {
		t.Fatalf("%q, %v", answer[:n], err)
	}
	before := runtime.NumGoroutine()
	var most int
	var open []net.Conn
	for range 200 {
		open = append(open, s.Dial())
		most = max(most, runtime.NumGoroutine())
	}
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		most = max(most, runtime.NumGoroutine())
	}
	if most > before+64 {
		t.Errorf("200 refused connections made %d goroutines more", most-before)
	}
	told := 0
	for _, c := range open {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if b, _ := io.ReadAll(c); strings.Contains(string(b), " 503 ") {
			told++
		}
	}
	if told == 0 {
		t.Error("nobody was told why")
	}
}

// Requests by DMTF URIs come at the same moment; the race detector watches.
func TestDMTFRequestsAtTheSameMoment(t *testing.T) {
	_, w := serve(t)
	sensor := request{action: get, uri: dmtfClass + "CIM_Sensor", selectors: map[string]string{"DeviceID": "fan1"}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if a := w.do(sensor); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
}

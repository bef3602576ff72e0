package doctor

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// FuzzAnswer has a server answer anything: the report is one all the same, no
// check panics, and none takes longer than it may.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"", "SSH-2.0-x\r\n", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<a/>",
		"HTTP/1.1 302 Found\r\nLocation: \x00\x1b[2J\r\nDate: Sat, 01 Jan 0000 00:00:00 GMT\r\n\r\n", "\x15\x03\x01\x00\x02\x02\x46", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 99 x\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		o := Options{Limit: 5 * time.Second, Only: []string{"http", "auth.offer", "clock"}, DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				go io.Copy(io.Discard, theirs)
				theirs.Write(answer)
			}()
			return ours, nil
		}}
		start := time.Now()
		r := Examine(t.Context(), Target{Name: "srv04", Transports: []string{"winrm"}}, o)
		for _, c := range r.Checks {
			if c.Outcome == Crash {
				t.Errorf("%s crashed", c.ID)
			}
			if c.Detail != clean(c.Detail) {
				t.Errorf("%s shows %q", c.ID, c.Detail)
			}
		}
		if time.Since(start) > time.Minute {
			t.Error("it takes too long")
		}
	})
}

//go:build unix

package consumers

import (
	"context"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// TestSyslog reads the datagrams of RFC 3164: <facility*8+severity>time tag[pid]: text.
func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	report := Syslog(path)
	for _, tt := range []struct {
		record Record
		want   string
	}{
		{Record{Source: "My app[1]: x", EventID: 7, Type: 1, Strings: []string{"a\n<0>forged", "b"}, User: security.SIDNull}, `^<11>.* My_app_1___x\[\d+\]: \[EventID=7 Category=0\] a <0>forged, b\n$`},
		{Record{Source: "s", Type: 2, Category: 3, Data: []byte{0, 255}, User: security.SIDAdministrators}, `^<12>.* s\[\d+\]: \[EventID=0 Category=3 User=S-1-5-32-544 Data=00ff\] \n$`},
		{Record{Source: "s", Type: 16, Data: make([]byte, 2000), User: security.SIDNull}, `^<13>.* Data=` + strings.Repeat("00", maxLoggedData) + ` \(2000 bytes\)\] \n$`},
		{Record{Source: "s", Type: 0, Strings: []string{"x"}, User: security.SIDNull}, `^<14>.*\] x\n$`},
	} {
		if err := report(context.Background(), cim.Caller{}, tt.record); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 65536)
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(tt.want).Match(b[:n]) {
			t.Errorf("%q, want %s", b[:n], tt.want)
		}
	}
	if err := Syslog(path+"x")(context.Background(), cim.Caller{}, Record{Source: "s"}); cim.StatusOf(err) != cim.ErrNotAvailable {
		t.Errorf("no log: %v", err)
	}
}

package audit_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/internal/audit"
	"github.com/casementhq/casement/security"
)

type line struct {
	Msg, User, SID, Address string
	Granted                 bool
	Times, Omitted          int
}

func lines(t *testing.T, b *bytes.Buffer) (list []line) {
	t.Helper()
	for text := range strings.Lines(b.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
	}
	b.Reset()
	return list
}

// An access is written once a second with how often it came, and a caller who asks for
// ever new things has fifty lines a second, with how many were left out. Another caller
// is not concerned.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		log := audit.New(slog.New(slog.NewJSONHandler(&b, nil)))
		ann := &security.Token{User: security.SIDLocalService, UserName: "ann", Domain: "HOST"}
		bob := &security.Token{User: security.SIDNetworkService, UserName: "bob", Domain: "HOST"}
		write := func(who *security.Token, what int, granted bool) {
			log.Write(t.Context(), audit.Entry{User: who, Address: "192.0.2.1:5", What: what, Granted: granted, Attrs: []any{"uri", what}})
		}
		for range 1000 {
			write(ann, 1, true)
		}
		write(ann, 1, false)
		write(nil, 1, true)
		got := lines(t, &b)
		want := line{Msg: "audit", User: `HOST\ann`, SID: "S-1-5-19", Address: "192.0.2.1:5", Granted: true, Times: 1}
		if len(got) != 2 || got[0] != want || got[1].Granted {
			t.Fatalf("a thousand times the same: %+v", got)
		}
		time.Sleep(time.Second)
		write(ann, 1, true)
		want.Times = 1000
		if got := lines(t, &b); len(got) != 1 || got[0] != want {
			t.Errorf("a second later: %+v", got)
		}
		for n := range 500 {
			write(ann, 1000+n, false)
		}
		write(bob, 1, false)
		if got := lines(t, &b); len(got) != 50 || got[49].User != `HOST\bob` {
			t.Errorf("500 different ones: %d lines, the last %+v", len(got), got[len(got)-1])
		}
		time.Sleep(time.Second)
		write(ann, 5000, false)
		if got := lines(t, &b); len(got) != 1 || got[0].Omitted != 451 {
			t.Errorf("after them: %+v", got)
		}
	})
}

package cli

import (
	"strings"
	"testing"
)

// A query that asks for events without saying so is sent on to 'casement watch', over
// both ways; one of another class without rows is not.
func TestQueryOfEvents(t *testing.T) {
	srv := server(t)
	t.Setenv("CASEMENT_USER", srv.User)
	t.Setenv("CASEMENT_PASSWORD", srv.Password)
	for _, host := range []string{"srv", "dcom://" + srv.DCOM} {
		for _, row := range []struct {
			query string
			code  int
			hint  bool
		}{
			{"SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Win32_Process'", 1, true},
			{"SELECT * FROM __InstanceCreationEvent WITHIN 2 WHERE TargetInstance ISA 'Win32_Process'", 1, true},
			{"SELECT * FROM win32_processstarttrace", 0, true},
			{"SELECT * FROM Win32_Process WHERE ProcessId = 4294967295", 0, false},
			{"SELECT * FROM Win32_NTLogEvent WHERE Logfile = 'NoSuchLog'", 0, false},
			{"SELECT * FROM Win32_NoSuchEvent", 1, false},
		} {
			r := cli(t, "", "casement", "query", host, row.query).want(t, row.code)
			if n := strings.Count(r.err, "come from 'casement watch'"); n != map[bool]int{true: 1}[row.hint] {
				t.Errorf("%s, %s: %d hints in %s", host, row.query, n, r.err)
			}
		}
	}
}

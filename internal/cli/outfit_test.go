package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
)

// A table of servers stands in 60 columns, and what has room is not cut.
func TestFitted(t *testing.T) {
	l := &listing{format: "table", columns: []string{"Name", "State", "Reason", "Last", "OS"}}
	l.add("web1.corp.example", "✕ Target computer not accessible", strings.Repeat("nothing listens there, ", 9), "12 min ago", "Windows Server 2022 Standard")
	l.add("web2.corp.example", "● Online", "", "now", "Windows Server 2022 Standard")
	f := fitting{cut: []cut{{"Name", 12}, {"State", 20}, {"Reason", 24}, {"OS", 10}}, spare: []string{"OS", "Last"}}
	for width, want := range map[int][]string{60: {"OS", "Last"}, 80: {"OS"}, 120: nil, 400: nil} {
		got, left := l.fitted(width, f)
		if !slices.Equal(left, want) {
			t.Errorf("%d columns: left out %v, want %v", width, left, want)
		}
		var b bytes.Buffer
		if err := got.print(&b); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := text.StringWidth(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("%d columns: a line has %d: %s", width, n, line)
			}
		}
		if whole := strings.Contains(b.String(), "2022 Standard"); whole != (width == 400) {
			t.Errorf("%d columns: what has room is whole: %t\n%s", width, whole, b.String())
		}
		if !strings.Contains(b.String(), "web1.corp") {
			t.Errorf("%d columns: the names are gone\n%s", width, b.String())
		}
	}
	if got, _ := l.fitted(20, f); got != l {
		t.Error("what cannot be done is done")
	}
}

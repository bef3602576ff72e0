package doctor

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// section is a part of the page under a heading.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/doctor.md has no %q", heading)
	}
	body, _, _ := strings.Cut(rest, "\n## ")
	return body
}

var (
	coded   = regexp.MustCompile("`([a-z][a-z0-9.-]*)`")
	numbers = regexp.MustCompile(`(?m)^\| (\d+) \|`)
)

// What the page names exists: every check, every topic; every check, every pain
// and every row of the decision table is there.
func TestDoctorPage(t *testing.T) {
	b, err := os.ReadFile("../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	known := []string{"tcp.5985", "tcp.5986"}
	for _, c := range registered {
		known = append(known, c.id)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(section(t, page, "Checks")) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), "|")
		for _, m := range coded.FindAllStringSubmatch(cell, -1) {
			listed[m[1]] = true
			if !slices.Contains(known, m[1]) {
				t.Errorf("there is no check %s", m[1])
			}
		}
	}
	for _, c := range registered {
		if c.id != winrmPort && !listed[c.id] {
			t.Errorf("the page does not list %s", c.id)
		}
	}
	pains := section(t, page, "What people suffer from")
	if got := numbers.FindAllString(pains, -1); len(got) != 25 {
		t.Errorf("%d pains, want 25", len(got))
	}
	for line := range strings.Lines(pains) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !numbers.MatchString(line) {
			continue
		}
		answers := coded.FindAllStringSubmatch(cells[3], -1)
		if len(answers) == 0 && !strings.Contains(cells[3], "not the doctor's") {
			t.Errorf("nothing answers %s", line)
		}
		for _, m := range answers {
			if !slices.Contains(known, m[1]) && !slices.Contains(Topics(), m[1]) {
				t.Errorf("pain%s names %s, which is neither a check nor a topic", cells[1], m[1])
			}
		}
	}
	for n, r := range rows() {
		if r.number != n+1 {
			t.Errorf("row %d stands where %d should", r.number, n+1)
		}
		for _, m := range coded.FindAllStringSubmatch(r.answer, -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("row %d names %s, which is no check", r.number, m[1])
			}
		}
		if r.answer == "topic" && r.do == "" {
			t.Errorf("row %d has no text", r.number)
		}
		for _, code := range r.codes {
			if text, ok := Explain(code); !ok || !strings.Contains(text, r.do) {
				t.Errorf("--explain %s does not tell row %d: %q", code, r.number, text)
			}
		}
	}
	if len(rows()) != 46 {
		t.Errorf("%d rows, want 46", len(rows()))
	}
}

// A topic that a text sends to exists.
func TestTopicsThatAreNamed(t *testing.T) {
	for _, m := range regexp.MustCompile(`--explain ([a-z-]+|0x[0-9A-F]+)`).FindAllStringSubmatch(explainText+codesText, -1) {
		if _, ok := Explain(m[1]); !ok {
			t.Errorf("--explain %s explains nothing", m[1])
		}
	}
}

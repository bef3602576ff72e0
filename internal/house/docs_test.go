package house

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim/mof"
)

// section is the text below a heading of the second level, up to the next one.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, after, ok := strings.Cut(text, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("there is no section %q", heading)
	}
	before, _, _ := strings.Cut(after, "\n## ")
	return before
}

var (
	quoted    = regexp.MustCompile("`([^`\n]+)`")
	flowGo    = regexp.MustCompile(`(?:[a-z]+/)*[a-z_]+\.go`)
	managerGo = regexp.MustCompile(`[a-z_/]+\.go`)
	rowHead   = regexp.MustCompile(`(?m)^\| ([^|]+) \|`)
)

// TestArchitectureIsAsBuilt: the page names every package but those below internal, no package that is not there, and in the
// flow of a request only files that exist.
func TestArchitectureIsAsBuilt(t *testing.T) {
	page := read(t, "docs/architecture.md")
	var named []string
	for _, row := range rowHead.FindAllStringSubmatch(section(t, page, "The tree"), -1) {
		for _, m := range quoted.FindAllStringSubmatch(row[1], -1) {
			named = append(named, m[1])
		}
	}
	covers := func(name, path string) bool {
		tree, all := strings.CutSuffix(name, "/**")
		return path == tree || all && within(path, tree) || name == "casement" && path == ""
	}
	own := list(t, "linux").own
	for _, p := range own {
		inner := slices.Contains(strings.Split(p.rel(), "/"), "internal")
		if !inner && !slices.ContainsFunc(named, func(n string) bool { return covers(n, p.rel()) }) {
			t.Errorf("docs/architecture.md does not name the package %s", p.rel())
		}
	}
	for _, n := range named {
		if !slices.ContainsFunc(own, func(p *pkg) bool { return covers(n, p.rel()) }) {
			t.Errorf("docs/architecture.md names %s, which is no package", n)
		}
	}
	flow := section(t, page, "One request through the service")
	files := flowGo.FindAllString(flow, -1)
	if len(files) < 8 {
		t.Errorf("the flow of a request names %d files only", len(files))
	}
	for _, f := range files {
		if strings.HasPrefix(f, "service/") {
			f = filepath.Join("..", "..", f)
		}
		if _, err := os.Stat(filepath.Join(root(t), "wsman", "wsmanserver", f)); err != nil {
			t.Errorf("the flow of a request names %s: %v", f, err)
		}
	}
	for _, heading := range []string{"One query in the object manager", "One event"} {
		files := managerGo.FindAllString(section(t, page, heading), -1)
		if len(files) < 5 {
			t.Errorf("the flow %q names %d files only", heading, len(files))
		}
		for _, f := range files {
			if _, err := os.Stat(filepath.Join(root(t), "cimom", f)); err != nil {
				t.Errorf("the flow %q names %s: %v", heading, f, err)
			}
		}
	}
	client := section(t, page, "One query through the client")
	for _, m := range quoted.FindAllStringSubmatch(client, -1) {
		if strings.HasPrefix(m[1], "wsman") && !slices.ContainsFunc(own, func(p *pkg) bool { return filepath.Base(p.rel()) == m[1] }) {
			t.Errorf("the flow of a query names %s, which is no package", m[1])
		}
	}
}

var mofBlock = regexp.MustCompile("(?s)```mof\n(.*?)```")

// TestDocumentedMOFParses: what the pages show as MOF is MOF.
func TestDocumentedMOFParses(t *testing.T) {
	found := 0
	for _, name := range tracked(t) {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		for _, block := range mofBlock.FindAllStringSubmatch(read(t, name), -1) {
			found++
			if _, err := mof.Parse(name, []byte(block[1]), mof.ParseOptions{}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if found == 0 {
		t.Error("no page shows MOF")
	}
}

// TestHouse: the module's path, its licence, and no package that has tests only, outside of test, cmd and this one.
func TestHouse(t *testing.T) {
	if !strings.HasPrefix(read(t, "go.mod"), "module "+module+"\n") {
		t.Error("go.mod names another module")
	}
	if l := read(t, "LICENSE"); !strings.Contains(l, "Apache License") || !strings.Contains(l, "Version 2.0, January 2004") {
		t.Error("LICENSE is not the Apache License 2.0")
	}
	used := map[string]bool{}
	for _, goos := range systems {
		for _, p := range list(t, goos).own {
			used[p.rel()] = used[p.rel()] || len(p.GoFiles) > 0
		}
	}
	for rel, holds := range used {
		if !holds {
			t.Errorf("the package %s is empty on every system", rel)
		}
	}
}

// TestReadme: one sentence, a picture of the parts, the two commands, a program of about ten lines, and where each
// specification stands.
func TestReadme(t *testing.T) {
	page := read(t, "README.md")
	paragraphs := strings.Split(page, "\n\n")
	if s := strings.TrimSpace(paragraphs[1]); strings.Count(s, ". ")+strings.Count(s, ".\n") != 0 || !strings.HasSuffix(s, ".") {
		t.Errorf("the first paragraph is not one sentence: %q", s)
	}
	if picture := paragraphs[2]; !strings.HasPrefix(picture, "```") || !strings.Contains(picture, "cim.Session") ||
		!strings.Contains(picture, "[here]") || !strings.Contains(page, "planned]") {
		t.Error("there is no picture that says which parts are here and which are planned")
	}
	for _, command := range []string{"\nmake run ", "\nmake test "} {
		if !strings.Contains(section(t, page, "Two commands"), command) {
			t.Errorf("the section Two commands does not have %q", command)
		}
	}
	block := goBlock.FindStringSubmatch(page)
	if block == nil {
		t.Fatal("there is no Go program")
	}
	if n := strings.Count(block[1], "\n"); n > 12 {
		t.Errorf("the program has %d lines", n)
	}
	states := section(t, page, "Where each specification stands")
	for _, spec := range []string{"MS-WSMV", "MS-WSMAN", "DSP0226", "DSP0227", "DSP0230", "MS-NLMP", "MS-SPNG", "MS-DTYP", "MS-GPREG", "WQL",
		"MS-WMI", "MS-WMIO", "MS-DCOM", "MS-RPCE", "MS-KILE", "MS-CSSP", "MS-PSRP"} {
		if !regexp.MustCompile(`(?m)^\|[^|]*` + spec + `\b[^|]*\|[^|]+\| *(here|planned|later)\b[^|]*\|$`).MatchString(states) {
			t.Errorf("%s has no state that is one of here, planned and later", spec)
		}
	}
}

package house

import (
	"encoding/csv"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// demand is one row of docs/demands.csv; docs/demands.md says what the columns mean.
type demand struct{ id, source, part, text, state, by, why string }

var demandColumns = []string{"id", "source", "part", "text", "state", "by", "why"}

func readDemands(t *testing.T) []demand {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(read(t, "docs/demands.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(rows[0], demandColumns) {
		t.Fatalf("columns %v, want %v", rows[0], demandColumns)
	}
	var list []demand
	for _, r := range rows[1:] {
		list = append(list, demand{r[0], r[1], r[2], r[3], r[4], r[5], r[6]})
	}
	return list
}

// TestDemandsComplete: documents 000 to 004 have 33, 23, 122, 54 and 38 rows, the WinRM specification 90 testable statements,
// the WMI one 116.
func TestDemandsComplete(t *testing.T) {
	seen := map[string]bool{}
	count := map[string]int{}
	for _, d := range readDemands(t) {
		if seen[d.id] {
			t.Errorf("%s stands twice", d.id)
		}
		seen[d.id] = true
		kind, _, _ := strings.Cut(d.id, "-")
		count[kind]++
	}
	for document, rows := range []int{33, 23, 122, 54, 38} {
		for item := 1; item <= rows; item++ {
			if id := fmt.Sprintf("C-%d.%02d", document, item); !seen[id] {
				t.Errorf("%s is missing", id)
			}
		}
	}
	for n := 1; n <= 90; n++ {
		if id := "S-" + strconv.Itoa(n); !seen[id] {
			t.Errorf("%s is missing", id)
		}
	}
	for n := 1; n <= 116; n++ {
		if id := fmt.Sprintf("T-%02d", n); !seen[id] {
			t.Errorf("%s is missing", id)
		}
	}
	if count["C"] != 270 || count["S"] != 90 {
		t.Errorf("%d checklist rows and %d statements, want 270 and 90", count["C"], count["S"])
	}
	for issue, sections := range map[int]int{2: 5, 3: 9, 4: 7} {
		for section := 1; section <= sections; section++ {
			if !seen[fmt.Sprintf("I%d-%d.1", issue, section)] {
				t.Errorf("section %d of issue %d has no row", section, issue)
			}
		}
	}
}

var demandID = regexp.MustCompile(`^(C-[0-4]\.\d{2,3}|S-\d{1,2}|T-\d{2,3}|I\d+-\d+\.\d+)$`)

func TestDemandsWellFormed(t *testing.T) {
	for _, d := range readDemands(t) {
		if !demandID.MatchString(d.id) {
			t.Errorf("%q is no id", d.id)
		}
		if d.source == "" || d.part == "" || d.text == "" {
			t.Errorf("%s: source, part and text must be filled", d.id)
		}
		for p := range strings.SplitSeq(d.part, ",") {
			if !slices.Contains([]string{"W", "O", "D", "G", "P", "later", "n/a"}, p) {
				t.Errorf("%s: unknown part %q", d.id, p)
			}
		}
		switch d.state {
		case "proven":
			if d.by == "" {
				t.Errorf("%s is proven by nothing", d.id)
			}
		case "unproven", "refused", "later":
			if d.why == "" {
				t.Errorf("%s is %s and does not say why", d.id, d.state)
			}
		default:
			t.Errorf("%s: unknown state %q", d.id, d.state)
		}
	}
}

func TestDemandsProofsExist(t *testing.T) {
	top, tests, targets := root(t), map[string]map[string]bool{}, makeTargets(t)
	proven := 0
	for _, d := range readDemands(t) {
		if d.state == "proven" {
			proven++
		}
		if d.by == "" {
			continue
		}
		for proof := range strings.SplitSeq(d.by, ";") {
			if why := missingProof(top, tests, targets, strings.TrimSpace(proof)); why != "" {
				t.Errorf("%s: %s", d.id, why)
			}
		}
	}
	t.Logf("%d rows are proven", proven)
}

// missingProof says what is wrong with one entry of the column by, or "".
func missingProof(top string, tests map[string]map[string]bool, targets map[string]bool, proof string) string {
	first, rest, _ := strings.Cut(proof, " ")
	switch {
	case first == "make":
		if !targets[rest] {
			return fmt.Sprintf("%q: the Makefile has no such target", proof)
		}
		return ""
	case first == "casement" && rest != "":
		return ""
	case rest == "":
		if info, err := os.Stat(filepath.Join(top, first)); err != nil || info.IsDir() {
			return fmt.Sprintf("the script %s does not exist", first)
		}
		return ""
	}
	if tests[first] == nil {
		tests[first] = testFunctions(filepath.Join(top, first))
	}
	function, _, _ := strings.Cut(rest, "/")
	if !tests[first][function] {
		return fmt.Sprintf("package %s has no test %s", first, function)
	}
	return ""
}

// testFunctions names the tests, benchmarks, fuzz targets and examples of a folder.
func testFunctions(dir string) map[string]bool {
	names := map[string]bool{}
	files, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil {
				continue
			}
			for _, kind := range []string{"Test", "Benchmark", "Fuzz", "Example"} {
				if strings.HasPrefix(fn.Name.Name, kind) {
					names[fn.Name.Name] = true
				}
			}
		}
	}
	return names
}

func TestDemandsProofsFire(t *testing.T) {
	top, targets := root(t), makeTargets(t)
	for proof, wrong := range map[string]bool{
		"internal/house TestDemandsProofsFire":         false,
		"internal/house TestDemandsProofsFire/subtest": false,
		"internal/house TestNobodyWroteThis":           true,
		"nowhere TestImportRules":                      true,
		"test/script/nothing.txtar":                    true,
		"docs/demands.csv":                             false,
		"make nothing":                                 true,
		"make check":                                   false,
	} {
		if got := missingProof(top, map[string]map[string]bool{}, targets, proof); (got != "") != wrong {
			t.Errorf("%q: %q", proof, got)
		}
	}
}

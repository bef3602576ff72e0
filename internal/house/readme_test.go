package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var (
	makeCommand = regexp.MustCompile("(?m)(?:^|`)make ([a-z]+)")
	makeTarget  = regexp.MustCompile(`(?m)^([a-z]+):`)
	localLink   = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
)

func makeTargets(t *testing.T) map[string]bool {
	targets := map[string]bool{}
	for _, m := range makeTarget.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets[m[1]] = true
	}
	return targets
}

func TestDocumentedMakeTargetsExist(t *testing.T) {
	targets := makeTargets(t)
	for _, name := range tracked(t) {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		for _, m := range makeCommand.FindAllStringSubmatch(read(t, name), -1) {
			if !targets[m[1]] {
				t.Errorf("%s names `make %s`, and the Makefile has no such target", name, m[1])
			}
		}
	}
	for _, must := range []string{"run", "test", "check"} {
		if !targets[must] {
			t.Errorf("the Makefile has no target %s", must)
		}
		if must != "check" && !strings.Contains(read(t, "README.md"), "make "+must) {
			t.Errorf("README.md does not name make %s", must)
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, name := range tracked(t) {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		for _, m := range localLink.FindAllStringSubmatch(read(t, name), -1) {
			target := filepath.Join(root(t), filepath.Dir(name), m[1])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, m[1])
			}
		}
	}
}

func TestNotAffiliated(t *testing.T) {
	for _, name := range []string{"README.md", "NOTICE"} {
		if !strings.Contains(strings.ToLower(read(t, name)), "not affiliated with") {
			t.Errorf("%s does not say that the project is not affiliated with Microsoft", name)
		}
	}
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// TestReadmeProgramCompiles builds the program of the README against this tree.
func TestReadmeProgramCompiles(t *testing.T) {
	if list(t, "linux").all[module] == nil {
		t.Skip("the package casement is not in the tree yet, so the program in README.md cannot be built")
	}
	block := goBlock.FindStringSubmatch(read(t, "README.md"))
	if block == nil {
		t.Fatal("README.md shows no Go program")
	}
	program := "package main\n\nimport (\n\t\"context\"\n\n\t\"" + module + "\"\n)\n\nfunc run(ctx context.Context, password string) error {\n" + block[1] +
		"\treturn nil\n}\n\nfunc main() { _ = run(context.Background(), \"\") }\n"
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", os.DevNull, file)
	cmd.Dir = root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the program of README.md does not build: %v\n%s", err, out)
	}
}

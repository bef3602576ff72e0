package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/casementhq/casement"

// root is the top of the tree, seen from this package.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("the module's top was expected at %s: %v", dir, err)
	}
	return dir
}

// pkg is what `go list -json` says of a package, as far as it is used here.
type pkg struct {
	Dir, ImportPath, Name, Doc string
	Standard                   bool
	Imports, Deps              []string
	GoFiles, TestGoFiles       []string
	XTestGoFiles, CgoFiles     []string
	TestImports, XTestImports  []string
	Module                     *struct{ Path string }
	Error                      *struct{ Err string }
}

func (p *pkg) rel() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

func within(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

type listing struct {
	own  []*pkg          // the packages of this module
	all  map[string]*pkg // and all that they need
	fail error
}

var (
	listings   = map[string]listing{}
	listingsMu sync.Mutex
)

// list runs `go list -deps` for a system, once for each.
func list(t *testing.T, goos string) listing {
	t.Helper()
	listingsMu.Lock()
	defer listingsMu.Unlock()
	l, ok := listings[goos]
	if !ok {
		l = runList(root(t), goos)
		listings[goos] = l
	}
	if l.fail != nil {
		t.Fatal(l.fail)
	}
	return l
}

func runList(dir, goos string) listing {
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=Dir,ImportPath,Name,Doc,Standard,Imports,Deps,GoFiles,TestGoFiles,XTestGoFiles,CgoFiles,TestImports,XTestImports,Module,Error", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS="+goos)
	if goos != "linux" {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return listing{fail: fmt.Errorf("GOOS=%s go list: %w: %s", goos, err, stderr.String())}
	}
	l := listing{all: map[string]*pkg{}}
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		p := &pkg{}
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return l
		} else if err != nil {
			return listing{fail: fmt.Errorf("go list -json: %w", err)}
		}
		l.all[p.ImportPath] = p
		if within(p.ImportPath, module) {
			l.own = append(l.own, p)
		}
	}
}

// tracked lists the files of the tree that git knows, relative to its top.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("git ls-files: %v (the files of the tree are known only inside a clone)", err)
	}
	var files []string
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.Join(cmd.Dir, name)); err == nil {
			files = append(files, name)
		}
	}
	return files
}

package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Rule 8: names are unique and telling.
func TestPackageNames(t *testing.T) {
	vague := []string{"client", "server", "types", "errors", "utils", "util", "common", "helpers", "misc", "base", "shared"}
	seen := map[string]string{}
	for _, p := range list(t, "linux").own {
		if p.Name == "main" || p.Name == "" {
			continue
		}
		if other, ok := seen[p.Name]; ok {
			t.Errorf("rule 8: %s and %s are both named %q", other, p.rel(), p.Name)
		}
		seen[p.Name] = p.rel()
		if slices.Contains(vague, p.Name) {
			t.Errorf("rule 8: %s: the name %q tells nothing", p.rel(), p.Name)
		}
		if len(p.GoFiles) > 0 && filepath.Base(p.Dir) != p.Name && p.rel() != "" {
			t.Errorf("rule 8: %s is named %q unlike its folder", p.rel(), p.Name)
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, goos := range systems {
		for _, p := range list(t, goos).own {
			if len(p.GoFiles) > 0 && p.Doc == "" {
				t.Errorf("%s: package %s has no package comment", goos, p.rel())
			}
		}
	}
}

func TestPackagesLoad(t *testing.T) {
	for _, p := range list(t, "linux").own {
		if p.Error != nil && !strings.Contains(p.Error.Err, "build constraints exclude all Go files") {
			t.Errorf("%s: %s", p.rel(), p.Error.Err)
		}
		if len(p.GoFiles)+len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 && p.Error == nil {
			t.Errorf("%s is empty", p.rel())
		}
	}
}

// TestFileSizes only tells: a file over 500 lines is a file to look at.
func TestFileSizes(t *testing.T) {
	for _, name := range tracked(t) {
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(data, []byte("\n"))
		switch {
		case lines > 1000:
			t.Errorf("%s has %d lines: split it", name, lines)
		case lines > 500:
			t.Logf("%s has %d lines; 500 is the habit", name, lines)
		}
	}
}

// Rule 5, second half: the pure packages take the time as an argument, and of net they use the types and parsers only.
func TestPureNames(t *testing.T) {
	denied := map[string]func(name string) bool{
		"time": func(name string) bool {
			return slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}, name)
		},
		"net": func(name string) bool {
			return !slices.Contains([]string{"HardwareAddr", "ParseMAC", "IP", "IPNet", "IPMask", "ParseIP", "ParseCIDR", "JoinHostPort", "SplitHostPort"}, name)
		},
	}
	for _, p := range list(t, "linux").own {
		if !slices.Contains(pure, p.rel()) {
			continue
		}
		for _, file := range p.GoFiles {
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && denied[x.Name] != nil && denied[x.Name](sel.Sel.Name) {
						t.Errorf("rule 5: %s uses %s.%s; it does no I/O and takes the time as an argument", set.Position(n.Pos()), x.Name, sel.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// A context is an argument, not a field ([context]'s own advice, and house style). The one exception is the lifetime of an owner:
// a field whose comment says "ends with Close".
func TestNoContextInStructs(t *testing.T) {
	for _, p := range list(t, "linux").own {
		for _, name := range p.GoFiles {
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				s, ok := n.(*ast.StructType)
				if !ok {
					return true
				}
				for _, field := range s.Fields.List {
					if strings.Contains(field.Comment.Text()+field.Doc.Text(), "ends with Close") {
						continue
					}
					if sel, ok := field.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Context" {
						if x, ok := sel.X.(*ast.Ident); ok && x.Name == "context" {
							t.Errorf("%s: a context.Context is stored in a struct", set.Position(field.Pos()))
						}
					}
				}
				return true
			})
		}
	}
}

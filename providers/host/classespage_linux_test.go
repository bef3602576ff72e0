package host

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/providers/consumers"
	"github.com/casementhq/casement/providers/ipmi"
	"github.com/casementhq/casement/providers/netfirewall"
	"github.com/casementhq/casement/providers/stdregprov"
	"github.com/casementhq/casement/registry"
)

//go:generate go test -run ^TestClassesPage$ . -args -write

var writePage = flag.Bool("write", false, "write docs/classes.md instead of comparing it")

const classesPage = "../../docs/classes.md"

const classesHead = `# Classes

The built-in classes on Linux and where their values come from. This page is made from the classes themselves (` + "`go generate ./providers/host`" + `), and a test fails when it
is out of date. The definition of a class is in ` + "`casement wmi class NAME -n NAMESPACE`" + `; what stored classes and [providers of your own](providers.md) add is in ` + "`casement wmi ls`" + `.

*Source* is the qualifier MappingStrings: the manual page or interface, and after the bar the file. *Methods* are the implemented ones; others of a class answer
WBEM_E_METHOD_NOT_IMPLEMENTED. *Always NULL* are the properties that have no source here; others are NULL where the machine does not tell. What cannot be known is never made up.
A class that says "by key only" lists nothing without a bound in the query.
`

// bounded are the classes whose instances are without end.
var bounded = []string{"CIM_DataFile", "Win32_Directory", "CIM_DirectoryContainsFile", "Win32_SubDirectory", "Win32_PingStatus"}

// TestClassesPage: docs/classes.md lists the built-in classes as they are.
func TestClassesPage(t *testing.T) {
	page := classesHead
	known := map[string][]string{}
	for _, s := range slices.Concat(platformSources, fileSources) {
		known[cim.Fold(s.className())] = s.columnNames()
	}
	all := everyClass(t)
	for start := 0; start < len(all); {
		end := start
		for end < len(all) && all[end].Namespace == all[start].Namespace {
			end++
		}
		page += classesOf(all[start:end], known)
		start = end
	}
	if *writePage {
		if err := os.WriteFile(filepath.FromSlash(classesPage), []byte(page), 0o644); err != nil { // #nosec G306 -- a page of the documentation
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(filepath.FromSlash(classesPage))
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page {
		t.Error("docs/classes.md is out of date: go generate ./providers/host")
	}
}

// everyClass lists the classes of the built-in providers that can have instances or are events, by namespace and name.
func everyClass(t *testing.T) []*cim.Class {
	hive, err := registry.Open(filepath.Join(t.TempDir(), "hive.reg"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer hive.Close()
	reg, err := stdregprov.New(stdregprov.Options{Hive: hive})
	if err != nil {
		t.Fatal(err)
	}
	fw, err := netfirewall.New(netfirewall.Options{Hive: hive})
	if err != nil {
		t.Fatal(err)
	}
	cons, err := consumers.New(consumers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cons.Close()
	bmcs := ipmi.New(ipmi.Options{})
	defer bmcs.Close()
	all := slices.Concat(NewFiles(Options{}).Classes(), New(Options{}).Classes(), reg.Classes(), fw.Classes(), cons.Classes(), bmcs.Classes())
	all = slices.DeleteFunc(all, func(c *cim.Class) bool {
		return c.IsAbstract() || !c.Qualifiers.True("Dynamic") && !c.IsA("__Event") && !c.IsA("__EventConsumer")
	})
	slices.SortFunc(all, func(a, b *cim.Class) int {
		return cmp.Or(cmp.Compare(cim.Fold(a.Namespace), cim.Fold(b.Namespace)), cmp.Compare(cim.Fold(a.Name), cim.Fold(b.Name)))
	})
	return slices.CompactFunc(all, func(a, b *cim.Class) bool { return a.Namespace == b.Namespace && a.Name == b.Name })
}

// classesOf is the part of the page about one namespace.
func classesOf(list []*cim.Class, known map[string][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n", list[0].Namespace)
	head := "| class | source | methods | always NULL |\n|---|---|---|---|\n"
	for _, c := range list {
		if c.IsA("__Event") {
			continue
		}
		b.WriteString(head)
		head = ""
		name := "`" + c.Name + "`"
		if slices.Contains(bounded, c.Name) {
			name += ", by key only"
		}
		source := sourceOf(c)
		switch {
		case source == "none":
			source = "none: always empty"
		case c.IsA("__EventConsumer"):
			source = "[stored instances](consumers.md)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, source, strings.Join(implemented(c), ", "), strings.Join(never(c, known), ", "))
	}
	head = "\n| event | source |\n|---|---|\n"
	for _, c := range list {
		if c.IsA("__Event") && sourceOf(c) != "" {
			fmt.Fprintf(&b, "%s| `%s` | %s |\n", head, c.Name, sourceOf(c))
			head = ""
		}
	}
	return b.String()
}

func sourceOf(c *cim.Class) string {
	v, _ := c.Qualifiers.Get("MappingStrings")
	var parts []string
	for _, e := range v.Elems() {
		s, _ := e.Str()
		parts = append(parts, strings.ReplaceAll(s, "|", `\|`))
	}
	return strings.Join(parts, "; ")
}

func implemented(c *cim.Class) (names []string) {
	for n := range c.Methods {
		if c.Methods[n].Qualifiers.True("Implemented") {
			names = append(names, c.Methods[n].Name)
		}
	}
	return names
}

// never are the properties of a class of this machine that nothing fills.
func never(c *cim.Class, known map[string][]string) (names []string) {
	columns, tabled := known[cim.Fold(c.Name)]
	if !tabled || sourceOf(c) == "none" {
		return nil
	}
	var uncounted []string // what the raw class of a formatted one does not count
	if raw := strings.Replace(c.Name, "Formatted", "Raw", 1); raw != c.Name {
		uncounted = never(classNamed(raw), known)
	}
	for _, p := range c.Properties {
		if slices.Contains(uncounted, p.Name) || !slices.ContainsFunc(columns, func(n string) bool { return cim.EqualFold(n, p.Name) }) && p.Default.IsNull() {
			names = append(names, p.Name)
		}
	}
	return names
}

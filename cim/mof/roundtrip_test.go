package mof

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// same tells what differs between two classes, "" for nothing.
func same(a, b *cim.Class) string {
	if a.Name != b.Name || a.Superclass != b.Superclass || !slices.Equal(a.Derivation, b.Derivation) || a.Namespace != b.Namespace {
		return fmt.Sprintf("%s : %v in %s, and %s : %v in %s", a.Name, a.Derivation, a.Namespace, b.Name, b.Derivation, b.Namespace)
	}
	if why := sameQualifiers(a.Qualifiers, b.Qualifiers); why != "" {
		return why
	}
	if len(a.Properties) != len(b.Properties) || len(a.Methods) != len(b.Methods) {
		return fmt.Sprintf("%d and %d properties, %d and %d methods", len(a.Properties), len(b.Properties), len(a.Methods), len(b.Methods))
	}
	for i := range a.Properties {
		p, q := &a.Properties[i], &b.Properties[i]
		if p.Name != q.Name || p.Type != q.Type || p.RefClass != q.RefClass || p.Key != q.Key || p.Origin != q.Origin || !p.Default.Equal(q.Default) {
			return fmt.Sprintf("%+v\n%+v", *p, *q)
		}
		if why := sameQualifiers(p.Qualifiers, q.Qualifiers); why != "" {
			return p.Name + ": " + why
		}
	}
	for i := range a.Methods {
		m, n := &a.Methods[i], &b.Methods[i]
		if m.Name != n.Name || m.Return != n.Return || m.Static != n.Static || m.Origin != n.Origin {
			return fmt.Sprintf("%+v\n%+v", *m, *n)
		}
		why := sameQualifiers(m.Qualifiers, n.Qualifiers)
		if why == "" {
			why = sameParameters(m.In, n.In)
		}
		if why == "" {
			why = sameParameters(m.Out, n.Out)
		}
		if why != "" {
			return m.Name + ": " + why
		}
	}
	return ""
}

func sameParameters(a, b []cim.Parameter) string {
	if len(a) != len(b) {
		return fmt.Sprintf("%d and %d parameters", len(a), len(b))
	}
	for i := range a {
		p, q := &a[i], &b[i]
		if p.Name != q.Name || p.Type != q.Type || p.RefClass != q.RefClass || p.Optional != q.Optional || !p.Default.Equal(q.Default) {
			return fmt.Sprintf("%+v\n%+v", *p, *q)
		}
		if why := sameQualifiers(p.Qualifiers, q.Qualifiers); why != "" {
			return p.Name + ": " + why
		}
	}
	return ""
}

// sameQualifiers compares without regard to order, which means nothing.
func sameQualifiers(a, b cim.Qualifiers) string {
	text := func(list cim.Qualifiers) string {
		lines := make([]string, len(list))
		for i, q := range list {
			lines[i] = fmt.Sprintf("%s=%q %v %02x", q.Name, q.Value.String(), q.Value.Type(), q.Flavor)
		}
		slices.Sort(lines)
		return strings.Join(lines, "; ")
	}
	if s, t := text(a), text(b); s != t {
		return s + "\n" + t
	}
	return ""
}

// printed prints classes, which stand behind their superclasses, each into its
// namespace.
func printed(classes []*cim.Class) []byte {
	var text []byte
	for _, c := range classes {
		p := printer{text}
		p.namespace(c.Namespace)
		text = AppendClass(p.b, c, PrintOptions{Super: find(classes, c.Superclass)})
	}
	return text
}

func find(classes []*cim.Class, name string) *cim.Class {
	i := slices.IndexFunc(classes, func(c *cim.Class) bool { return cim.EqualFold(c.Name, name) })
	if i < 0 {
		return nil
	}
	return classes[i]
}

// roundTrip prints classes, compiles the text and compares.
func roundTrip(t interface{ Errorf(string, ...any) }, classes []*cim.Class) {
	text := printed(classes)
	again, _, err := Definitions(oneFile{"printed.mof", text}, "printed.mof")
	if err != nil {
		t.Errorf("%v\n%s", err, text[:min(len(text), 4000)])
		return
	}
	if len(again) != len(classes) {
		t.Errorf("%d classes, want %d", len(again), len(classes))
		return
	}
	for i, c := range classes {
		if why := same(c, again[i]); why != "" {
			t.Errorf("%s: %s\n%s", c.Name, why, AppendClass(nil, c, PrintOptions{}))
		}
	}
}

// builtIn are the folders of the MOF that is built in.
var builtIn = []string{"../../cimom/schema", "../../providers/host/schema"}

// TestBuiltInClassesPrintAsThemselves compiles what is built in, prints it and
// compiles it again.
func TestBuiltInClassesPrintAsThemselves(t *testing.T) {
	for _, folder := range builtIn {
		fsys := os.DirFS(folder)
		files, err := fs.Glob(fsys, "*.mof")
		if err != nil {
			t.Fatal(err)
		}
		classes, _, err := Definitions(fsys, files...)
		if err != nil {
			t.Fatal(err)
		}
		if len(classes) < 40 {
			t.Errorf("only %d classes in %s", len(classes), folder)
		}
		roundTrip(t, classes)
	}
}

// TestPublicSchema does the same with the CIM schema of the DMTF, where it is
// at hand: CASEMENT_CIM_SCHEMA_DIR is the folder with cim_schema_2.32.0.mof. The
// schema breaks rules that WMI has and DSP0004 has not; those classes, and what
// derives from them, are counted.
func TestPublicSchema(t *testing.T) {
	dir := os.Getenv("CASEMENT_CIM_SCHEMA_DIR")
	if dir == "" {
		t.Skip("CASEMENT_CIM_SCHEMA_DIR is not set")
	}
	const name = "cim_schema_2.32.0.mof"
	src, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(name, src, ParseOptions{Include: os.DirFS(dir)})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := superclassesFirst(f.Objects)
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{classes: map[string]*cim.Class{}}
	refused := map[cim.Status][]string{}
	for i := range objects {
		if err := newCompiler(m, Options{}).run(t.Context(), objects[i:i+1]); err != nil {
			refused[cim.StatusOf(err)] = append(refused[cim.StatusOf(err)], objects[i].Class.Declared.Name)
		}
	}
	properties, methods := 0, 0
	for _, c := range m.made {
		properties += len(c.Properties)
		methods += len(c.Methods)
	}
	t.Logf("%d classes in the text; %d made, with %d properties and %d methods", len(objects), len(m.made), properties, methods)
	for status, classes := range refused {
		t.Logf("%v: %d: %v", status, len(classes), classes)
	}
	if len(m.made) < 1000 {
		t.Error("too few classes")
	}
	roundTrip(t, m.made)
}

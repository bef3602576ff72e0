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

// printed prints classes, those of every namespace first, each into its
// namespace.
func printed(base, classes []*cim.Class) []byte {
	var text []byte
	for _, first := range [...]bool{true, false} {
		for _, c := range classes {
			if first != (c.Namespace == "") {
				continue
			}
			p := printer{text}
			p.namespace(c.Namespace)
			super := find(classes, c.Namespace, c.Superclass)
			if super == nil {
				super = find(base, c.Namespace, c.Superclass)
			}
			text = AppendClass(p.b, c, PrintOptions{Super: super})
		}
	}
	return text
}

func find(classes []*cim.Class, namespace, name string) *cim.Class {
	for _, n := range [...]string{namespace, ""} {
		for _, c := range classes {
			if cim.EqualFold(c.Name, name) && cim.EqualFold(c.Namespace, n) {
				return c
			}
		}
	}
	return nil
}

// roundTrip prints classes, compiles the text and compares.
func roundTrip(t interface{ Errorf(string, ...any) }, base, classes []*cim.Class) {
	text := printed(base, classes)
	again, _, err := DefinitionsOn(base, oneFile{"printed.mof", text}, "printed.mof")
	if err != nil {
		t.Errorf("%v\n%s", err, text[:min(len(text), 4000)])
		return
	}
	if len(again) != len(classes) {
		t.Errorf("%d classes, want %d", len(again), len(classes))
	}
	for _, c := range classes {
		d := find(again, c.Namespace, c.Name)
		if d == nil {
			t.Errorf("%s is lost", c.Name)
		} else if why := same(c, d); why != "" {
			t.Errorf("%s: %s\n%s", c.Name, why, AppendClass(nil, c, PrintOptions{}))
		}
	}
}

// texts are the MOF files of a folder.
func texts(t testing.TB, folder string) (fs.FS, []string) {
	fsys := os.DirFS(folder)
	files, err := fs.Glob(fsys, "*.mof")
	if err != nil || len(files) == 0 {
		t.Fatal(folder, files, err)
	}
	return fsys, files
}

// builtIn gives the folders of the MOF that is built in; the classes of the
// first are the system's, on which the others build.
func builtIn(t testing.TB) []string {
	providers, err := filepath.Glob("../../providers/*/schema")
	if err != nil || len(providers) == 0 {
		t.Fatal(providers, err)
	}
	return append([]string{"../../cimom/schema"}, providers...)
}

// TestBuiltInClassesPrintAsThemselves compiles what is built in, prints it and
// compiles it again.
func TestBuiltInClassesPrintAsThemselves(t *testing.T) {
	var system []*cim.Class
	total := 0
	for i, folder := range builtIn(t) {
		fsys, files := texts(t, folder)
		classes, _, err := DefinitionsOn(system, fsys, files...)
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, system, classes)
		if total += len(classes); i == 0 {
			system = classes
		}
	}
	if total < 200 {
		t.Errorf("only %d classes", total)
	}
	t.Logf("%d classes", total)
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
	roundTrip(t, nil, m.made)
}

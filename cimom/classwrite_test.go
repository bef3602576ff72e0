package cimom_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/security"
)

// storing is a session of an administrator in root\cimv2 of a manager without
// providers.
func storing(t testing.TB) cim.Session {
	t.Helper()
	m := cimom.New(cimom.Options{Server: "HOST"})
	t.Cleanup(func() { m.Close() })
	return open(t, m, `root\cimv2`)
}

func key() cim.Qualifier { return cim.Qualifier{Name: "Key", Value: cim.Bool(true)} }

func put(t testing.TB, s cim.Session, c cim.Class, o cim.PutClassOptions) {
	t.Helper()
	if err := s.(cim.ClassWriter).PutClass(t.Context(), &c, o); err != nil {
		t.Fatal(err)
	}
}

// keyed is a class with the key Id and a text.
func keyed(name, super string) cim.Class {
	c := cim.Class{Name: name, Superclass: super}
	if super == "" {
		c.Properties = []cim.Property{
			{Name: "Id", Type: cim.String, Qualifiers: cim.Qualifiers{key()}},
			{Name: "Note", Type: cim.String},
		}
	}
	return c
}

func create(t testing.TB, s cim.Session, class string, values map[string]cim.Value) cim.ObjectPath {
	t.Helper()
	path, err := s.Create(t.Context(), make1(t, s, class, values), cim.OperationOptions{})
	if err != nil {
		t.Fatalf("create %s %v: %v", class, values, err)
	}
	return path
}

func make1(t testing.TB, s cim.Session, class string, values map[string]cim.Value) *cim.Instance {
	t.Helper()
	c, err := s.GetClass(t.Context(), class, cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	i := cim.NewInstance(c)
	for name, v := range values {
		if err := i.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

func query(t testing.TB, s cim.Session, text string) []*cim.Instance {
	t.Helper()
	e, err := s.Query(t.Context(), text, cim.QueryOptions{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	list, err := cim.Collect(t.Context(), e)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return list
}

func classNames(list []*cim.Instance) string {
	var names []string
	for _, i := range list {
		names = append(names, i.Class().Name)
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

func TestClassWrites(t *testing.T) {
	s := storing(t)
	w := s.(cim.ClassWriter)
	put(t, s, keyed("A", ""), cim.PutClassOptions{})
	put(t, s, keyed("B", "A"), cim.PutClassOptions{})
	refuse := func(what string, want cim.Status, c cim.Class, o cim.PutClassOptions) {
		t.Helper()
		if err := w.PutClass(t.Context(), &c, o); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	for _, name := range []string{"_x", "x_", "__x"} {
		refuse("T-73: a class called "+name, cim.ErrInvalidParameter, keyed(name, ""), cim.PutClassOptions{})
	}
	refuse("T-76: CREATE_ONLY of a class that exists", cim.ErrAlreadyExists, keyed("a", ""), cim.PutClassOptions{Mode: cim.ClassCreateOnly})
	refuse("T-77: UPDATE_ONLY of a class that does not", cim.ErrNotFound, keyed("C", "A"), cim.PutClassOptions{Mode: cim.ClassUpdateOnly})
	refuse("a missing superclass", cim.ErrInvalidSuperclass, keyed("C", "Nothing"), cim.PutClassOptions{})
	amended := keyed("A", "")
	amended.Properties[1].Qualifiers = cim.Qualifiers{{Name: "Description", Value: cim.Str("x"), Flavor: cim.Amended | cim.ToSubClass}}
	refuse("T-74: amended qualifiers without the flag", cim.ErrAmendedObject, amended, cim.PutClassOptions{})
	typed := cim.Class{Name: "B", Superclass: "A", Properties: []cim.Property{{Name: "Note", Type: cim.Uint32}}}
	refuse("T-79: another type", cim.ErrUpdateTypeMismatch, typed, cim.PutClassOptions{})
	refuse("T-80: a singleton below no singleton", cim.ErrCannotBeSingleton,
		cim.Class{Name: "C", Superclass: "A", Qualifiers: cim.Qualifiers{{Name: "Singleton", Value: cim.Bool(true)}}}, cim.PutClassOptions{})

	refuse("a class below itself", cim.ErrCircularReference, keyed("A", "B"), cim.PutClassOptions{Conflict: cim.ForceConflict})

	part, err := s.GetClass(t.Context(), "A", cim.GetOptions{Properties: []string{"Note"}})
	if err != nil {
		t.Fatal(err)
	}
	refuse("a part of a class", cim.ErrIncompleteClass, *part, cim.PutClassOptions{})
	if _, err := s.Create(t.Context(), cim.ClassObject(part), cim.OperationOptions{}); !errors.Is(err, cim.ErrInvalidObject) {
		t.Errorf("a class as an instance: %v", err)
	}

	wider := keyed("A", "")
	wider.Properties = append(wider.Properties, cim.Property{Name: "More", Type: cim.Uint32})
	refuse("T-91: a change of a class with subclasses", cim.ErrClassHasChildren, wider, cim.PutClassOptions{})
	put(t, s, keyed("A", ""), cim.PutClassOptions{}) // nothing changes
	put(t, s, wider, cim.PutClassOptions{Conflict: cim.SafeConflict})
	if c, err := s.GetClass(t.Context(), "B", cim.GetOptions{}); err != nil || c.Property("More") == nil {
		t.Errorf("T-91: the subclass after a safe update: %v, %v", c, err)
	}
	put(t, s, cim.Class{Name: "B", Superclass: "A", Properties: []cim.Property{{Name: "Extra", Type: cim.String}}}, cim.PutClassOptions{})
	clash := wider
	clash.Properties = append(slices.Clone(wider.Properties), cim.Property{Name: "Extra", Type: cim.Uint8})
	refuse("a property that a subclass has in another type", cim.ErrUpdateTypeMismatch, clash, cim.PutClassOptions{Conflict: cim.SafeConflict})

	tag := func(text string, f cim.Flavor) cim.Qualifiers {
		return cim.Qualifiers{{Name: "Tag", Value: cim.Str(text), Flavor: f}}
	}
	put(t, s, cim.Class{Name: "B", Superclass: "A", Qualifiers: tag("b", 0)}, cim.PutClassOptions{})
	tagged := wider
	tagged.Qualifiers = tag("a", cim.ToSubClass|cim.NotOverridable)
	refuse("a qualifier that a subclass has otherwise", cim.ErrUpdateOverrideNotAllowed, tagged, cim.PutClassOptions{Conflict: cim.SafeConflict})
	put(t, s, tagged, cim.PutClassOptions{Conflict: cim.ForceConflict})
	if c, err := s.GetClass(t.Context(), "B", cim.GetOptions{}); err != nil || c.Qualifiers.Text("Tag") != "a" {
		t.Errorf("T-91: the subclass after a forced update: %+v, %v", c.Qualifiers, err)
	}
	path := create(t, s, "B", map[string]cim.Value{"Id": cim.Str("1")})
	for _, mode := range []cim.ClassConflict{cim.SafeConflict, cim.ForceConflict} {
		later := wider
		later.Properties = append(slices.Clone(wider.Properties), cim.Property{Name: "Later", Type: cim.Uint32})
		refuse("T-91: a change while a subclass has instances", cim.ErrClassHasInstances, later, cim.PutClassOptions{Conflict: mode})
	}
	described := tagged
	described.Qualifiers = append(cim.Qualifiers{{Name: "Description", Value: cim.Str("text")}}, tagged.Qualifiers...)
	put(t, s, described, cim.PutClassOptions{}) // people's text may always change

	drop := func(name string, want cim.Status) {
		t.Helper()
		if err := w.DeleteClass(t.Context(), name, cim.OperationOptions{}); cim.StatusOf(err) != want {
			t.Errorf("delete %s: %v, want %v", name, err, want)
		}
	}
	drop("Nothing", cim.ErrNotFound)
	drop("__Event", cim.ErrInvalidOperation)
	drop("A", cim.ErrClassHasChildren)
	drop("B", cim.ErrClassHasInstances)
	if err := s.Delete(t.Context(), path, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	drop("B", 0)
	drop("a", 0)
	if _, err := s.GetClass(t.Context(), "A", cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("a deleted class: %v", err)
	}
}

// TestClassRights: Full Write is needed for classes. See spec/wmi.md 5.7.
func TestClassRights(t *testing.T) {
	s := storing(t)
	put(t, s, keyed("A", ""), cim.PutClassOptions{})
	user := s.With(caller(false, security.SIDAuthenticatedUsers))
	c := keyed("B", "")
	w := user.(cim.ClassWriter)
	if err := w.PutClass(t.Context(), &c, cim.PutClassOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("PutClass: %v", err)
	}
	if err := w.DeleteClass(t.Context(), "A", cim.OperationOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("DeleteClass: %v", err)
	}
	if _, err := user.Create(t.Context(), make1(t, s, "A", map[string]cim.Value{"Id": cim.Str("1")}), cim.OperationOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("Create of a stored instance with Provider Write: %v", err)
	}
}

// TestTwoLayers: a stored declaration stands in for a built-in class, what is
// below it changes with it, and a restart keeps both.
func TestTwoLayers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "repository")
	start := func() (cim.Session, func()) {
		repo, err := repository.Open(file, repository.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := cimom.New(cimom.Options{Repository: repo})
		if err := m.Register(refusing{}); err != nil {
			t.Fatal(err)
		}
		return open(t, m, faultyNamespace), func() { m.Close(); repo.Close() }
	}
	s, stop := start()
	above, err := s.GetClass(t.Context(), "Above", cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	changed := *above
	changed.Properties = append(slices.Clone(above.Properties), cim.Property{Name: "Colour", Type: cim.String})
	put(t, s, changed, cim.PutClassOptions{Conflict: cim.SafeConflict})
	put(t, s, keyed("Mine", ""), cim.PutClassOptions{})
	put(t, s, cim.Class{Name: "Lowest", Superclass: "Mine"}, cim.PutClassOptions{})
	create(t, s, "Lowest", map[string]cim.Value{"Id": cim.Str("1"), "Note": cim.Str("kept")})
	if err := s.(cim.ClassWriter).DeleteClass(t.Context(), "Given", cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	look := func(when string) {
		t.Helper()
		if c, err := s.GetClass(t.Context(), "Listed", cim.GetOptions{}); err != nil || c.Property("Colour") == nil {
			t.Errorf("%s: the built-in subclass lacks the property: %v", when, err)
		}
		if got := query(t, s, "SELECT * FROM Listed"); len(got) != 1 || got[0].Class().Property("Colour") == nil || !got[0].Get("Colour").IsNull() {
			t.Errorf("%s: instances of a provider: %v", when, got)
		}
		if got := query(t, s, "SELECT Note FROM Mine"); len(got) != 1 || got[0].Get("Note").String() != "kept" {
			t.Errorf("%s: stored instances: %v", when, got)
		}
		if _, err := s.GetClass(t.Context(), "Given", cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) {
			t.Errorf("%s: a deleted built-in class: %v", when, err)
		}
	}
	look("before the restart")
	stop()
	s, stop = start()
	defer stop()
	look("after the restart")
}

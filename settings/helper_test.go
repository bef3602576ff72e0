package settings

import (
	"errors"
	"testing"

	"github.com/casementhq/casement/registry"
)

// hive is a registry snapshot for tests: changes of the hive, with a policy over it.
func hive(t *testing.T, p *registry.Policy, changes ...Change) *registry.Tree {
	t.Helper()
	local, err := registry.NewTree().Edit(func(tx *registry.Tx) error { return Apply(tx, changes) })
	if err != nil {
		t.Fatal(err)
	}
	tree, err := registry.Overlay(local, p)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func load(t *testing.T, r Reader, d Defaults) *WinRM {
	t.Helper()
	w, bad := Load(r, d)
	if len(bad) > 0 {
		t.Fatalf("problems: %+v", bad)
	}
	return w
}

// wantCode checks an error's WSMan code; 0 means no error.
func wantCode(t *testing.T, what string, err error, code uint32) {
	t.Helper()
	var e *Error
	switch {
	case code == 0 && err != nil:
		t.Errorf("%s: %v, want no error", what, err)
	case code != 0 && (!errors.As(err, &e) || e.Code != code):
		t.Errorf("%s: %v, want code 0x%08X", what, err, code)
	}
}

// put validates a Put of one setting, applies it and returns the new snapshot.
func put(t *testing.T, uri, name, value string) (*WinRM, error) {
	t.Helper()
	empty := registry.NewTree()
	changes, err := load(t, empty, Current).Validate(uri, []NameValue{{Name: name, Value: value}})
	if err != nil {
		return nil, err
	}
	return load(t, hive(t, nil, changes...), Current), nil
}

// field finds a value in a description by its path.
func field(fields []Field, path ...string) (Field, bool) {
	for _, f := range fields {
		if f.Name == path[0] {
			if len(path) == 1 {
				return f, true
			}
			return field(f.Children, path[1:]...)
		}
	}
	return Field{}, false
}

package wql

import (
	"errors"
	"testing"

	"github.com/casementhq/casement/cim"
)

// TestParseAssociators has T-63, T-64 and row 4 of spec/proof.md 5.
func TestParseAssociators(t *testing.T) {
	a, err := ParseAssociators("associators of{Win32_Disk='C:}'}\tWHERE ResultClass = X AssocClass=Y\nKeysOnly role=A ResultRole=B RequiredQualifier=Q RequiredAssocQualifier=R;")
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := a.Source.Key("DeviceID"); a.Source.Class != "Win32_Disk" || v.String() != "C:}" {
		t.Errorf("source %v", a.Source)
	}
	want := Associators{
		Source: a.Source, AssocClass: "Y", ResultClass: "X", Role: "A", ResultRole: "B", RequiredQualifier: "Q",
		RequiredAssocQualifier: "R", KeysOnly: true,
	}
	if !a.Source.Equal(want.Source) || a.AssocClass != want.AssocClass || a.ResultClass != want.ResultClass || a.Role != want.Role ||
		a.ResultRole != want.ResultRole || a.RequiredQualifier != want.RequiredQualifier ||
		a.RequiredAssocQualifier != want.RequiredAssocQualifier || !a.KeysOnly || a.ClassDefsOnly || a.SchemaOnly || a.References {
		t.Errorf("%+v, want %+v", *a, want)
	}
	for _, ok := range []string{
		`REFERENCES OF {X.A="b"}`, `ASSOCIATORS OF {X=@} WHERE ClassDefsOnly AssocClass=Y`, `ASSOCIATORS OF {X} WHERE SchemaOnly`,
		`ASSOCIATORS OF { \\.\root\cimv2:X.A=1,B="c\\}" }`,
	} {
		if _, err := ParseAssociators(ok); err != nil || !IsAssociators(ok) {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{
		`ASSOCIATORS OF {X=1} WHERE Role=A AND ResultRole=B`, `ASSOCIATORS OF {X=1} WHERE Role<>A`, `ASSOCIATORS OF {X=1} WHERE Role=A, KeysOnly`,
		`ASSOCIATORS OF {X=1} WHERE ClassDefsOnly ResultClass=Y`, `ASSOCIATORS OF {X=1} WHERE SchemaOnly`, `ASSOCIATORS OF {X=1} WHERE`,
		`ASSOCIATORS OF {X=1} WHERE Role='A'`, `ASSOCIATORS OF {X=1} WHERE Role=A Role=B`, `REFERENCES OF {X=1} WHERE AssocClass=Y`,
		`ASSOCIATORS OF {X="1}`, `ASSOCIATORS OF {X . A=1}`, `ASSOCIATORS {X=1}`, `ASSOCIATORS OF {}`, `ASSOCIATORS OF {X=1} KeysOnly`, `ASSOCIATORS OF`,
	} {
		if _, err := ParseAssociators(bad); !errors.Is(err, cim.ErrInvalidQuery) {
			t.Errorf("%s: %v, want WBEM_E_INVALID_QUERY", bad, err)
		}
	}
}

func FuzzAssociators(f *testing.F) {
	f.Add(`ASSOCIATORS OF {\\.\root\cimv2:X.A=1,B="c\\}"} WHERE ResultClass = X AssocClass=Y KeysOnly;`)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAssociators(s)
		if err == nil && a.Source.Class == "" {
			t.Errorf("%q has no source", s)
		}
	})
}

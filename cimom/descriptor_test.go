package cimom

import (
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// FuzzSetSD: whatever bytes a caller gives, they are refused with a status of
// the documentation, or make a descriptor that can be stored, read and
// inherited.
func FuzzSetSD(f *testing.F) {
	for _, text := range []string{DefaultSDDL, "O:BAG:BAD:(D;CINP;0x1;;;BU)(A;CIIO;0x6003f;;;BA)", "D:", "O:BAG:BAS:(AU;SA;0x1;;;WD)"} {
		sd, err := security.ParseSDDL(text)
		if err != nil {
			f.Fatal(err)
		}
		b, err := sd.Bytes()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sd, err := decodeDescriptor(b)
		if err != nil {
			if status := cim.StatusOf(err); status != cim.ErrInvalidObject && status != cim.ErrInvalidParameter {
				t.Fatalf("%v", err)
			}
			return
		}
		stored := replaceLists(defaultSecurity, sd, true)
		child := inherit(stored, sd)
		for _, one := range []*security.SecurityDescriptor{stored, child, inherit(child, nil)} {
			b, err := one.Bytes()
			if err != nil {
				continue // larger than a descriptor can be: refused when it is stored
			}
			if again, err := security.DecodeSecurityDescriptor(b); err != nil || again.String() != one.String() {
				t.Fatalf("%v came back as %v, %v", one, again, err)
			}
		}
		for _, a := range child.DACL.ACEs {
			if a.Flags&security.InheritOnly != 0 && a.Flags&security.Inherited != 0 {
				t.Fatal("an inherited entry does not count in the child")
			}
		}
	})
}

package security

import (
	"errors"
	"testing"
)

func sidOf(t testing.TB, text string) SID {
	t.Helper()
	s, err := ParseSID(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func descriptor(t testing.TB, sddl string) *SecurityDescriptor {
	t.Helper()
	sd, err := ParseSDDL(sddl)
	if err != nil {
		t.Fatal(err)
	}
	return sd
}

// alice is a user whose token has Everyone, Users, Remote Management Users and a deny-only Administrators.
func alice(t testing.TB) *Token {
	return &Token{User: sidOf(t, "S-1-5-21-1-2-3-1001"), Filtered: true, Groups: []GroupEntry{{SID: SIDEveryone},
		{SID: SIDUsers}, {SID: SIDRemoteManagementUsers}, {SID: SIDAdministrators, DenyOnly: true}}}
}

func TestAccessCheck(t *testing.T) {
	const me = "S-1-5-21-1-2-3-1001"
	for _, c := range []struct {
		name, sddl    string
		desired, want uint32
		mapping       GenericMapping
		ok            bool
	}{
		{"granted to a group", "D:(A;;GR;;;BU)", GenericRead, GenericRead, GenericMapping{}, true},
		{"granted in two entries", "D:(A;;GR;;;BU)(A;;GX;;;RM)", GenericRead | GenericExecute, GenericRead | GenericExecute, GenericMapping{}, true},
		{"one right is missing", "D:(A;;GR;;;BU)", GenericRead | GenericExecute, 0, GenericMapping{}, false},
		{"all includes read", "D:(A;;GA;;;BU)", GenericRead, GenericRead, GenericMapping{}, true},
		{"deny first", "D:(D;;GX;;;WD)(A;;GA;;;BU)", GenericExecute, 0, GenericMapping{}, false},
		{"deny after a full grant is too late", "D:(A;;GA;;;BU)(D;;GX;;;WD)", GenericExecute, GenericExecute, GenericMapping{}, true},
		{"deny of another right", "D:(D;;GX;;;WD)(A;;GA;;;BU)", GenericRead, GenericRead, GenericMapping{}, true},
		{"deny-only group grants nothing", "D:(A;;GA;;;BA)", GenericRead, 0, GenericMapping{}, false},
		{"deny-only group denies", "D:(D;;GR;;;BA)(A;;GA;;;BU)", GenericRead, 0, GenericMapping{}, false},
		{"inherit only does not count", "D:(A;IO;GA;;;BU)", GenericRead, 0, GenericMapping{}, false},
		{"inherit only deny does not count", "D:(D;IO;GA;;;BU)(A;;GA;;;BU)", GenericRead, GenericRead, GenericMapping{}, true},
		{"empty list", "O:BUD:", GenericRead, 0, GenericMapping{}, false},
		{"no list", "O:SY", GenericAll, genericBits, GenericMapping{}, true},
		{"NULL list", "D:NO_ACCESS_CONTROL", GenericRead, GenericRead, GenericMapping{}, true},
		{"owner may read control", "O:" + me + "D:", ReadControl | WriteDAC, ReadControl | WriteDAC, GenericMapping{}, true},
		{"owner may no more", "O:" + me + "D:", ReadControl | Delete, 0, GenericMapping{}, false},
		{"owner rights replace it", "O:" + me + "D:(A;;RC;;;OW)", WriteDAC, 0, GenericMapping{}, false},
		{"owner rights grant", "O:" + me + "D:(A;;RC;;;OW)", ReadControl, ReadControl, GenericMapping{}, true},
		{"owner rights are for the owner", "O:SYD:(A;;RC;;;OW)", ReadControl, 0, GenericMapping{}, false},
		{"owner by a deny-only group is none", "O:BAD:", ReadControl, 0, GenericMapping{}, false},
		{"denial after implied rights", "O:" + me + "D:(D;;RC;;;WD)", ReadControl, ReadControl, GenericMapping{}, true},
		{"maximum", "D:(A;;FR;;;BU)(A;;0x1;;;RM)(D;;0x8;;;WD)", MaximumAllowed, (FileRead | 1) &^ 8, FileMapping, true},
		{"maximum of nothing", "D:(A;;FR;;;SY)", MaximumAllowed, 0, FileMapping, false},
		{"maximum of an owner", "O:" + me + "D:", MaximumAllowed, ReadControl | WriteDAC, FileMapping, true},
		{"maximum and a missing right", "D:(A;;FR;;;BU)", MaximumAllowed | Delete, 0, FileMapping, false},
		{"maximum without a list", "", MaximumAllowed, FileAll, FileMapping, true},
		{"maximum never has the SACL", "D:(A;;0x01020000;;;BU)", MaximumAllowed, ReadControl, FileMapping, true},
		{"mapped request", "D:(A;;FR;;;BU)", GenericRead, FileRead, FileMapping, true},
		{"mapped entry", "D:(A;;GR;;;BU)", FileRead, FileRead, FileMapping, true},
		{"SACL without privilege", "D:(A;;0x11000000;;;BU)", AccessSystemSecurity, 0, GenericMapping{}, false},
		{"conditional grant", "D:(XA;;GA;;;BU;#61727478)", GenericRead, 0, GenericMapping{}, false},
		{"conditional denial", "D:(XD;;GR;;;BU;#61727478)(A;;GA;;;BU)", GenericRead, 0, GenericMapping{}, false},
		{"self is nobody", "D:(A;;GA;;;PS)", GenericRead, 0, GenericMapping{}, false},
		{"nothing asked", "D:", 0, 0, GenericMapping{}, true},
		{"root of WinRM", "O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)", GenericRead, 0, GenericMapping{}, false},
	} {
		got, err := AccessCheck(descriptor(t, c.sddl), alice(t), c.desired, c.mapping)
		if got != c.want || (err == nil) != c.ok || err != nil && !errors.Is(err, ErrAccessDenied) {
			t.Errorf("%s: got 0x%08x, %v", c.name, got, err)
		}
	}
}

func TestAccessCheckFailsClosed(t *testing.T) {
	if _, err := AccessCheck(nil, alice(t), GenericRead, GenericMapping{}); !errors.Is(err, ErrAccessDenied) {
		t.Errorf("no descriptor: %v", err)
	}
	if _, err := AccessCheck(&SecurityDescriptor{}, nil, GenericRead, GenericMapping{}); !errors.Is(err, ErrAccessDenied) {
		t.Errorf("no token: %v", err)
	}
	// The zero token and the zero owner are both "nobody", and must not match.
	if _, err := AccessCheck(&SecurityDescriptor{DACL: &ACL{}}, &Token{}, ReadControl, GenericMapping{}); !errors.Is(err, ErrAccessDenied) {
		t.Errorf("zero token: %v", err)
	}
	var e *AccessDeniedError
	_, err := AccessCheck(descriptor(t, "D:(A;;GR;;;BU)"), alice(t), GenericRead|GenericWrite, GenericMapping{})
	if !errors.As(err, &e) || e.Missing != GenericWrite || e.Desired != GenericRead|GenericWrite {
		t.Errorf("error %v", err)
	}
}

func TestAccessCheckPrivileges(t *testing.T) {
	tok := alice(t)
	tok.Privileges = []Privilege{SeSecurity, SeTakeOwnership}
	want := AccessSystemSecurity | WriteOwner
	if got, err := AccessCheck(descriptor(t, "D:"), tok, want, GenericMapping{}); err != nil || got != want {
		t.Errorf("got 0x%x, %v", got, err)
	}
}

func TestAccessCheckByType(t *testing.T) {
	root, _ := ParseGUID("bf967aba-0de6-11d0-a285-00aa003049e2")
	set, _ := ParseGUID("{77b5b886-944a-11d1-aebd-0000f80367c1}")
	tree := []ObjectType{{0, root}, {1, set}}
	check := func(sddl string, tree []ObjectType) bool {
		t.Helper()
		_, err := AccessCheckByType(descriptor(t, sddl), alice(t), 0x10, GenericMapping{}, SID{}, tree)
		return err == nil
	}
	for _, c := range []struct {
		sddl string
		want bool
	}{
		{"D:(OA;;RP;" + root.String() + ";;BU)", true},
		{"D:(OA;;RP;" + set.String() + ";;BU)", false}, // a child's grant is not the root's
		{"D:(OA;;RP;;;BU)", true},
		{"D:(OD;;RP;" + set.String() + ";;BU)(A;;RP;;;BU)", false},
		{"D:(OD;;WP;" + set.String() + ";;BU)(A;;RP;;;BU)", true},
		{"D:(OA;;RP;" + root.String() + ";;BU)(OD;;RP;" + set.String() + ";;BU)", true}, // granted to the child before
	} {
		if got := check(c.sddl, tree); got != c.want {
			t.Errorf("%s: %v", c.sddl, got)
		}
	}
	if check("D:(OA;;RP;"+root.String()+";;BU)", nil) {
		t.Error("an object entry granted without a tree")
	}
	self := alice(t).User
	if _, err := AccessCheckByType(descriptor(t, "D:(A;;RP;;;PS)"), alice(t), 0x10, GenericMapping{}, self, nil); err != nil {
		t.Errorf("self: %v", err)
	}
}

func TestFilter(t *testing.T) {
	full := Token{User: sidOf(t, "S-1-5-21-1-2-3-1001"), Privileges: []Privilege{SeDebug, SeChangeNotify, SeSecurity},
		Groups: []GroupEntry{{SID: SIDEveryone}, {SID: SIDAdministrators}, {SID: sidOf(t, "S-1-5-21-4-5-6-512")}, {SID: SIDUsers}}}
	f := Filter(full)
	if !f.Filtered || f.Has(SIDAdministrators) || !f.HasForDeny(SIDAdministrators) || !f.Has(SIDUsers) ||
		f.Has(sidOf(t, "S-1-5-21-4-5-6-512")) || f.HasPrivilege(SeDebug) || f.HasPrivilege(SeSecurity) || !f.HasPrivilege(SeChangeNotify) {
		t.Errorf("filtered %+v", f)
	}
	if full.Filtered || !full.Has(SIDAdministrators) || !full.HasPrivilege(SeDebug) || len(full.Privileges) != 3 {
		t.Errorf("the original changed: %+v", full)
	}
	plain := Token{User: full.User, Groups: []GroupEntry{{SID: SIDUsers}}, Privileges: []Privilege{SeDebug}}
	if p := Filter(plain); p.Filtered || !p.HasPrivilege(SeDebug) {
		t.Errorf("a plain user was filtered: %+v", p)
	}
}

func TestAudit(t *testing.T) {
	sd := descriptor(t, "D:(A;;GA;;;BU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)(AU;SA;GR;;;SY)(AU;IOSA;GX;;;WD)")
	for _, c := range []struct {
		access  uint32
		success bool
		want    int
	}{{GenericRead, true, 0}, {GenericExecute, true, 1}, {GenericRead, false, 1}, {0, true, 0}, {Delete, false, 0}} {
		if got := Audit(sd, alice(t), c.access, c.success, GenericMapping{}); len(got) != c.want {
			t.Errorf("access 0x%x success %v: %d entries fired, want %d", c.access, c.success, len(got), c.want)
		}
	}
	if Audit(descriptor(t, "D:"), alice(t), GenericRead, false, GenericMapping{}) != nil {
		t.Error("fired without a SACL")
	}
}

func BenchmarkAccessCheck(b *testing.B) {
	sd := descriptor(b, "O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)(A;;GA;;;RM)")
	tok := alice(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AccessCheck(sd, tok, GenericExecute, GenericMapping{}); err != nil {
			b.Fatal(err)
		}
	}
}

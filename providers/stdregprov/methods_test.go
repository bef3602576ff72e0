package stdregprov

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// open makes a hive in a folder of its own, with a value of every type below SOFTWARE\Test.
func open(t testing.TB) (*Provider, *registry.Hive) {
	t.Helper()
	hive, err := registry.Open(filepath.Join(t.TempDir(), "hive.reg"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hive.Close() })
	const key = `HKLM\SOFTWARE\Test`
	err = hive.Update(func(tx *registry.Tx) error {
		for name, v := range map[string]registry.Value{
			"": registry.SZ("default"), "Text": registry.SZ("grün"), "Expand": registry.ExpandSZ(`%Root%\x`), "List": registry.MultiSZ("a", "b"),
			"Small": registry.DWORD(0xFFFFFFFF), "Large": registry.QWORD(1 << 40), "Bytes": registry.Binary([]byte{0, 255, 1}), "None": registry.None(nil),
		} {
			if err := tx.Set(key, name, v); err != nil {
				return err
			}
		}
		if err := tx.Set(environmentKey, "Root", registry.SZ("/srv")); err != nil {
			return err
		}
		return tx.CreateKey(key + `\Below`)
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Hive: hive})
	if err != nil {
		t.Fatal(err)
	}
	return p, hive
}

func token(groups ...security.SID) *security.Token {
	user, err := security.ParseSID("S-1-5-21-1-2-3-1001")
	if err != nil {
		panic(err)
	}
	out := &security.Token{User: user}
	for _, g := range append(groups, security.SIDEveryone, security.SIDAuthenticatedUsers) {
		out.Groups = append(out.Groups, security.GroupEntry{SID: g})
	}
	return out
}

// in are the arguments of a method: key, then name and value where the method has them.
func in(key string, more ...any) cim.Arguments {
	out := cim.Arguments{{Name: "hDefKey", Value: cim.U32(localMachine)}, {Name: "sSubKeyName", Value: cim.Str(key)}}
	for i, m := range more {
		switch v := m.(type) {
		case string:
			if i == 0 {
				out = append(out, cim.NamedValue{Name: "sValueName", Value: cim.Str(v)})
			} else {
				out = append(out, cim.NamedValue{Name: "sValue", Value: cim.Str(v)})
			}
		case []string:
			out = append(out, cim.NamedValue{Name: "sValue", Value: cim.Strs(v)})
		case cim.Value:
			out = append(out, cim.NamedValue{Name: "uValue", Value: v})
		}
	}
	return out
}

func do(t testing.TB, p *Provider, who *security.Token, method string, args cim.Arguments) (uint32, cim.NamedArray) {
	t.Helper()
	r, err := p.Invoke(context.Background(), &cimom.Request{Caller: cim.Caller{Token: who}}, cim.ObjectPath{Class: "StdRegProv"}, method, args)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	n, ok := r.ReturnValue.Uint()
	if !ok {
		t.Fatalf("%s returns %v", method, r.ReturnValue)
	}
	return uint32(n), r.Out
}

// The return values are those of winerror.h: 2 not found, 5 denied, 6 no such handle, 50 not supported, 87 invalid
// parameter; 0x80041005 is WBEM_E_TYPE_MISMATCH.
func TestRead(t *testing.T) {
	p, _ := open(t)
	user := token()
	const key = `SOFTWARE\Test`
	other := func(tree uint32, args cim.Arguments) cim.Arguments {
		args[0].Value = cim.U32(tree)
		return args
	}
	for _, c := range []struct {
		method string
		args   cim.Arguments
		want   uint32
		out    map[string]string
	}{
		{"GetStringValue", in(key, "Text"), 0, map[string]string{"sValue": "grün"}},
		{"GetStringValue", in(key, "TEXT"), 0, map[string]string{"sValue": "grün"}},
		{"GetStringValue", in(key, ""), 0, map[string]string{"sValue": "default"}},
		{"GetStringValue", in(key), 0, map[string]string{"sValue": "default"}},
		{"GetStringValue", in(`\software\TEST\`, "Expand"), 0, map[string]string{"sValue": `%Root%\x`}},
		{"GetExpandedStringValue", in(key, "Expand"), 0, map[string]string{"sValue": `/srv\x`}},
		{"GetMultiStringValue", in(key, "List"), 0, map[string]string{"sValue": "{a, b}"}},
		{"GetDWORDValue", in(key, "Small"), 0, map[string]string{"uValue": "4294967295"}},
		{"GetQWORDValue", in(key, "Large"), 0, map[string]string{"uValue": "1099511627776"}},
		{"GetBinaryValue", in(key, "Bytes"), 0, map[string]string{"uValue": "{0, 255, 1}"}},
		{"GetStringValue", in(key, "Small"), 0x80041005, nil},
		{"GetDWORDValue", in(key, "Large"), 0x80041005, nil},
		{"GetBinaryValue", in(key, "Text"), 0x80041005, nil},
		{"GetMultiStringValue", in(key, "Text"), 0x80041005, nil},
		{"GetStringValue", in(key, "Missing"), 2, nil},
		{"GetStringValue", in(`SOFTWARE\Missing`, "Text"), 2, nil},
		{"GetStringValue", in(`SOFTWARE\Microsoft\Windows NT\CurrentVersion`, "ProductName"), 2, nil},
		{"GetStringValue", in(`\\SOFTWARE\\Test`, "Text"), 0, map[string]string{"sValue": "grün"}},
		{"GetStringValue", in("SOFTWARE\\Te\x01st", "Text"), 87, nil},
		{"EnumKey", in(key), 0, map[string]string{"sNames": "{Below}"}},
		{"EnumKey", in(``), 0, map[string]string{"sNames": "{SOFTWARE, SYSTEM}"}},
		{"EnumKey", in(key + `\Below`), 0, map[string]string{"sNames": "null"}},
		{"EnumKey", in(`SOFTWARE\Missing`), 2, nil},
		{"EnumValues", in(key), 0, map[string]string{"sNames": "{, Bytes, Expand, Large, List, None, Small, Text}", "Types": "{1, 3, 2, 11, 7, 0, 4, 1}"}},
		{"EnumValues", in(key + `\Below`), 0, map[string]string{"sNames": "null", "Types": "null"}},
		{"EnumValues", in(`SOFTWARE\Missing`), 2, nil},
		{"EnumKey", other(0x80000001, in(key)), 2, nil},
		{"EnumKey", other(0x80000004, in(key)), 6, nil},
		{"EnumKey", other(7, in(key)), 6, nil},
		{"CreateKey", other(0x80000003, in(key)), 50, nil},
		{"CheckAccess", in(key), 5, map[string]string{"bGranted": "false"}},
		{"CheckAccess", append(in(key), cim.NamedValue{Name: "uRequired", Value: cim.U32(0x20019)}), 0, map[string]string{"bGranted": "true"}},
		{"CheckAccess", in(`SOFTWARE\Missing`), 2, map[string]string{"bGranted": "false"}},
	} {
		code, out := do(t, p, user, c.method, c.args)
		if code != c.want {
			t.Errorf("%s %v = %#x, want %#x", c.method, c.args, code, c.want)
		}
		if c.out == nil && len(out) > 0 {
			t.Errorf("%s %v gives %v", c.method, c.args, out)
		}
		for name, want := range c.out {
			if got := out.Get(name); got.String() != want && (want != "null" || !got.IsNull()) {
				t.Errorf("%s %v: %s = %v, want %s", c.method, c.args, name, got, want)
			}
		}
	}
	without := in(key, "Text")[1:] // hDefKey is HKEY_LOCAL_MACHINE by default
	if code, out := do(t, p, user, "GetStringValue", without); code != 0 || out.Get("sValue").String() != "grün" {
		t.Errorf("without a tree: %d %v", code, out)
	}
}

func TestWrite(t *testing.T) {
	p, hive := open(t)
	admin := token(security.SIDAdministrators)
	bytes := cim.Array(cim.Uint8, []cim.Value{cim.U8(7), cim.U8(8)})
	const key = `SOFTWARE\New\Key`
	for _, c := range []struct {
		method string
		args   cim.Arguments
		want   uint32
	}{
		{"SetStringValue", in(key, "S", "x"), 2}, // the key must be there
		{"CreateKey", in(key), 0},
		{"CreateKey", in(key), 0},
		{"SetStringValue", in(key, "S", "x"), 0},
		{"SetStringValue", in(key, "S"), 87},
		{"SetExpandedStringValue", in(key, "E", "%x%"), 0},
		{"SetMultiStringValue", in(key, "M", []string{"a", "b"}), 0},
		{"SetDWORDValue", in(key, "D", cim.U32(5)), 0},
		{"SetQWORDValue", in(key, "Q", cim.U64(1<<63)), 0},
		{"SetBinaryValue", in(key, "B", bytes), 0},
		{"SetStringValue", in(key, "", "default"), 0},
		{"SetStringValue", in(key, "Gone", "x"), 0},
		{"DeleteValue", in(key, "Gone"), 0},
		{"DeleteValue", in(key, "Gone"), 2},
		{"DeleteKey", in(`SOFTWARE\New`), 5}, // it has a key below it
		{"DeleteKey", in(``), 5},
		{"DeleteKey", in(`SOFTWARE\Missing`), 2},
		{"CreateKey", in("SOFTWARE\\a\x01b"), 87},
	} {
		if code, _ := do(t, p, admin, c.method, c.args); code != c.want {
			t.Errorf("%s %v = %d, want %d", c.method, c.args, code, c.want)
		}
	}
	want := []registry.Named{
		{Name: "", Value: registry.SZ("default")}, {Name: "B", Value: registry.Binary([]byte{7, 8})}, {Name: "D", Value: registry.DWORD(5)},
		{Name: "E", Value: registry.ExpandSZ("%x%")}, {Name: "M", Value: registry.MultiSZ("a", "b")}, {Name: "Q", Value: registry.QWORD(1 << 63)},
		{Name: "S", Value: registry.SZ("x")},
	}
	if got := hive.Values(`HKLM\` + key); !slices.Equal(got, want) {
		t.Errorf("the hive holds %v, want %v", got, want)
	}
	if code, _ := do(t, p, admin, "DeleteKey", in(key)); code != 0 || hive.Snapshot().Exists(`HKLM\`+key) {
		t.Errorf("DeleteKey = %d", code)
	}
	if code, out := do(t, p, admin, "CheckAccess", in(`SOFTWARE\New`)); code != 0 || out.Get("bGranted").String() != "true" {
		t.Errorf("CheckAccess = %d %v", code, out)
	}
}

// Who is no administrator changes nothing, also with a token that User Account Control filtered; nobody and a guest
// without a sign-in read nothing.
func TestWhoMay(t *testing.T) {
	p, hive := open(t)
	filtered := token()
	filtered.Groups = append(filtered.Groups, security.GroupEntry{SID: security.SIDAdministrators, DenyOnly: true})
	before := hive.Snapshot()
	for name, m := range methods {
		args := in(`SOFTWARE\Test\Below`, "Name", "x")
		changes := m.right&^(queryValue|enumerateKeys|security.ReadControl) != 0
		for _, who := range []*security.Token{token(), filtered} {
			if code, _ := do(t, p, who, name, args); changes && code != 5 {
				t.Errorf("%s by a user = %d, want 5", name, code)
			}
		}
		for _, who := range []*security.Token{nil, {User: token().User}} {
			if code, out := do(t, p, who, name, args); code != 5 || len(out) > 0 && name != "checkaccess" {
				t.Errorf("%s by nobody = %d, want 5", name, code)
			}
		}
	}
	if changes := registry.Diff(before, hive.Snapshot()); len(changes) > 0 {
		t.Errorf("changed: %v", changes)
	}
}

func TestExpand(t *testing.T) {
	variable := func(name string) (string, bool) { return "<" + name + ">", name == "A" || name == "B C" }
	for in, want := range map[string]string{
		"": "", "plain": "plain", "%A%": "<A>", "x%A%y%B C%z": "x<A>y<B C>z", "%no%": "%no%", "100% of %A%": "100% of <A>", "%": "%", "%%": "%%", "%A": "%A", "%no%A%": "%no<A>",
	} {
		if got := expand(in, variable); got != want {
			t.Errorf("%q expands to %q, want %q", in, got, want)
		}
	}
}

func TestSecurityDescriptor(t *testing.T) {
	p, _ := open(t)
	code, out := do(t, p, token(), "GetSecurityDescriptor", in(`SOFTWARE\Test`))
	d := out.Get("Descriptor").Object()
	if code != 0 || d == nil {
		t.Fatalf("GetSecurityDescriptor = %d %v", code, out)
	}
	if owner := d.Get("Owner").Object(); owner.Get("SIDString").String() != "S-1-5-32-544" {
		t.Errorf("the owner is %v", owner.Get("SIDString"))
	}
	rights := map[string]string{}
	for _, v := range d.Get("DACL").Elems() {
		e := v.Object()
		rights[e.Get("Trustee").Object().Get("SIDString").String()] = e.Get("AccessMask").String()
	}
	// KEY_ALL_ACCESS 0xF003F for Administrators and SYSTEM, KEY_READ 0x20019 for Authenticated Users
	if want := (map[string]string{"S-1-5-32-544": "983103", "S-1-5-18": "983103", "S-1-5-11": "131097"}); !maps.Equal(rights, want) {
		t.Errorf("the rights are %v, want %v", rights, want)
	}
	for _, c := range []struct {
		who  *security.Token
		key  string
		want uint32
	}{{token(), `SOFTWARE\Test`, 5}, {token(security.SIDAdministrators), `SOFTWARE\Test`, 50}, {token(security.SIDAdministrators), `SOFTWARE\None`, 2}} {
		if code, _ := do(t, p, c.who, "SetSecurityDescriptor", in(c.key)); code != c.want {
			t.Errorf("SetSecurityDescriptor of %s = %d, want %d", c.key, code, c.want)
		}
	}
	if code, _ := do(t, p, token(), "GetSecurityDescriptor", in(`SOFTWARE\None`)); code != 2 {
		t.Errorf("of no key: %d", code)
	}
}

// A key that has a descriptor of its own is decided about by that, and others are not.
func TestKeysOfTheirOwn(t *testing.T) {
	_, hive := open(t)
	own, err := security.ParseSDDL("O:BAG:BAD:(A;CI;KA;;;S-1-5-21-1-2-3-1001)")
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Hive: hive, Access: func(key string) *security.SecurityDescriptor {
		if key == `HKLM\SOFTWARE\Test` {
			return own
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who  *security.Token
		key  string
		want uint32
	}{{token(), `SOFTWARE\Test`, 0}, {token(), `SOFTWARE\Test\Below`, 5}, {&security.Token{User: security.SIDLocalSystem, Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}}, `SOFTWARE\Test`, 5},
		{token(security.SIDAdministrators), `SOFTWARE\Test\Below`, 0}} {
		args := append(in(c.key), cim.NamedValue{Name: "sValueName", Value: cim.Str("X")}, cim.NamedValue{Name: "sValue", Value: cim.Str("y")})
		if code, _ := do(t, p, c.who, "SetStringValue", args); code != c.want {
			t.Errorf("%v writes %s: %d, want %d", c.who.User, c.key, code, c.want)
		}
	}
	if _, out := do(t, p, token(), "GetSecurityDescriptor", in(`SOFTWARE\Test`)); len(out.Get("Descriptor").Object().Get("DACL").Elems()) != 1 {
		t.Errorf("its descriptor is %v", out)
	}
}

// Whatever a caller names, there is a return value, and nothing is written outside the key that was named.
func FuzzNames(f *testing.F) {
	f.Add(`SOFTWARE\Test`, "Text")
	f.Add(`\\..\`, "\x00")
	f.Add("SOFTWARE\\\xff", "a")
	p, hive := open(f)
	admin := token(security.SIDAdministrators)
	f.Fuzz(func(t *testing.T, key, name string) {
		code, _ := do(t, p, admin, "GetStringValue", in(key, name))
		if code != 0 && code != 2 && code != 87 && code != 0x80041005 {
			t.Errorf("%q %q = %d", key, name, code)
		}
		before := hive.Snapshot()
		if code, _ := do(t, p, admin, "SetDWORDValue", in(`SOFTWARE\Test\Below`, name, cim.U32(1))); code != 0 && code != 87 {
			t.Errorf("%q = %d", name, code)
		}
		for _, c := range registry.Diff(before, hive.Snapshot()) {
			if c.Key != `SOFTWARE\Test\Below` {
				t.Errorf("%q changed %q", name, c.Key)
			}
		}
	})
}

// A value that a policy of the machine sets is deleted where it stands, and by administrators alone; what the key has by
// itself holds then, and other policies stay.
func TestDeleteAValueOfAPolicy(t *testing.T) {
	p, hive := open(t)
	const key = `SOFTWARE\Policies\Test`
	err := hive.Update(func(tx *registry.Tx) error { return tx.Set(`HKLM\`+key, "Own", registry.DWORD(7)) })
	if err != nil {
		t.Fatal(err)
	}
	err = hive.UpdatePolicy(func(file *registry.Policy) error {
		for _, name := range []string{"Own", "Ruled", "Other"} {
			file.Set(key, name, registry.DWORD(1))
		}
		file.Set(key+`\Below`, "Ruled", registry.DWORD(1))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	administrator := token(security.SIDAdministrators)
	if code, _ := do(t, p, token(), "DeleteValue", in(key, "Ruled")); code != 5 {
		t.Errorf("an ordinary user: %d", code)
	}
	for _, c := range []struct {
		name string
		want uint32
	}{{"ruled", 0}, {"Ruled", 2}, {"Own", 0}} {
		if code, _ := do(t, p, administrator, "DeleteValue", in(key, c.name)); code != c.want {
			t.Errorf("DeleteValue %s = %d, want %d", c.name, code, c.want)
		}
	}
	if v, _ := hive.Get(`HKLM\`+key, "Own"); v.String() != "7" {
		t.Errorf("the key's own value is %s", v)
	}
	for at, want := range map[string]bool{key: true, key + `\Below`: false} {
		name := map[bool]string{true: "Other", false: "Ruled"}[want]
		if _, ok := hive.Get(`HKLM\`+at, name); !ok {
			t.Errorf("%s of %s is gone", name, at)
		}
	}
}

package registry

import (
	"errors"
	"strings"
	"testing"
)

// wide spells ASCII as UTF-16LE.
func wide(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteByte(c)
		b.WriteByte(0)
	}
	return b.String()
}

// polEntry builds an entry by the ABNF of [MS-GPREG] 2.2.1, by hand.
func polEntry(key, name, typ, size, data string) string {
	return wide("["+key+"\x00;"+name+"\x00;") + typ + wide(";") + size + wide(";") + data + wide("]")
}

const polHead = "PReg\x01\x00\x00\x00"

var dword = "\x04\x00\x00\x00"

func TestParsePol(t *testing.T) {
	in := polHead + polEntry(`Software\P`, "Allow", dword, dword, "\x01\x00\x00\x00") +
		polEntry(`Software\P`, "Text", "\x01\x00\x00\x00", "\x06\x00\x00\x00", wide("a]\x00"))
	p, err := ParsePol([]byte(in))
	if err != nil || len(p.Entries) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	if e := p.Entries[1]; e.Key != `Software\P` || e.Name != "Text" || e.Type != TypeSZ || string(e.Data) != wide("a]\x00") {
		t.Errorf("entry %+v", e)
	}
	if got := string(p.AppendPol(nil)); got != in {
		t.Errorf("written % x\nwant % x", got, in)
	}
	var own Policy
	own.Set(`HKLM\Software\P`, "Allow", DWORD(1))
	own.Set(`Software\P`, "Text", SZ("a]"))
	if got := string(own.AppendPol(nil)); got != in {
		t.Errorf("made % x\nwant % x", got, in)
	}
}

func TestParsePolRefusesDamage(t *testing.T) {
	good := polHead + polEntry("k", "n", dword, dword, "\x01\x00\x00\x00")
	for i := range len(good) {
		if i == 8 {
			continue // a header alone is an empty policy
		}
		if _, err := ParsePol([]byte(good[:i])); !errors.Is(err, ErrPolicyCorrupt) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	for _, in := range []string{
		"PREG\x01\x00\x00\x00", "PReg\x02\x00\x00\x00",
		polHead + polEntry("k", "n", dword, "\xFF\xFF\xFF\xFF", "x"),
		polHead + polEntry(strings.Repeat("k", maxDepth*(maxKeyName+1)+2), "n", dword, dword, "\x01\x00\x00\x00"),
	} {
		if _, err := ParsePol([]byte(in)); !errors.Is(err, ErrPolicyCorrupt) {
			t.Errorf("%q: %v", clip(in), err)
		}
	}
}

// The control codes of [MS-GPREG] 3.2.5.1 and their sources.
func TestOverlay(t *testing.T) {
	local, err := ParseReg(strings.NewReader(regHeader + `
[HKLM\Software\P]
"keep"="local"
"over"="local"
"gone"="local"
"soft"="local"
"v1"="1"
"v2"="2"
[HKLM\Software\P\Sub1\x]
[HKLM\Software\P\Sub2]
[HKLM\Software\Q]
"a"="1"
"b"="2"
`))
	if err != nil {
		t.Fatal(err)
	}
	var p Policy
	p.Set(`Software\P`, "OVER", SZ("gpo"))
	p.Set(`Software\P`, "new", DWORD(1))
	p.Set(`Software\P`, "**del.gone", SZ(" "))
	p.Set(`Software\P`, "**soft.soft", SZ("gpo"))
	p.Set(`Software\P`, "**soft.soft2", SZ("gpo"))
	p.Set(`Software\P`, "**DeleteValues", SZ("v1;v2"))
	p.Set(`Software\P`, "**DeleteKeys", SZ("Sub1;Sub2"))
	p.Set(`Software\P`, "**SecureKey", DWORD(1))
	p.Set(`Software\Q`, "**delvals.", SZ(" "))
	p.Set(`Software\Q`, "c", SZ("3"))
	tree, err := Overlay(local, &p)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		key, name, want string
		src             Source
	}{
		{"P", "keep", "local", SourceHive}, {"P", "over", "gpo", SourceGPO}, {"P", "new", "1", SourceGPO}, {"P", "gone", "", SourceGPO},
		{"P", "soft", "local", SourceHive}, {"P", "soft2", "gpo", SourceGPO}, {"P", "v1", "", SourceGPO}, {"P", "v2", "", SourceGPO},
		{"P", "none", "", SourceNone}, {"Q", "a", "", SourceGPO}, {"Q", "c", "3", SourceGPO},
	} {
		v, src, _ := tree.Value(`HKLM\Software\`+row.key, row.name)
		if v.String() != row.want || src != row.src {
			t.Errorf("%s\\%s is %q from %v, want %q from %v", row.key, row.name, v, src, row.want, row.src)
		}
	}
	if len(tree.Keys(`HKLM\Software\P`)) != 0 {
		t.Errorf("keys %q are left", tree.Keys(`HKLM\Software\P`))
	}
	if v, _ := tree.Local().Get(`HKLM\Software\P`, "over"); v != SZ("local") {
		t.Errorf("the local value became %v", v)
	}
	p.Set(`Software\P`, "bad", Value{typ: TypeDWORD})
	p.Entries[len(p.Entries)-1].Data = []byte{1}
	if _, err := Overlay(local, &p); !errors.Is(err, ErrPolicyCorrupt) {
		t.Errorf("a DWORD of one byte: %v", err)
	}
}

func FuzzRegistryPol(f *testing.F) {
	f.Add([]byte(polHead + polEntry(`a\b`, "**del.x", dword, dword, "\x01\x00\x00\x00")))
	f.Add([]byte(polHead))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := ParsePol(in)
		if err != nil {
			return
		}
		one := p.AppendPol(nil)
		back, err := ParsePol(one)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if string(back.AppendPol(nil)) != string(one) {
			t.Fatal("the second writing differs")
		}
		_, _ = Overlay(NewTree(), p)
	})
}

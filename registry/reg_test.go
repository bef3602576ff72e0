package registry

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"
)

// sample is a file as regedit exports it: header, escapes, continued hex lines, all
// types, a default value, comments and deletions.
const sample = "Windows Registry Editor Version 5.00\r\n\r\n" +
	"[HKEY_LOCAL_MACHINE\\SOFTWARE\\Test]\r\n" +
	"@=\"default\"\r\n" +
	"\"Path\"=\"C:\\\\Dir\\\\\\\"x\\\"\"\r\n" +
	"\"Num\"=dword:0000002a\r\n" +
	"\"Big\"=hex(b):2a,00,00,00,00,00,00,00\r\n" +
	"\"Exp\"=hex(2):25,00,61,00,\\\r\n  25,00,00,00\r\n" +
	"\"Multi\"=hex(7):61,00,00,00,62,00,00,00,00,00\r\n" +
	"\"Bin\"=hex:de,ad\r\n" +
	"\"None\"=hex(0):\r\n" +
	"; a comment\r\n" +
	"\"Gone\"=\"x\"\r\n\"Gone\"=-\r\n\r\n" +
	"[HKLM\\SOFTWARE\\Old\\Deep]\r\n[-HKLM\\SOFTWARE\\Old]\r\n"

func TestParseRegReadsExports(t *testing.T) {
	units := utf16.Encode([]rune(sample))
	wide := []byte{0xFF, 0xFE}
	for _, u := range units {
		wide = append(wide, byte(u), byte(u>>8))
	}
	for name, in := range map[string][]byte{"utf-8": []byte(sample), "utf-8 with mark": []byte("\xEF\xBB\xBF" + sample), "utf-16": wide} {
		tree, err := ParseReg(bytes.NewReader(in))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, row := range []struct {
			name string
			want Value
		}{
			{"", SZ("default")}, {"path", SZ(`C:\Dir\"x"`)}, {"NUM", DWORD(42)}, {"Big", QWORD(42)}, {"Exp", ExpandSZ("%a%")},
			{"Multi", MultiSZ("a", "b")}, {"Bin", Binary([]byte{0xDE, 0xAD})}, {"None", None(nil)},
		} {
			if got, ok := tree.Get(`hklm\software\TEST`, row.name); !ok || got != row.want {
				t.Errorf("%s: %q is %v %v, want %v %v", name, row.name, got.Type(), got, row.want.Type(), row.want)
			}
		}
		if _, ok := tree.Get(`HKLM\SOFTWARE\Test`, "Gone"); ok || tree.Exists(`HKLM\SOFTWARE\Old`) {
			t.Errorf("%s: what was deleted is there", name)
		}
	}
}

// Blanks around each backslash are noise and both root forms are one (checklist 4.37).
func TestKeyForms(t *testing.T) {
	tx := newTx(&node{})
	if err := tx.Set(`HKEY_LOCAL_MACHINE \ SOFTWARE \ Microsoft \ WBEM \ CIMOM`, "AllowAnonymousCallback", DWORD(1)); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`HKLM\SOFTWARE\Microsoft\WBEM\CIMOM`, `hkey_local_machine\software\microsoft\wbem\cimom\`} {
		if v, ok := tx.Get(key, "allowanonymouscallback"); !ok || v != DWORD(1) {
			t.Errorf("%s: %v %v", key, v, ok)
		}
	}
	for _, key := range []string{"", `HKCU\x`, `SOFTWARE`, `HKLM\\x`, "HKLM\\a\x00", `HKLM\` + strings.Repeat("k", 256), `HKLM` + strings.Repeat(`\a`, maxDepth+1)} {
		if err := tx.Set(key, "n", DWORD(1)); err == nil {
			t.Errorf("key %q was accepted", clip(key))
		}
	}
	if err := tx.Set(`HKLM\a`, "n", Binary(make([]byte, maxData+1))); err == nil {
		t.Error("data above the limit was accepted")
	}
	if got := tx.Keys(`HKLM\SOFTWARE\microsoft`); len(got) != 1 || got[0] != "WBEM" {
		t.Errorf("keys %q, want the case of their creation", got)
	}
}

func TestParseRegSaysTheLine(t *testing.T) {
	const head = regHeader + "\n[HKLM\\A]\n"
	for _, row := range []struct {
		in   string
		line int
	}{
		{"", 0}, {"REGEDIT4\n", 1}, {regHeader + "\n\"a\"=dword:1\n", 2}, {regHeader + "\n[HKCU\\A]\n", 2}, {regHeader + "\n[HKLM\\A\n", 2},
		{head + "\"a\"", 3}, {head + "\"a=1", 3}, {head + "a=dword:1", 3}, {head + `"a"=dword:123456789`, 3}, {head + `"a"=hex:1,zz`, 3},
		{head + `"a"=hex:1,\`, 3}, {head + `"a"=hex(4):1,2`, 3}, {head + `"a"="x\n"`, 3}, {head + `"a"="x" y`, 3}, {head + `"a"=what:1`, 3},
	} {
		_, err := ParseReg(strings.NewReader(row.in))
		var pe *ParseError
		if !errors.As(err, &pe) || pe.Line != row.line {
			t.Errorf("%q: %v, want an error in line %d", row.in, err, row.line)
		}
	}
}

func TestWriteRegIsReadable(t *testing.T) {
	tree, err := ParseReg(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteReg(&b, tree); err != nil {
		t.Fatal(err)
	}
	const want = `Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SOFTWARE\Test]
@="default"
; 42
"Big"=hex(b):2a,00,00,00,00,00,00,00
"Bin"=hex:de,ad
; "%a%"
"Exp"=hex(2):25,00,61,00,25,00,00,00
; "a | b"
"Multi"=hex(7):61,00,00,00,62,00,00,00,00,00
"None"=hex(0):
"Num"=dword:0000002a
"Path"="C:\\Dir\\\"x\""
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func FuzzReg(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("\xFF\xFE[\x00"))
	f.Add([]byte(regHeader + "\n[HKLM\\ a \\ b]\n\"\"=hex(ffff):1\n\"x\"=hex(1):0a,00\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		tree, err := ParseReg(bytes.NewReader(in))
		if err != nil {
			return
		}
		var one, two bytes.Buffer
		if err := WriteReg(&one, tree); err != nil {
			t.Fatal(err)
		}
		back, err := ParseReg(bytes.NewReader(one.Bytes()))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, one.String())
		}
		if err := WriteReg(&two, back); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Fatalf("written\n%s\nthen\n%s", one.String(), two.String())
		}
	})
}

package cim

import (
	"errors"
	"testing"
)

// The forms are those of "WMI Object Path Requirements" and "Describing an
// Instance Object Path" in the WMI documentation.
func TestParsePath(t *testing.T) {
	tests := []struct{ in, canonical, namespace, class string }{
		{`Win32_Process`, `Win32_Process`, "", "Win32_Process"},
		{`Win32_Process.Handle="4"`, `Win32_Process.Handle="4"`, "", "Win32_Process"},
		{`Win32_LogicalDisk='C:'`, `Win32_LogicalDisk="C:"`, "", "Win32_LogicalDisk"},
		{`root\cimv2:Win32_Service.Name="WinRM"`, `root\cimv2:Win32_Service.Name="WinRM"`, `root\cimv2`, "Win32_Service"},
		{`//./root/cimv2:Win32_OperatingSystem=@`, `\\.\root\cimv2:Win32_OperatingSystem=@`, `root\cimv2`, "Win32_OperatingSystem"},
		{`\\HOST\root\default`, `\\HOST\root\default`, `root\default`, ""},
		{`root/cimv2`, `root\cimv2`, `root\cimv2`, ""},
		{`C.A=1,B="x,\"y\"\\z",D=TRUE`, `C.A=1,B="x,\"y\"\\z",D=TRUE`, "", "C"},
		{`C.K=0x10`, `C.K=16`, "", "C"},
		{`CIM_DataFile.Name="C:\\a:b"`, `CIM_DataFile.Name="C:\\a:b"`, "", "CIM_DataFile"},
	}
	for _, tt := range tests {
		p, err := ParsePath(tt.in)
		if err != nil {
			t.Errorf("ParsePath(%q): %v", tt.in, err)
			continue
		}
		if p.String() != tt.canonical || p.Namespace != tt.namespace || p.Class != tt.class {
			t.Errorf("ParsePath(%q) = %q (%q, %q), want %q", tt.in, p, p.Namespace, p.Class, tt.canonical)
		}
		again, err := ParsePath(p.String())
		if err != nil || !again.Equal(p) {
			t.Errorf("%q read again is %q, %v", p, again, err)
		}
	}
	for _, bad := range []string{
		``, `C.`, `C.A`, `C.A=`, `C.A="x`, `C.A=1,`, `C.A=1 ,B=2`, `\\host`, `\\h\:C`, `C="a"x`, `C.A=word`, `:C` + "\x00", `a b`,
	} {
		if p, err := ParsePath(bad); !errors.Is(err, ErrInvalidObjectPath) {
			t.Errorf("ParsePath(%q) = %q, %v; want WBEM_E_INVALID_OBJECT_PATH", bad, p, err)
		}
	}
}

// A percent sign stands for itself. "WMI Object Path Requirements" mentions URL
// notation, %20 for a blank; the grammar of paths in [MS-WMI] 2.2.2 has none, and
// WMI writes a value with a percent sign as it is. Were it decoded, the path
// that a file named a%20b gives for itself would name the file "a b".
func TestPathKeepsPercent(t *testing.T) {
	for in, want := range map[string]string{
		`CIM_DataFile.Name="a%20b"`:   "a%20b",
		`CIM_DataFile.Name="a b"`:     "a b",
		`CIM_DataFile.Name="100%"`:    "100%",
		`CIM_DataFile.Name="%2541%"`:  "%2541%",
		`CIM_DataFile.Name='%22%5C'`:  "%22%5C",
		`CIM_DataFile.Name="%00%0A%"`: "%00%0A%",
	} {
		p, err := ParsePath(in)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := p.Keys[0].Value.Str(); got != want {
			t.Errorf("%s names %q, want %q", in, got, want)
		}
		if again, err := ParsePath(p.String()); err != nil || !again.Equal(p) {
			t.Errorf("%s read again is %q, %v", in, again, err)
		}
	}
	for _, bad := range []string{`CIM%5FDataFile.Name="a"`, `root%5Ccimv2:C.Name=%20`, `C%20`} {
		if p, err := ParsePath(bad); !errors.Is(err, ErrInvalidObjectPath) {
			t.Errorf("ParsePath(%q) = %q, %v; want WBEM_E_INVALID_OBJECT_PATH", bad, p, err)
		}
	}
}

func TestPathEqual(t *testing.T) {
	a, _ := ParsePath(`\\.\ROOT\CIMV2:C.A="X",B=1`)
	b, _ := ParsePath(`root\cimv2:c.b=1,a="x"`)
	if !a.Equal(b) {
		t.Errorf("%q and %q differ; WMI compares names and string keys case-blind and keys in any order", a, b)
	}
	c, _ := ParsePath(`root\cimv2:c.b=2,a="x"`)
	if a.Equal(c) {
		t.Errorf("%q equals %q", a, c)
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add(`\\h\root\cimv2:C.A="x\"",B=1`)
	f.Add(`C=@`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil {
			return
		}
		again, err := ParsePath(p.String())
		if err != nil || !again.Equal(p) {
			t.Errorf("%q prints as %q, which reads as %q, %v", s, p, again, err)
		}
	})
}

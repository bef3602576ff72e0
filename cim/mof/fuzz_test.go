package mof

import (
	"errors"
	"testing"
	"testing/fstest"
)

// Whatever the bytes, Parse gives a file or an *Error with a place in the text;
// what it reads can be checked, and is printed as MOF.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "#pragma namespace(\"\\\\\\\\.\\\\root\\\\cimv2\")\nclass A { [key] string K; };",
		`qualifier Description : ToSubClass Amended; [Description("x" "y") : Amended] class A : B { sint32 M([in] A ref R[], [in, out] object O); };`,
		`instance of A as $X { P = {1, 0x2, 03, 101b, -4.5e3}; Q = 'a'; R = $X; S = instance of B { T = NULL; }; };`,
		`#include("x.mof")`, "\xff\xfec\x00l\x00", `qualifier Q : string[] = {"a"}, scope(class, any), flavor(Restricted);`,
		`#pragma deleteinstance("A.B='c'", nofail) #pragma classflags("createonly")`, `class A { string S = "\xD83D\xDE00"; };`,
	} {
		f.Add([]byte(seed))
	}
	fsys := fstest.MapFS{"x.mof": {Data: []byte(`class X { }; #include("x.mof")`)}, "y.mof": {Data: []byte("class Y { };")}}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := Parse("fuzz.mof", src, ParseOptions{Include: fsys})
		if err == nil {
			neutral, localized, err := Split(file, "MS_409")
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range [][]byte{neutral, localized} {
				if _, err := Parse("split.mof", text, ParseOptions{}); err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
			}
			if err := Check(file); err != nil && !errors.As(err, new(*Error)) {
				t.Fatalf("%#v", err)
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Code == 0 {
			t.Fatalf("%#v", err)
		}
	})
}

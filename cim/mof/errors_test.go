package mof

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/casementhq/casement/cim"
)

// One text or more for each code of the table in spec/wmi.md 12; what each code
// means is WMI's own description of it.
var mistakes = []struct {
	code cim.Status
	text string
}{
	{cim.ErrMofExpectedQualifierName, `[] class A { };`},
	{cim.ErrMofExpectedQualifierName, `[Abstract, "x"] class A { };`},
	{cim.ErrMofExpectedSemi, `class A { sint32 X }`},
	{cim.ErrMofExpectedSemi, `class A { }`},
	{cim.ErrMofExpectedSemi, `instance of A { X "y"; };`},
	{cim.ErrMofExpectedSemi, `instance of A { X = "y" };`},
	{cim.ErrMofExpectedOpenBrace, `class A sint32 X; };`},
	{cim.ErrMofExpectedOpenBrace, `instance of A X = 1; };`},
	{cim.ErrMofExpectedCloseBrace, `class A { sint32 X[] = {1, 2; };`},
	{cim.ErrMofExpectedCloseBrace, `class A { sint32 X[] = {1, {2}}; };`},
	{cim.ErrMofExpectedCloseBrace, `instance of A { X = 1;`},
	{cim.ErrMofExpectedCloseBracket, `[Abstract class A { };`},
	{cim.ErrMofExpectedCloseBracket, `class A { sint32 X[; };`},
	{cim.ErrMofExpectedCloseParen, `[Description("x"] class A { };`},
	{cim.ErrMofExpectedCloseParen, `#pragma namespace("root"`},
	{cim.ErrMofExpectedCloseParen, `class A { void M([In] sint32 X; };`},
	{cim.ErrMofIllegalConstantValue, `class A { string X = text; };`},
	{cim.ErrMofIllegalConstantValue, `class A { uint64 X = 18446744073709551616; };`},
	{cim.ErrMofIllegalConstantValue, `class A { uint8 X = 089; };`},
	{cim.ErrMofIllegalConstantValue, `class A { string X = "never closed; };`},
	{cim.ErrMofIllegalConstantValue, `class A { string X = "escaped \"; };`},
	{cim.ErrMofIllegalConstantValue, `class A { string X = "\xD800"; };`},
	{cim.ErrMofIllegalConstantValue, `class A { char16 X = 'ab'; };`},
	{cim.ErrMofIllegalConstantValue, `[NamespaceSecuritySDDL("o:bag:bad:(a;ci;0x60003;;;wd)")] instance of __Namespace { Name = "x"; };`},
	{cim.ErrMofExpectedTypeIdentifier, `class A { [Key] "string" X; };`},
	{cim.ErrMofExpectedTypeIdentifier, `class A { void M(3); };`},
	{cim.ErrMofExpectedOpenParen, `#pragma namespace "root"`},
	{cim.ErrMofUnrecognizedToken, `kind A { };`},
	{cim.ErrMofUnrecognizedToken, `class A { }; @`},
	{cim.ErrMofUnrecognizedToken, `#define X 1`},
	{cim.ErrMofUnrecognizedToken, `/* never closed`},
	{cim.ErrMofUnrecognizedType, `class A { void X; };`},
	{cim.ErrMofUnrecognizedType, `class A { void M([In] void X); };`},
	{cim.ErrMofUnrecognizedType, `class A { ref X; };`},
	{cim.ErrMofExpectedPropertyName, `class A { sint32 ; };`},
	{cim.ErrMofExpectedPropertyName, `class A { sint32 5; };`},
	{cim.ErrMofExpectedPropertyName, `instance of A { 5 = 5; };`},
	{cim.ErrMofTypedefNotSupported, `typedef sint32 X;`},
	{cim.ErrMofTypedefNotSupported, `enum E { A };`},
	{cim.ErrMofTypedefNotSupported, `class A { enum E; };`},
	{cim.ErrMofUnexpectedAlias, `instance of A as $B { }; class C { string X = $B; };`},
	{cim.ErrMofUnexpectedAlias, `class C { C ref X = $Nowhere; };`},
	{cim.ErrMofUnexpectedAlias, `instance of A as $B { X = $C; }; instance of A as $C { X = $B; };`},
	{cim.ErrMofUnexpectedAlias, `[Q($B)] class A as $B { };`},
	{cim.ErrMofUnexpectedArrayInit, `class A { sint32 X = {1}; };`},
	{cim.ErrMofInvalidAmendmentSyntax, `#pragma amendment("English")`},
	{cim.ErrMofInvalidAmendmentSyntax, `#pragma amendment(409)`},
	{cim.ErrMofInvalidDuplicateAmendment, `#pragma amendment("MS_409") #pragma amendment("MS_407")`},
	{cim.ErrMofInvalidPragma, `#pragma optimize`},
	{cim.ErrMofInvalidPragma, `#pragma "namespace"`},
	{cim.ErrMofInvalidNamespaceSyntax, `#pragma namespace("root\\\\cimv2")`},
	{cim.ErrMofInvalidNamespaceSyntax, `#pragma namespace("")`},
	{cim.ErrMofInvalidNamespaceSyntax, `#pragma namespace(root)`},
	{cim.ErrMofExpectedClassName, `class 5 { };`},
	{cim.ErrMofExpectedClassName, `class A : { };`},
	{cim.ErrMofExpectedClassName, `instance of "A" { };`},
	{cim.ErrMofTypeMismatch, `class A { uint8 X = "many"; };`},
	{cim.ErrMofTypeMismatch, `class A { datetime X = "yesterday"; };`},
	{cim.ErrMofTypeMismatch, `class A { uint8 X[] = 1; };`},
	{cim.ErrMofTypeMismatch, `class A { uint8 X = TRUE; };`},
	{cim.ErrMofTypeMismatch, `class A { A ref X = 5; };`},
	{cim.ErrMofTypeMismatch, `class A { string X = instance of A { }; };`},
	{cim.ErrMofTypeMismatch, `[Q{1, "a"}] class A { };`},
	{cim.ErrMofExpectedAliasName, `class A as $5 { };`},
	{cim.ErrMofInvalidClassDeclaration, `[Abstract] struct A { };`},
	{cim.ErrMofInvalidClassDeclaration, `class A : B as $A { };`},
	{cim.ErrMofInvalidInstanceDeclaration, `instance A { };`},
	{cim.ErrMofInvalidInstanceDeclaration, `instance of A { X = ` + strings.Repeat(`instance of A { X = `, MaxNesting+1)},
	{cim.ErrMofExpectedDollar, `class A as B { };`},
	{cim.ErrMofCimtypeQualifier, `class A { [CIMTYPE("uint32")] uint32 X; };`},
	{cim.ErrMofDuplicateProperty, `class A { sint32 X; string x; };`},
	{cim.ErrMofDuplicateProperty, `instance of A { X = 1; x = 2; };`},
	{cim.ErrMofDuplicateProperty, `class A { void M([In] sint32 X, [In] sint32 x); };`},
	{cim.ErrMofInvalidNamespaceSpecification, `#pragma namespace("\\\\server\\root\\cimv2")`},
	{cim.ErrMofOutOfRange, `class A { uint8 X = 256; };`},
	{cim.ErrMofOutOfRange, `class A { uint8 X = -1; };`},
	{cim.ErrMofOutOfRange, `class A { sint32 X = 0x80000000; };`},
	{cim.ErrMofOutOfRange, `class A { uint16 X = 65535.6; };`},
	{cim.ErrMofOutOfRange, `class A { real32 X = 1e39; };`},
	{cim.ErrMofInvalidFile, "FOMB\x01\x00\x00\x00"},
	{cim.ErrMofInvalidFile, "class\x00A"},
	{cim.ErrMofInvalidFile, "\xFF\xFEclass"},
	{cim.ErrMofAliasesInEmbedded, `class A { object X = instance of B as $B { }; };`},
	{cim.ErrMofAliasesInEmbedded, `instance of B as $B { }; instance of A { X = instance of C { R = $B; }; };`},
	{cim.ErrMofNullArrayElem, `class A { string X[] = {"a", NULL}; };`},
	{cim.ErrMofDuplicateQualifier, `[Abstract, ABSTRACT] class A { };`},
	{cim.ErrMofExpectedFlavorType, `[Abstract : Sticky] class A { };`},
	{cim.ErrMofExpectedFlavorType, `qualifier Description : ;`},
	{cim.ErrMofIncompatibleFlavorTypes, `[Q : EnableOverride DisableOverride] class A { };`},
	{cim.ErrMofMultipleAliases, `class A as $X { }; instance of A as $x { };`},
	{cim.ErrMofIncompatibleFlavorTypes2, `[Q : Restricted ToSubClass] class A { };`},
	{cim.ErrMofIncompatibleFlavorTypes2, `[Q : ToInstance NotToInstance] class A { };`},
	{cim.ErrMofNoArraysReturned, `class A { sint32[] M(); };`},
	{cim.ErrMofNoArraysReturned, `class A { sint32 M()[]; };`},
	{cim.ErrMofMustBeInOrOut, `class A { void M(sint32 X); };`},
	{cim.ErrMofMustBeInOrOut, `class A { void M([In(FALSE)] sint32 X); };`},
	{cim.ErrMofInvalidFlagsSyntax, `#pragma classflags("often")`},
	{cim.ErrMofInvalidFlagsSyntax, `#pragma classflags("createonly", "updateonly")`},
	{cim.ErrMofInvalidFlagsSyntax, `#pragma instanceflags("safeupdate")`},
	{cim.ErrMofExpectedBraceOrBadType, `class A { sint32 X;`},
	{cim.ErrMofExpectedBraceOrBadType, `class A { 5 X; };`},
	{cim.ErrMofUnsupportedCimv22QualValue, `[Q('a')] class A { };`},
	{cim.ErrMofUnsupportedCimv22QualValue, `[Q(NULL)] class A { };`},
	{cim.ErrMofUnsupportedCimv22QualValue, `[Q(instance of A { })] class A { };`},
	{cim.ErrMofUnsupportedCimv22DataType, `qualifier Q : datetime;`},
	{cim.ErrMofInvalidDeleteinstanceSyntax, `#pragma deleteinstance("A.B='c'")`},
	{cim.ErrMofInvalidDeleteinstanceSyntax, `#pragma deleteinstance("A", fail)`},
	{cim.ErrMofInvalidQualifierSyntax, `qualifier Q;`},
	{cim.ErrMofInvalidQualifierSyntax, `qualifier Q : string = "x", scope(everything);`},
	{cim.ErrMofQualifierUsedOutsideScope, `qualifier Q : boolean = false, scope(property); [Q] class A { };`},
	{cim.ErrMofErrorInvalidIncludeFile, `#include("missing.mof")`},
	{cim.ErrMofErrorInvalidIncludeFile, `#include("../above.mof")`},
	{cim.ErrMofErrorInvalidIncludeFile, `#include("round.mof")`},
	{cim.ErrMofErrorInvalidIncludeFile, `#include(1)`},
	{cim.ErrMofInvalidDeleteclassSyntax, `#pragma deleteclass("A", maybe)`},
	{cim.ErrMofInvalidDeleteclassSyntax, `#pragma deleteclass(A, fail)`},
}

func TestEveryMistakeHasItsCode(t *testing.T) {
	fsys := fstest.MapFS{"round.mof": {Data: []byte(`#include("round.mof")`)}}
	reached := map[cim.Status]bool{
		// the temporary file of another implementation; no text makes it
		cim.ErrMofErrorCreatingTempFile: true,
	}
	for _, m := range mistakes {
		reached[m.code] = true
		_, err := Parse("test.mof", []byte(m.text), ParseOptions{Include: fsys})
		var e *Error
		if !errors.As(err, &e) || e.Code != m.code || cim.StatusOf(err) != m.code && e.Err == nil || !errors.Is(err, m.code) && e.Err == nil {
			t.Errorf("%s\n\tgives %v, want %v", m.text, err, m.code)
		}
	}
	for code := cim.Status(0x80044001); code <= 0x80044031; code++ {
		if !reached[code] {
			t.Errorf("no text for %v", code)
		}
	}
	if len(reached) != 49 {
		t.Errorf("%d codes: %v", len(reached), slices.Sorted(maps.Keys(reached)))
	}
}

func TestPositions(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"class A\n{\n  uint8 Größe = 256;\n};", "test.mof:3:17"},
		{"class A { };\r\n\r\n/* a\n b */ kind", "test.mof:4:7"},
		{"\uFEFFkind", "test.mof:1:1"},
		{"class A { string S = \"a\"\n  \"b\\xD800\"; };", "test.mof:1:22"},
		{"#include(\"sub/inc.mof\")", "sub/inc.mof:2:1"},
		{"class A {", "test.mof:1:10"},
		{"class A { string S = \"a\nb\"; string };", "test.mof:2:12"},
		{"class A {\n string S = \"a\nb };", "test.mof:2:13"},
	} {
		fsys := fstest.MapFS{"sub/inc.mof": {Data: []byte("// fine\nnot fine")}}
		_, err := Parse("test.mof", []byte(test.text), ParseOptions{Include: fsys})
		var e *Error
		if !errors.As(err, &e) || e.Position.String() != test.want || !strings.HasPrefix(err.Error(), test.want+": 0x8004") {
			t.Errorf("%q gives %v, want it at %s", test.text, err, test.want)
		}
	}
}

func TestLimits(t *testing.T) {
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(format, "#", strconv.Itoa(i)))
		}
		return b.String()
	}
	fsys := fstest.MapFS{}
	for i := range MaxIncludeDepth + 1 {
		fsys[fmt.Sprintf("%d.mof", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, `#include("%d.mof")`, i+1)}
	}
	fsys[fmt.Sprintf("%d.mof", MaxIncludeDepth+1)] = &fstest.MapFile{}
	fsys["large.mof"] = &fstest.MapFile{Data: make([]byte, MaxSize)}
	for _, test := range []struct {
		name, text string
		want       cim.Status
	}{
		{"nesting", strings.Repeat("instance of A { X = ", MaxNesting+1) + "1" + strings.Repeat("; }", MaxNesting+1) + ";", 0},
		{"one more", strings.Repeat("instance of A { X = ", MaxNesting+2) + "1" + strings.Repeat("; }", MaxNesting+2) + ";", cim.ErrMofInvalidInstanceDeclaration},
		{"members", "class A { " + repeat(MaxMembers, "uint8 P#; ") + "};", 0},
		{"one more", "class A { " + repeat(MaxMembers+1, "uint8 P#; ") + "};", cim.ErrMofOutOfRange},
		{"qualifiers", "[Q" + repeat(MaxQualifiers-1, ", Q#") + "] class A { };", 0},
		{"one more", "[Q" + repeat(MaxQualifiers, ", Q#") + "] class A { };", cim.ErrMofOutOfRange},
		{"parameters", "class A { void M([In] uint8 P" + repeat(MaxParameters-1, ", [In] uint8 P#") + "); };", 0},
		{"one more", "class A { void M([In] uint8 P" + repeat(MaxParameters, ", [In] uint8 P#") + "); };", cim.ErrMofOutOfRange},
		{"includes", `#include("2.mof")`, 0},
		{"one more", `#include("1.mof")`, cim.ErrMofErrorInvalidIncludeFile},
		{"size", strings.Repeat(" ", MaxSize), 0},
		{"one more", strings.Repeat(" ", MaxSize+1), cim.ErrMofInvalidFile},
		{"size of all", `#include("large.mof")`, cim.ErrMofErrorInvalidIncludeFile},
	} {
		var e *Error
		_, err := Parse("test.mof", []byte(test.text), ParseOptions{Include: fsys})
		if errors.As(err, &e) && e.Code != test.want || e == nil && test.want != 0 {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

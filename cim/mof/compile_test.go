package mof

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// store is a Target that keeps what it is given and writes down what was done.
type store struct {
	memory
	paths map[string]bool // namespace and path of the instances
	log   []string
	last  PutInstanceOptions
}

func newStore() *store {
	return &store{memory: memory{classes: map[string]*cim.Class{}}, paths: map[string]bool{}}
}

func (s *store) note(format string, args ...any) { s.log = append(s.log, fmt.Sprintf(format, args...)) }

func (s *store) PutClass(ctx context.Context, namespace string, declared *cim.Class, o cim.PutClassOptions) error {
	known := s.classes[memoryKey(namespace, declared.Name)] != nil
	switch {
	case known && o.Mode == cim.ClassCreateOnly:
		return &cim.Error{Status: cim.ErrAlreadyExists, Path: declared.Name}
	case !known && o.Mode == cim.ClassUpdateOnly:
		return &cim.Error{Status: cim.ErrNotFound, Path: declared.Name}
	}
	if err := s.memory.PutClass(ctx, namespace, declared, o); err != nil {
		return err
	}
	s.note("%s:%s mode %d conflict %d amended %v", namespace, declared.Name, o.Mode, o.Conflict, o.Amended)
	return nil
}

func (s *store) PutInstance(_ context.Context, namespace string, i *cim.Instance, o PutInstanceOptions) (cim.ObjectPath, error) {
	path, _ := i.Path()
	path.Namespace = namespace
	known := s.paths[path.String()]
	switch {
	case known && o.Flags&CreateOnly != 0:
		return path, &cim.Error{Status: cim.ErrAlreadyExists, Path: path.String()}
	case !known && o.Flags&UpdateOnly != 0:
		return path, &cim.Error{Status: cim.ErrNotFound, Path: path.String()}
	}
	s.paths[path.String()], s.last = true, o
	s.instances = append(s.instances, i)
	s.note("%s", path)
	return path, nil
}

func (s *store) DeleteClass(_ context.Context, namespace, name string) error {
	if s.classes[memoryKey(namespace, name)] == nil {
		return &cim.Error{Status: cim.ErrNotFound, Path: name}
	}
	delete(s.classes, memoryKey(namespace, name))
	s.note("-%s:%s", namespace, name)
	return nil
}

func (s *store) DeleteInstance(_ context.Context, namespace string, path cim.ObjectPath) error {
	if path.Namespace = namespace; !s.paths[path.String()] {
		return &cim.Error{Status: cim.ErrNotFound, Path: path.String()}
	}
	delete(s.paths, path.String())
	s.note("-%s", path)
	return nil
}

func parse(t testing.TB, text string) *File {
	t.Helper()
	f, err := Parse("test.mof", []byte(text), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// compile compiles text into a new store and gives what was done.
func compile(t *testing.T, text string, o Options) (*store, error) {
	t.Helper()
	s := newStore()
	return s, Compile(t.Context(), parse(t, text), s, o)
}

func wantLog(t *testing.T, s *store, want ...string) {
	t.Helper()
	if !slices.Equal(s.log, want) {
		t.Errorf("done:\n%s\nwant:\n%s", strings.Join(s.log, "\n"), strings.Join(want, "\n"))
	}
}

// T-85 and T-86 of spec/wmi.md 10.
func TestNamespaceOfObjects(t *testing.T) {
	const text = `class A { [Key] string K; };
		#pragma namespace("\\\\.\\root\\test")
		class B { [Key] string K; };
		instance of B { K = "b"; };`
	s, err := compile(t, text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantLog(t, s, `root\default:A mode 0 conflict 0 amended false`, `root\test:B mode 0 conflict 0 amended false`, `root\test:B.K="b"`)
	if s, err = compile(t, text, Options{Namespace: `root\more`}); err != nil {
		t.Fatal(err)
	}
	wantLog(t, s, `root\more:A mode 0 conflict 0 amended false`, `root\test:B mode 0 conflict 0 amended false`, `root\test:B.K="b"`)
}

// T-88: what was stored before a failure stays, and nothing comes after it.
func TestFailureLeavesTheEarlierObjects(t *testing.T) {
	var told []string
	s, err := compile(t, "class A { [Key] string K; };\n  instance of Missing { };\nclass B { };", Options{
		Progress: func(o *Object, namespace string, err error) {
			told = append(told, fmt.Sprint(o.Line, " ", namespace, " ", cim.StatusOf(err)))
		}})
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, cim.ErrNotFound) || cim.StatusOf(err) != cim.ErrNotFound || e.Position.String() != "test.mof:2:3" {
		t.Errorf("%v", err)
	}
	wantLog(t, s, `root\default:A mode 0 conflict 0 amended false`)
	if want := []string{`1 root\default ` + cim.StatusOK.Error(), `2 root\default ` + cim.ErrNotFound.Error()}; !slices.Equal(told, want) {
		t.Errorf("told %q", told)
	}
}

func TestFlags(t *testing.T) {
	const class = `class A { [Key] string K; }; `
	for _, test := range []struct {
		text string
		o    Options
		want string
		err  cim.Status
	}{
		{class, Options{ClassFlags: UpdateOnly}, "", cim.ErrNotFound},
		{class + class, Options{ClassFlags: CreateOnly}, "mode 2 conflict 0", cim.ErrAlreadyExists},
		{class, Options{ClassFlags: SafeUpdate}, "mode 0 conflict 1", 0},
		{`#pragma classflags("forceupdate")` + class, Options{ClassFlags: UpdateOnly}, "mode 0 conflict 2", 0},
		{`#pragma classflags("createonly")` + class, Options{}, "mode 2 conflict 0", 0},
		{class + `#pragma classflags("updateonly", "safeupdate")` + class, Options{}, "mode 1 conflict 1", 0},
		{class + `#pragma classflags("updateonly, forceupdate")` + class, Options{}, "mode 1 conflict 2", 0},
		{class + `instance of A { K = "x"; };`, Options{InstanceFlags: UpdateOnly}, "mode 0 conflict 0", cim.ErrNotFound},
		{class + `instance of A { K = "x"; }; #pragma instanceflags("createonly") instance of A { K = "x"; };`, Options{}, `A.K="x"`, cim.ErrAlreadyExists},
		{class + `instance of A { K = "x"; }; #pragma instanceflags("updateonly") instance of A { K = "x"; };`, Options{}, `A.K="x"`, 0},
		{`class A { [Description("x") : Amended] string K; };`, Options{}, "mode 0 conflict 0 amended true", 0},
	} {
		s, err := compile(t, test.text, test.o)
		last := ""
		if len(s.log) > 0 {
			last = s.log[len(s.log)-1]
		}
		if cim.StatusOf(err) != test.err || !strings.Contains(last, test.want) {
			t.Errorf("%s: %v, %s", test.text, err, last)
		}
	}
}

func TestDeletePragmas(t *testing.T) {
	s, err := compile(t, `class A { [Key] string K; };
		instance of A { K = "x"; };
		#pragma deleteinstance("A.K=\"x\"", FAIL)
		#pragma deleteinstance("A.K=\"x\"", NOFAIL)
		#pragma deleteclass("A", fail)
		#pragma deleteclass("A", nofail)
		#pragma deleteclass("A", fail)`, Options{})
	if cim.StatusOf(err) != cim.ErrNotFound || !strings.Contains(err.Error(), "test.mof:7:3") {
		t.Error(err)
	}
	wantLog(t, s, `root\default:A mode 0 conflict 0 amended false`, `root\default:A.K="x"`, `-root\default:A.K="x"`, `-root\default:A`)
}

func TestAliases(t *testing.T) {
	s, err := compile(t, `
		class Disk as $Class { [Key] string Name; };
		class Link { [Key] string K; Disk ref To; Disk ref All[]; object ref Class = $Class; };
		instance of Link as $First { K = "1"; To = $D; All = {$D, "Disk.Name=\"E:\"", $E}; };
		instance of Link { K = "0"; };
		instance of Disk as $D { Name = "C:\\"; };
		#pragma namespace("root/default")
		instance of Disk as $E { Name = "E"; };
		#pragma namespace("root/more")
		class Disk { [Key] string Name; };
		class Link { [Key] string K; Disk ref To; };
		instance of Link { K = "2"; To = $d; };`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantLog(t, s, `root\default:Disk mode 0 conflict 0 amended false`, `root\default:Link mode 0 conflict 0 amended false`,
		`root\default:Link.K="0"`, `root\default:Disk.Name="C:\\"`, `root\default:Disk.Name="E"`, `root\default:Link.K="1"`,
		`root\more:Disk mode 0 conflict 0 amended false`, `root\more:Link mode 0 conflict 0 amended false`, `root\more:Link.K="2"`)
	first, second := s.instances[3], s.instances[4]
	if got := first.Get("To").String(); got != `Disk.Name="C:\\"` {
		t.Errorf("To = %s", got)
	}
	if got := first.Get("All").String(); got != `{Disk.Name="C:\\", Disk.Name="E:", Disk.Name="E"}` {
		t.Errorf("All = %s", got)
	}
	if got := first.Get("Class").String(); got != "Disk" {
		t.Errorf("Class = %s", got)
	}
	if got := second.Get("To").String(); got != `\\.\root\default:Disk.Name="C:\\"` {
		t.Errorf("To = %s", got)
	}
}

func TestValuesOfInstances(t *testing.T) {
	const classes = `class Inner { sint32 N = 7; string S; }; class Below : Inner { }; class Other { };
		class A { [Key] string K; uint16 U; sint64 L; real32 R; boolean B; char16 C; datetime T; string S = "default"; uint8 Bytes[];
			Inner I; object O; Inner List[]; A ref Next; };`
	for _, test := range []struct {
		property, value string
		want            cim.Value
		err             cim.Status
	}{
		{"U", "1000.4", cim.U16(1000), 0}, // as the documentation's example has it
		{"U", "1000.6", cim.U16(1001), 0},
		{"U", `"17"`, cim.U16(17), 0},
		{"U", "65536", cim.Value{}, cim.ErrMofOutOfRange},
		{"U", "-1", cim.Value{}, cim.ErrMofOutOfRange},
		{"U", `"x"`, cim.Value{}, cim.ErrMofTypeMismatch},
		{"U", "{1}", cim.Value{}, cim.ErrMofUnexpectedArrayInit},
		{"L", "-9223372036854775808", cim.S64(-1 << 63), 0},
		{"L", "9223372036854775808", cim.Value{}, cim.ErrMofOutOfRange},
		{"R", "-1.5e3", cim.Real(cim.Real32, -1500), 0},
		{"R", "3", cim.Real(cim.Real32, 3), 0},
		{"B", "TRUE", cim.Bool(true), 0},
		{"B", "0", cim.Bool(false), 0},
		{"C", "'x'", cim.Uint(cim.Char16, 'x'), 0},
		{"C", `'\x4133'`, cim.Uint(cim.Char16, 0x4133), 0},
		{"C", "65", cim.Uint(cim.Char16, 65), 0},
		{"T", `"19980401135809.000000+000"`, cim.Time("19980401135809.000000+000"), 0},
		{"T", `"199*0416******.000000+***"`, cim.Value{}, cim.ErrMofTypeMismatch},
		{"S", "23", cim.Str("23"), 0}, // as the documentation's example has it
		{"S", "NULL", cim.Null(cim.String), 0},
		{"Bytes", "{0x10, 017, 101b}", cim.Array(cim.Uint8, []cim.Value{cim.U8(16), cim.U8(15), cim.U8(5)}), 0},
		{"Bytes", "{256}", cim.Value{}, cim.ErrMofOutOfRange},
		{"Bytes", "{}", cim.Array(cim.Uint8, nil), 0},
		{"I", "instance of Other { }", cim.Value{}, cim.ErrMofTypeMismatch},
		{"I", "instance of Inner { X = 1; }", cim.Value{}, cim.ErrInvalidProperty},
		{"I", "instance of Nowhere { }", cim.Value{}, cim.ErrNotFound},
		{"I", `"x"`, cim.Value{}, cim.ErrMofTypeMismatch},
		{"List", "{instance of Below { }, instance of Other { }}", cim.Value{}, cim.ErrMofTypeMismatch},
		{"Next", `"A.K=\"a\""`, cim.Ref(`A.K="a"`), 0},
		{"Next", "instance of A { }", cim.Value{}, cim.ErrMofTypeMismatch},
		{"Nothing", "1", cim.Value{}, cim.ErrInvalidProperty},
	} {
		s, err := compile(t, classes+"instance of A { "+test.property+" = "+test.value+"; };", Options{})
		switch {
		case cim.StatusOf(err) != test.err:
			t.Errorf("%s = %s: %v", test.property, test.value, err)
		case err == nil && !s.instances[0].Get(test.property).Equal(test.want):
			t.Errorf("%s = %s is %v, want %v", test.property, test.value, s.instances[0].Get(test.property), test.want)
		}
	}
	s, err := compile(t, classes+`instance of A { I = instance of Below { S = "s"; }; O = instance of Other { }; List = {instance of Inner { N = 1; }}; };`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	i := s.instances[0]
	if o := i.Get("I").Object(); o.Class().Name != "Below" || !o.Get("N").Equal(cim.S32(7)) || !o.Get("S").Equal(cim.Str("s")) {
		t.Errorf("I = %v", o)
	}
	if i.Get("O").Object().Class().Name != "Other" || !i.Get("List").Elems()[0].Object().Get("N").Equal(cim.S32(1)) || !i.Get("S").Equal(cim.Str("default")) {
		t.Errorf("%v", i)
	}
}

// An instance may leave a value to a property provider, as the documentation of
// the registry's property provider shows.
func TestPropertyWithoutValue(t *testing.T) {
	s, err := compile(t, `class A { [Key] string MyKey; uint32 Logging = 3; };
		instance of A { MyKey = "a"; [PropertyContext("local|x"), Dynamic, Provider("RegPropProv")] logging; };`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	q := s.last.Properties["Logging"]
	if len(s.last.Properties) != 1 || q.Text("PropertyContext") != "local|x" || !q.True("Dynamic") || !s.instances[0].Get("Logging").Equal(cim.U32(3)) {
		t.Errorf("%+v", s.last)
	}
}

func TestDefaultsOfClasses(t *testing.T) {
	s, err := compile(t, `class Inner { string S; };
		class A { Inner I = instance of Inner { S = "s"; }; object ref R = $X; sint32 N[] = {1, -1}; };
		class K { [Key] string Name; };
		instance of K as $X { Name = "x"; };`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	// A waited for $X
	wantLog(t, s, `root\default:Inner mode 0 conflict 0 amended false`, `root\default:K mode 0 conflict 0 amended false`,
		`root\default:K.Name="x"`, `root\default:A mode 0 conflict 0 amended false`)
	a := s.classes[memoryKey(`root\default`, "A")]
	if o := a.Property("I").Default.Object(); o == nil || !o.Get("S").Equal(cim.Str("s")) {
		t.Errorf("I = %v", a.Property("I").Default)
	}
	if !a.Property("R").Default.Equal(cim.Ref(`K.Name="x"`)) || a.Property("N").Default.String() != "{1, -1}" {
		t.Errorf("%v %v", a.Property("R").Default, a.Property("N").Default)
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		text string
		want cim.Status
	}{
		{`class A : Unknown { uint8 X; }; instance of A { X = 300; }; instance of Unknown { Y = 1; };`, 0},
		{`class A { uint8 X; }; instance of A { X = 300; };`, cim.ErrMofOutOfRange},
		{`class A { uint8 X; }; instance of A { Y = 3; };`, cim.ErrInvalidProperty},
		{`class A { uint8 X; }; class B : A { uint16 X; };`, cim.ErrUpdateTypeMismatch},
		{`class A { A ref R; }; instance of A { R = $X; }; instance of Unknown as $X { };`, 0},
		{`class A { }; #pragma deleteclass("A", fail) instance of A { X = 1; };`, 0},
	} {
		if err := Check(parse(t, test.text)); cim.StatusOf(err) != test.want {
			t.Errorf("%s: %v", test.text, err)
		}
	}
}

// A long chain of aliases costs no stack and no more than its length.
func TestManyAliases(t *testing.T) {
	var b strings.Builder
	b.WriteString("class A { [Key] uint32 K; A ref Next; };\n")
	const n = 20000
	for i := range n {
		fmt.Fprintf(&b, "instance of A as $A%d { K = %d; Next = $A%d; };\n", i, i, i+1)
	}
	fmt.Fprintf(&b, "instance of A as $A%d { K = %d; };\n", n, n)
	s, err := compile(t, b.String(), Options{})
	if err != nil || len(s.instances) != n+1 {
		t.Fatal(len(s.instances), err)
	}
	if last := s.instances[n]; last.Get("Next").String() != "A.K=1" {
		t.Errorf("%v", last.Get("Next"))
	}
}

package casement_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/internal/wmitool"
	"github.com/casementhq/casement/security"
)

// over is a connection for the tools.
type over struct{ c *casement.Connection }

func (o over) Session(ctx context.Context, _ wmitool.Target, namespace string) (cim.Session, error) {
	return o.c.Session(ctx, namespace)
}

// largeMOF has n classes and as many instances, about bytes of text, and what
// makes a portion depend on the others: superclasses, aliases that are used
// before they are declared and long after, and pragmas that go on to the end.
func largeMOF(n, bytes int) string {
	var b strings.Builder
	b.WriteString("class Big_Root { [key] string Id; Big_Root ref Next; Big_Root ref First; object Inside; string Text; };\n")
	b.WriteString("instance of Big_Root as $i0 { Id = \"0\"; };\n")
	filler := strings.Repeat("x\\\"<&>é\\n", bytes/n/10)
	for k := 1; k <= n; k++ {
		fmt.Fprintf(&b, `[Description("%s"), MappingStrings{"a", "b%d"}, Locale(1033): ToInstance DisableOverride]
class Big_%d : %s
{
  [Override("Text"), MaxLen(%d)] string Text = "text \x41 %d";
  [ValueMap{"1", "2"}, Values{"one", "two"}: Translatable] uint8 Small[] = {1, %d};
  [SubType("interval")] datetime Long = "00000001000000.000000:000";
  char16 Sign = 'x'; real64 Part = 0.5; uint64 Many = 18446744073709551615;
  [Static, Description("m")] uint32 Do([In, ID(0)] string A, [In, Out, ID(1)] sint64 B[], [Out, ID(2)] Big_Root ref C);
};
`, filler, k, k, map[bool]string{true: "Big_Root", false: fmt.Sprintf("Big_%d", k-k%10)}[k%10 == 0 || k < 10], k, k, k%200)
		next := ""
		if k < n {
			next = fmt.Sprintf(" Next = $i%d;", k+1)
		}
		fmt.Fprintf(&b, "instance of Big_%d as $i%d { Id = \"%d\"; First = $i0;%s Text = NULL; Inside = instance of Big_Root { Id = \"in\"; }; Many = %d; };\n", k, k, k, next, k)
	}
	return b.String()
}

// A text of 10 MB, far more than one message takes, is stored by mofcomp over
// every path as it is by the object manager itself (issue 3, 2.2).
func TestLargeMOF(t *testing.T) {
	const objects = 400
	text := largeMOF(objects, 10<<20)
	if len(text) < 10<<20 || len(text) > mof.MaxSize {
		t.Fatalf("the text has %d bytes", len(text))
	}
	m := cimom.New(cimom.Options{})
	t.Cleanup(func() { m.Close() })
	server := casementtest.New(t, casementtest.Options{Opener: m})
	paths := map[string]*casement.Connection{
		"direct": dial(t, ".", casement.Options{Opener: system{m}}),
		"http":   dial(t, server.HTTP, casement.Options{User: server.User, Password: server.Password}),
		"local":  dial(t, ".", casement.Options{StateDir: server.Service.State.Dir}),
	}
	file := filepath.Join(t.TempDir(), "large.mof")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	compile := func(path string, args ...string) (int, string) {
		var out bytes.Buffer
		c := wmitool.MOFCompiler{Connector: over{paths[path]}, Out: &out, Err: &out}
		code := c.Run(t.Context(), append(args, file))
		return code, out.String()
	}
	stored := func(namespace string) string {
		t.Helper()
		s, err := system{m}.Open(t.Context(), cim.Caller{}, namespace, cim.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		classes, err := s.EnumerateClasses(t.Context(), "Big_Root", true)
		if err != nil || len(classes) != objects {
			t.Fatalf("%d classes in %s, %v", len(classes), namespace, err)
		}
		var all []string
		for _, c := range classes {
			all = append(all, string(mof.AppendClass(nil, c, mof.PrintOptions{})))
		}
		e, err := s.Enumerate(t.Context(), "Big_Root", cim.EnumerateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		list, err := cim.Collect(t.Context(), e)
		if err != nil || len(list) != objects+1 {
			t.Fatalf("%d instances in %s, %v", len(list), namespace, err)
		}
		for _, i := range list {
			all = append(all, string(mof.AppendInstance(nil, i)))
		}
		slices.Sort(all)
		return strings.Join(all, "\n")
	}
	var want string
	for _, path := range []string{"direct", "http", "local"} {
		write("#pragma namespace(\"\\\\\\\\.\\\\root\")\ninstance of __NAMESPACE { Name = \"big" + path + "\"; };\n")
		if code, out := compile(path); code != 0 {
			t.Fatal(out)
		}
		write(text)
		began := time.Now()
		if code, out := compile(path, `-N:root\big`+path); code != 0 {
			t.Fatalf("%s: %s", path, out)
		}
		t.Logf("%s: %d objects, %d bytes: %v", path, 2*objects+2, len(text), time.Since(began).Round(time.Millisecond))
		got := stored(`root\big` + path)
		if want == "" {
			want = got
			if !strings.Contains(want, `First = "Big_Root.Id=\"0\""`) || !strings.Contains(want, `Next = "Big_17.Id=\"17\""`) {
				t.Error("an alias does not lead where it should")
			}
		}
		if got != want {
			t.Errorf("%s: what is stored differs from what the manager itself stores", path)
		}
		// flags, and the place of a failure behind what stays stored
		const blank = 100 << 10
		far := strings.Repeat("\n", blank)
		write(far + text[:strings.Index(text, "[Description")])
		if code, out := compile(path, "-class:createonly", `-N:root\big`+path); code != 1 || !strings.Contains(out, fmt.Sprintf("large.mof (%d:1): error 0x80041019", blank+1)) {
			t.Errorf("%s: -class:createonly: %d, %s", path, code, out)
		}
		if code, out := compile(path, "-instance:createonly", `-N:root\big`+path); code != 1 || !strings.Contains(out, fmt.Sprintf("large.mof (%d:1): error 0x80041019", blank+2)) {
			t.Errorf("%s: -instance:createonly: %d, %s", path, code, out)
		}
		write(far + "class Big_Late { [key] string Id; };\nclass Big_Bad : Big_None { };\nclass Big_Never { [key] string Id; };\n")
		code, out := compile(path, `-N:root\big`+path)
		if where := fmt.Sprintf("large.mof (%d:1): error 0x8004100D WBEM_E_INVALID_SUPERCLASS: class Big_Bad was not stored in root\\big%s: the superclass Big_None does not exist", blank+2, path); code != 1 || !strings.Contains(out, where) {
			t.Errorf("%s: want %q: %d, %s", path, where, code, out)
		}
		write(strings.Repeat(" ", 70<<10) + `#pragma deleteclass("Big_Late", FAIL)` + "\n" + `#pragma deleteclass("Big_Late", NOFAIL)` + "\n" +
			`#pragma deleteinstance("Big_17.Id=\"17\"", FAIL)` + "\n" + `#pragma deleteclass("Big_Never", FAIL)` + "\n")
		if code, out := compile(path, `-N:root\big`+path); code != 1 || !strings.Contains(out, "(4:1): error 0x80041002") {
			t.Errorf("%s: deletions: %d, %s", path, code, out)
		}
		write(strings.Repeat(" ", 70<<10) + `[NamespaceSecuritySDDL("O:BAG:BAD:(A;;0x6003F;;;BA)(A;;0x1;;;BU)")] instance of __NAMESPACE { Name = "below"; };`)
		if code, out := compile(path, `-N:root\big`+path); code != 0 {
			t.Errorf("%s: a namespace: %d, %s", path, code, out)
		}
		user := cim.Caller{Token: &security.Token{User: security.SIDUsers}}
		if _, err := m.Open(t.Context(), user, `root\big`+path+`\below`, cim.OpenOptions{}); err != nil {
			t.Errorf("%s: the security of a namespace is not that of its qualifier: %v", path, err)
		}
		if got := stored17(t, m, `root\big`+path); got != 0 {
			t.Errorf("%s: %d of the deleted instance", path, got)
		}
	}
}

func stored17(t *testing.T, m *cimom.Manager, namespace string) int {
	t.Helper()
	s, err := system{m}.Open(t.Context(), cim.Caller{}, namespace, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e, err := s.Query(t.Context(), `SELECT * FROM Big_17`, cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := cim.Collect(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

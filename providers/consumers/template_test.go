package consumers

import (
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// testEvent is an event with values of all kinds.
func testEvent(t testing.TB) *cim.Instance {
	t.Helper()
	disk := cim.NewClass("Disk", nil).Key("DriveLetter", cim.String).Build(`root\cimv2`)
	inner := cim.NewClass("__InstanceModificationEvent", nil).Object("TargetInstance", "").Build(`root\cimv2`)
	makeInner := func(letter string) cim.Value {
		d, e := cim.NewInstance(disk), cim.NewInstance(inner)
		if err := d.Set("DriveLetter", cim.Str(letter)); err != nil {
			t.Fatal(err)
		}
		if err := e.Set("TargetInstance", cim.Obj(d)); err != nil {
			t.Fatal(err)
		}
		return cim.Obj(e)
	}
	class := cim.NewClass("SampleEvent", nil).Property("CPUUtilization", cim.Uint32).Property("Critical", cim.Boolean).
		Property("Name", cim.String).Property("Nothing", cim.String).Property("Numbers", cim.Uint16.Array()).Property("One", cim.Uint16.Array()).
		Property("None", cim.String.Array()).Property("Tags", cim.String.Array()).Property("Tag", cim.String.Array()).
		Object("TargetInstance", "").Property("MyEvents", cim.Object.Array()).Property("Delta", cim.Sint32).Build(`root\cimv2`)
	e := cim.NewInstance(class)
	target := cim.NewInstance(cim.NewClass("Win32_Process", nil).Key("Handle", cim.String).Property("Name", cim.String).Build(`root\cimv2`))
	for name, v := range map[string]cim.Value{"Handle": cim.Str("42"), "Name": cim.Str(`sh "x"; rm -rf /`)} {
		if err := target.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	u16 := func(list ...uint16) cim.Value {
		values := []cim.Value{}
		for _, n := range list {
			values = append(values, cim.U16(n))
		}
		return cim.Array(cim.Uint16, values)
	}
	for name, v := range map[string]cim.Value{
		"CPUUtilization": cim.U32(90), "Critical": cim.Bool(true), "Name": cim.Str("sample"), "Numbers": u16(1, 5, 10, 1024), "One": u16(7),
		"None": cim.Array(cim.String, nil), "Tags": cim.Strs([]string{"a", `b"\`}), "Tag": cim.Strs([]string{"only"}),
		"TargetInstance": cim.Obj(target), "MyEvents": cim.Array(cim.Object, []cim.Value{makeInner("C:"), makeInner("D:")}), "Delta": cim.S32(-5),
	} {
		if err := e.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func testMOF(b []byte, i *cim.Instance) []byte { return append(b, "<"+i.Class().Name+">"...) }

// TestTemplate has T-97 and the examples of spec/wmi.md 5.5.
func TestTemplate(t *testing.T) {
	x := &expansion{testEvent(t), testMOF}
	tests := [][2]string{
		{`Some text here`, `Some text here`},
		{`%CPUUtilization%`, `90`},
		{`The CPU utilization of this processor is %cpuutilization% at this time`, `The CPU utilization of this processor is 90 at this time`},
		{`%Critical% %Delta%`, `TRUE -5`},
		{`%TargetInstance.Handle% is %%`, `42 is %`},
		{`%TargetInstance.__CLASS% %__CLASS%`, `Win32_Process SampleEvent`},
		{`%Numbers%`, `(1,5,10,1024)`},
		{`%One%`, `7`},
		{`%None%`, `()`},
		{`%Tags%`, `("a","b\"\\")`},
		{`%Tag%`, `only`},
		{`%MyEvents.TargetInstance.DriveLetter%`, `("C:","D:")`},
		{`%TargetInstance%`, `<Win32_Process>`},
		{`%MyEvents%`, `(<__InstanceModificationEvent>,<__InstanceModificationEvent>)`},
		{`%__TEXT%`, `<SampleEvent>`},
		{`CPU utilization is "%CPUUtilization%" %Name%`, `CPU utilization is "%CPUUtilization%" sample`},
		{`[%Nothing%] [%Missing%] [%Name.X%] [%TargetInstance.Missing%]`, `[] [] [] []`},
		{`100% of %Name%`, `100% of sample`},
		{`50 %`, `50 %`},
		{`%.Name% %Name.% %1a% %a b%`, `%.Name% %Name.% %1a% %a b%`},
		{`%%%Name%%%`, `%sample%`},
		{`%TargetInstance.Name%`, `sh "x"; rm -rf /`}, // quotes of the event do not quote
		{``, ``},
	}
	for _, tt := range tests {
		if got, err := x.expand(tt[0]); err != nil || got != tt[1] {
			t.Errorf("%s: %q %v, want %q", tt[0], got, err, tt[1])
		}
	}
	x.mof = func(b []byte, _ *cim.Instance) []byte { return append(b, make([]byte, 1<<18)...) }
	if _, err := x.expand(strings.Repeat("%__TEXT%", 5)); cim.StatusOf(err) != cim.ErrQuotaViolation {
		t.Errorf("too much text: %v", err)
	}
}

// TestTemplateWords: what an event holds cannot add an argument.
func TestTemplateWords(t *testing.T) {
	x := &expansion{testEvent(t), testMOF}
	tests := []struct {
		template string
		want     []string
	}{
		{`/bin/echo  a-%Name%`, []string{"/bin/echo", "a-sample"}},
		{"prog\t%TargetInstance.Name%\n--x=%TargetInstance.Name%", []string{"prog", `sh "x"; rm -rf /`, `--x=sh "x"; rm -rf /`}},
		{`"/opt/my prog" "%Name% b" c"d e"f`, []string{"/opt/my prog", "%Name% b", "cd ef"}},
		{`prog "" %Nothing% x`, []string{"prog", "", "", "x"}},
		{`100%% " x`, []string{"100%", `"`, "x"}},
		{`   `, nil},
	}
	for _, tt := range tests {
		if got, err := x.words(tt.template); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q %v, want %q", tt.template, got, err, tt.want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{`%TargetInstance.Name% is %%`, `"%a%" %MyEvents.TargetInstance.DriveLetter%%`, `%__TEXT%%Numbers%50% of %.x%`} {
		f.Add(s)
	}
	x := &expansion{testEvent(f), testMOF}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := x.expand(s)
		if err != nil {
			return
		}
		if !strings.Contains(s, "%") && got != s {
			t.Errorf("%q has no %% and became %q", s, got)
		}
		if words, err := x.words(s); err == nil {
			for _, w := range words {
				if _, err := x.expand(w); err != nil && len(w) < maxExpanded {
					t.Errorf("%q: %v", w, err)
				}
			}
		}
	})
}

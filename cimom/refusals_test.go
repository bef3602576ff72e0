package cimom_test

import (
	"errors"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

// TestBadTimers: an instruction that could never fire is refused, where before
// it was stored and stayed silent. See the pages of the two classes.
func TestBadTimers(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	at := func(d time.Duration) cim.Value { return cim.Time(cim.AtTime(time.Now().Add(d))) }
	const every, once = "__IntervalTimerInstruction", "__AbsoluteTimerInstruction"
	for _, tt := range []struct {
		why, class string
		values     map[string]cim.Value
		status     cim.Status
	}{
		{"no interval", every, map[string]cim.Value{}, cim.ErrIllegalNull},
		{"an interval of nothing", every, map[string]cim.Value{"IntervalBetweenEvents": cim.U32(0)}, cim.ErrInvalidParameter},
		{"too small an interval", every, map[string]cim.Value{"IntervalBetweenEvents": cim.U32(9)}, cim.ErrInvalidParameter},
		{"a small interval", every, map[string]cim.Value{"IntervalBetweenEvents": cim.U32(10)}, 0},
		{"the longest interval", every, map[string]cim.Value{"IntervalBetweenEvents": cim.U32(0xFFFFFFFF)}, 0},
		{"no TimerId", every, map[string]cim.Value{"TimerId": cim.Null(cim.String), "IntervalBetweenEvents": cim.U32(1000)}, cim.ErrNoKey},
		{"no time", once, map[string]cim.Value{}, cim.ErrIllegalNull},
		{"a time that names every day", once, map[string]cim.Value{"EventDateTime": cim.Time("********120000.000000+000")}, cim.ErrInvalidParameter},
		{"an interval as the time", once, map[string]cim.Value{"EventDateTime": cim.Time("00000000000010.000000:000")}, cim.ErrInvalidParameter},
		{"a past time", once, map[string]cim.Value{"EventDateTime": at(-time.Hour)}, 0},
		{"a past time and SkipIfPassed", once, map[string]cim.Value{"EventDateTime": at(-time.Hour), "SkipIfPassed": cim.Bool(true)}, cim.ErrInvalidParameter},
		{"a coming time and SkipIfPassed", once, map[string]cim.Value{"EventDateTime": at(time.Hour), "SkipIfPassed": cim.Bool(true)}, 0},
		{"no TimerId", once, map[string]cim.Value{"TimerId": cim.Null(cim.String), "EventDateTime": at(time.Hour)}, cim.ErrNoKey},
	} {
		if _, set := tt.values["TimerId"]; !set {
			tt.values["TimerId"] = cim.Str(tt.why)
		}
		late := subscribe(t, s, `SELECT * FROM __TimerEvent WHERE TimerId = 'a past time'`)
		_, err := s.Create(t.Context(), make1(t, s, tt.class, tt.values), cim.OperationOptions{})
		if tt.status == 0 && err != nil || tt.status != 0 && !errors.Is(err, tt.status) {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.status)
		}
		if tt.why == "a past time" {
			expect(t, late, "__TimerEvent") // belated, as the documentation says
		}
		late.Close()
	}
	var left []*cim.Instance
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if left = query(t, s, `SELECT * FROM __TimerInstruction`); len(left) == 3 { // the past one has fired and goes
			break
		}
	}
	if len(left) != 3 {
		t.Errorf("%d instructions are stored: %v", len(left), left)
	}
	changed := make1(t, s, every, map[string]cim.Value{"TimerId": cim.Str("a small interval"), "IntervalBetweenEvents": cim.U32(0)})
	if err := s.Put(t.Context(), changed, cim.PutOptions{}); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Errorf("a timer becomes one that never fires: %v", err)
	}
}

// TestHostingModels: the values of spec/wmi.md 6.2 are taken; others are an
// invalid registration, as the page of that error says, and those of the system
// are denied, as the page of MSFT_Providers says.
func TestHostingModels(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	for model, want := range map[string]cim.Status{
		"SelfHost": 0, "LocalSystemHost": 0, "localsystemhost": 0, "LocalSystemHostOrSelfHost": 0, "NetworkServiceHost": 0,
		"NetworkServiceHostOrSelfHost": 0, "LocalServiceHost": 0, "Decoupled:Com": 0, "Decoupled:Noncom": 0,
		"Decoupled:Com:FoldIdentity(FALSE)": 0, "Decoupled:Com:FoldIdentity(TRUE)": 0, "NetworkServiceHost:MyGroup": 0, "": 0,
		"WmiCore": cim.ErrAccessDenied, "WmiCoreOrSelfHost": cim.ErrAccessDenied,
		"nonsense": cim.ErrInvalidProviderRegistration, "Decoupled": cim.ErrInvalidProviderRegistration, "Decoupled:": cim.ErrInvalidProviderRegistration,
		"Decoupled:Com:FoldIdentity(MAYBE)": cim.ErrInvalidProviderRegistration, "NetworkServiceHost:": cim.ErrInvalidProviderRegistration,
		"NetworkServiceHost:a:b": cim.ErrInvalidProviderRegistration, "SelfHost:Group": cim.ErrInvalidProviderRegistration,
		" LocalSystemHost": cim.ErrInvalidProviderRegistration, "LocalSystemHosts": cim.ErrInvalidProviderRegistration,
	} {
		i := make1(t, s, "__Win32Provider", map[string]cim.Value{"Name": cim.Str("p"), "HostingModel": cim.Str(model)})
		err := s.Put(t.Context(), i, cim.PutOptions{Mode: cim.CreateOrUpdate})
		if want == 0 && err != nil || want != 0 && !errors.Is(err, want) {
			t.Errorf("HostingModel %q: %v, want %v", model, err, want)
		}
	}
}

// TestKeyWithDefault: the documentation calls a default value of a key senseless
// and has no error for it, neither among those of MOF nor of classes. So it is
// taken, and is what every other default is: the value of who gives none.
func TestKeyWithDefault(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	root := open(t, m, "root")
	r := compile(t, root, `class Door { [Key] string Name = "front"; [Key] uint8 Floor = 1; string Colour; };
		instance of Door { Colour = "red"; };
		instance of Door { Name = "back"; Colour = "green"; };`)
	if got := returned(r); got != 0 {
		t.Fatalf("it does not compile: %#x %v", got, r.Out)
	}
	s := open(t, m, `root\default`)
	for path, colour := range map[string]string{`Door.Floor=1,Name="front"`: "red", `Door.Floor=1,Name="back"`: "green"} {
		p, err := cim.ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		i, err := s.Get(t.Context(), p, cim.GetOptions{})
		if err != nil || i.Get("Colour").String() != colour {
			t.Errorf("%s: %v, %v", path, i, err)
		}
	}
	null := make1(t, s, "Door", map[string]cim.Value{"Name": cim.Null(cim.String)})
	if _, err := s.Create(t.Context(), null, cim.OperationOptions{}); !errors.Is(err, cim.ErrNoKey) {
		t.Errorf("a key that is NULL: %v, want WBEM_E_NO_KEY", err)
	}
}

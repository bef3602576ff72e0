package doctor

import (
	"context"
	"testing"
)

// A check that panics is a result, and what needs it is skipped.
func TestBrokenCheckIsAResult(t *testing.T) {
	broken := check{id: "broken", layer: LayerName, title: "Breaks", run: func(context.Context, *examination) found { panic("broken") }}
	after := check{id: "after", layer: LayerRoute, title: "Comes after", needs: []string{"broken"}, run: func(context.Context, *examination) found {
		t.Error("it ran though what it needs is broken")
		return found{}
	}}
	beside := check{id: "beside", layer: LayerRoute, title: "Needs nothing", run: func(context.Context, *examination) found { return found{} }}
	x := newExamination(Target{Name: "x"}, Options{})
	got := runAll(t.Context(), x, []check{broken, after, beside})
	for n, want := range []Outcome{Crash, Skip, Pass} {
		if got[n].Outcome != want {
			t.Errorf("%s: %s, want %s", got[n].ID, got[n].Outcome, want)
		}
	}
}

func TestResolve(t *testing.T) {
	for name, want := range map[string]Outcome{"127.0.0.1": Pass, "localhost": Pass, "name.invalid": Fail} {
		r := Examine(t.Context(), Target{Name: name}, Options{Only: []string{"resolve"}})
		if len(r.Checks) != 1 || r.Checks[0].Outcome != want {
			t.Errorf("%s: %+v, want %s", name, r.Checks, want)
		}
	}
}

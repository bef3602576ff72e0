package dcomcnfg_test

import (
	"math/rand/v2"
	"testing"

	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
)

// Whatever is ticked on a page in whatever order, a caller may what one of its names is
// allowed and none is denied: the model are the ticks themselves.
func TestTicks(t *testing.T) {
	d := tool(t, nil)
	random := rand.New(rand.NewPCG(1, 2))
	if err := d.Set(settings.LaunchLimit, "O:BAG:BAD:"); err != nil {
		t.Fatal(err)
	}
	if err := d.Set(settings.WMILaunch, "O:BAG:BAD:(A;;CC;;;WD)"); err != nil {
		t.Fatal(err)
	}
	people := []string{"alice", "crew", "Everyone"}
	rights := []string{"remote-launch", "remote-activation"}
	ticks := map[[2]string]int{} // 1 allowed, -1 denied
	token := &security.Token{User: alice, Groups: []security.GroupEntry{{SID: crew}, {SID: security.SIDEveryone}}}
	came := 0
	for n := range 150 {
		who, right := people[random.IntN(len(people))], rights[random.IntN(len(rights))]
		at := [2]string{who, right}
		switch random.IntN(4) {
		case 0, 1:
			if err := d.Grant(settings.LaunchLimit, who, right); err != nil {
				t.Fatal(err)
			}
			ticks[at] = 1
		case 2:
			if err := d.Deny(settings.LaunchLimit, who, right); err != nil {
				t.Fatal(err)
			}
			ticks[at] = -1
		case 3:
			if err := d.Revoke(settings.LaunchLimit, who, right); (err == nil) != (ticks[at] != 0) {
				t.Fatalf("step %d: %v is taken where the tick was %d: %v", n, at, ticks[at], err)
			}
			delete(ticks, at)
		}
		want := true
		for _, right := range rights {
			allowed, denied := false, false
			for _, who := range people {
				allowed = allowed || ticks[[2]string{who, right}] == 1
				denied = denied || ticks[[2]string{who, right}] == -1
			}
			want = want && allowed && !denied
		}
		now, bad := settings.LoadDCOM(d.Hive.Snapshot())
		if len(bad) != 0 {
			t.Fatalf("step %d: %v", n, bad)
		}
		if err := now.CheckActivation(token); (err == nil) != want {
			t.Fatalf("step %d: ticks %v, want %v: %v\n%s", n, ticks, want, err, stored(t, d, ole, "MachineLaunchRestriction"))
		}
		if want {
			came++
		}
	}
	if came < 10 || came > 140 {
		t.Errorf("the activation was permitted %d times of 150", came)
	}
}

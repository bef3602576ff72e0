package fleetbench

import (
	"testing"

	"github.com/casementhq/casement/internal/fleetsim"
)

// Hosts that answer garbage, answer without end, or list instances without end
// spoil their own rows of a pool: the others are whole, and memory stays bounded.
func TestHostileHostsSpoilTheirOwnRows(t *testing.T) {
	fleet := spawn(t, fleetsim.Options{Hosts: 20, Garbage: 0.05, Endless: 0.05, Flooding: 0.05})
	c := start(t, "pool", targetOf(fleet))
	r := c.poll() // fails where a row is not what its host deserves
	t.Logf("the 17 healthy ones were asked after %s, all after %s, for %s of processor time", r.Alive, r.Took, r.CPU)
	u := c.usage()
	t.Logf("%d MB are resident", u.RSS>>20)
	if u.RSS > 300<<20 {
		t.Error("that is too much")
	}
}

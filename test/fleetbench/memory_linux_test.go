package fleetbench

import (
	"testing"

	"github.com/casementhq/casement/internal/fleetsim"
)

// A host whose connection rests has no goroutine and little memory, also where
// its answers were typed by a class that all hosts have.
func TestIdleHostsCostLittle(t *testing.T) {
	const hosts = 150
	for _, v := range []struct {
		client string
		tls    bool
		most   float64 // kB of heap for each
	}{{"casement", false, 20}, {"casement", true, 32}, {"shared", false, 28}} {
		fleet := spawn(t, fleetsim.Options{Hosts: hosts, TLS: v.tls})
		c := start(t, v.client, targetOf(fleet))
		before := c.usage()
		c.poll()
		after := c.usage()
		heap := (float64(after.Heap) - float64(before.Heap)) / hosts / 1e3
		if heap > v.most || after.Goroutines-before.Goroutines > hosts/20 {
			t.Errorf("%s, TLS %v: %.1f kB of heap for each host, at most %v; goroutines %d, before %d", v.client, v.tls, heap, v.most, after.Goroutines, before.Goroutines)
		}
	}
}

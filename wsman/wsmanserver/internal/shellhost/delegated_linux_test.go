package shellhost

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/secondhop"
)

// What a caller handed over ends with the shell, however that ends: deleted, at the end of its life, unused, or with
// the service.
func TestDelegatedEndsWithTheShell(t *testing.T) {
	for name, end := range map[string]struct {
		spec Spec
		idle time.Duration
		do   func(h *Host, s *Shell)
	}{
		"deleted":  {Spec{}, time.Hour, func(_ *Host, s *Shell) { s.Delete() }},
		"lifetime": {Spec{Lifetime: 20 * time.Millisecond}, time.Hour, func(*Host, *Shell) {}},
		"unused":   {Spec{}, 20 * time.Millisecond, func(*Host, *Shell) {}},
		"service":  {Spec{}, time.Hour, func(h *Host, _ *Shell) { h.Close() }},
	} {
		h, _ := table(end.idle)
		served, err := secondhop.Serve(&auth.Delegation{Credentials: auth.Credentials{Username: "bob", Password: "secret"}}, uint32(os.Getuid()))
		if err != nil {
			t.Fatal(err)
		}
		end.spec.Delegated = served
		s, err := h.Create(owner, end.spec)
		if err != nil {
			t.Fatal(err)
		}
		end.do(h, s)
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			c, err := net.Dial("unix", served.Name())
			if err != nil {
				break
			}
			c.Close()
			if time.Now().After(deadline) {
				t.Fatalf("%s: the credentials are still served", name)
			}
		}
		h.Close()
	}
}

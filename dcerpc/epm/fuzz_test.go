package epm

import (
	"testing"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/ndr"
)

// A tower of any octets is refused or read, and what a server answers to Map and Lookup is too.
func FuzzTower(f *testing.F) {
	f.Add(Tower{Interface: ID, Transfer: dcerpc.NDR20, Protocol: "ncacn_ip_tcp", Endpoint: "135", Address: "127.0.0.1"}.encode(), false)
	e := ndr.NewEncoder(nil, ndr.Format{})
	dcerpc.ContextHandle{}.MarshalNDR(e)
	e.Uint32(1)
	e.Count(100)
	e.Count(0)
	e.Count(1)
	e.Pointer(true)
	writeTower(e, Tower{Interface: ID, Protocol: "ncacn_ip_tcp", Endpoint: "1"}.encode())
	e.Uint32(0)
	f.Add(e.Stub(), false)
	f.Fuzz(func(t *testing.T, b []byte, wide bool) {
		if tower, err := decodeTower(b); err == nil && tower.Protocol == "ncacn_ip_tcp" {
			again, err := decodeTower(tower.encode())
			if err != nil || again.Port() != tower.Port() || again.Interface != tower.Interface {
				t.Fatalf("%v comes back as %v, %v", tower, again, err)
			}
		}
		format := ndr.Format{Wide: wide}
		var m mapOut
		m.UnmarshalNDR(ndr.NewDecoder(b, format))
		var l lookupOut
		l.UnmarshalNDR(ndr.NewDecoder(b, format))
		if len(m.towers) > len(b) || len(l.entries) > maxEntries {
			t.Fatalf("%d towers and %d entries out of %d octets", len(m.towers), len(l.entries), len(b))
		}
	})
}

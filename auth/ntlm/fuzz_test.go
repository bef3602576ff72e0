package ntlm

import (
	"testing"
)

func FuzzNegotiate(f *testing.F) {
	f.Add((&negotiate{flags: initiatorFlags}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		_, a := pair("")
		_, done, err := a.Step(t.Context(), b)
		if done || (err == nil && a.challenge == nil) {
			t.Fatal("a NEGOTIATE alone finished the exchange")
		}
	})
}

func FuzzChallenge(f *testing.F) {
	f.Add(unhex(f, vectorChallenge))
	f.Fuzz(func(t *testing.T, b []byte) {
		i, _ := pair("x")
		if _, _, err := i.Step(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		out, done, err := i.Step(t.Context(), b)
		if err != nil {
			return
		}
		var m authenticate
		if err := m.decode(out); !done || err != nil {
			t.Fatalf("own answer is not readable: %v", err)
		}
	})
}

func FuzzAuthenticate(f *testing.F) {
	f.Add(unhex(f, vectorAuthenticate))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, a := pair("x")
		a.negotiate, a.flags = []byte{}, vectorFlags
		if _, done, _ := a.Step(t.Context(), b); done {
			t.Fatal("no password was known")
		}
		var m authenticate
		if m.decode(b) != nil {
			return
		}
		var c clientChallenge
		if len(m.ntResponse) < 16 || c.decode(m.ntResponse[16:]) != nil {
			return
		}
		var again clientChallenge
		if err := again.decode(c.encode()); err != nil {
			t.Fatal(err)
		}
	})
}

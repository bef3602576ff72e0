package security

import (
	"bytes"
	"errors"
	"testing"
)

func FuzzSID(f *testing.F) {
	f.Add([]byte("S-1-5-32-544"))
	f.Add([]byte("S-1-0x0123456789AB-1"))
	f.Add(SIDAdministrators.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseSID(string(b)); err == nil {
			if back, err := ParseSID(s.String()); err != nil || back != s {
				t.Fatalf("text %q: %v, %v", b, back, err)
			}
		}
		if s, n, err := DecodeSID(b); err == nil {
			if !bytes.Equal(s.Bytes(), b[:n]) {
				t.Fatalf("binary %x became %x", b[:n], s.Bytes())
			}
			if back, err := ParseSID(s.String()); s.count > 0 && (err != nil || back != s) {
				t.Fatalf("%s: %v, %v", s, back, err)
			}
		}
	})
}

func FuzzSDDL(f *testing.F) {
	f.Add(exampleSDDL)
	f.Add("O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)")
	f.Add("D:PARAINO_ACCESS_CONTROLS:(OU;SAFA;WP;;bf967aba-0de6-11d0-a285-00aa003049e2;WD)")
	f.Add("D:(XA;;FX;;;WD;#6172747800000000)(ML;;NWNR;;;HI)")
	f.Add(`D:(XA;;FX;;;WD;((@User.a%0020b==-1 || !Exists c) && (d Any_of{"x",#00,SID(BA)})))`)
	f.Fuzz(func(t *testing.T, text string) {
		sd, err := ParseSDDL(text)
		if err != nil {
			if !errors.Is(err, ErrBadDescriptor) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		printed, err := sd.SDDL(Domains{})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		back, err := ParseSDDL(printed)
		if err != nil {
			t.Fatalf("%q printed %q: %v", text, printed, err)
		}
		a, errA := sd.Bytes()
		b, errB := back.Bytes()
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Fatalf("%q printed %q\n%x %v\n%x %v", text, printed, a, errA, b, errB)
		}
	})
}

func FuzzSecurityDescriptor(f *testing.F) {
	f.Add(exampleBytes(f))
	for _, text := range []string{"O:SYD:(XA;;FX;;;WD;(a == {1,\"x\"} || !Member_of{SID(BA)}))", "S:(OU;SAFA;WP;;bf967aba-0de6-11d0-a285-00aa003049e2;WD)"} {
		sd, err := ParseSDDL(text)
		if err != nil {
			f.Fatal(err)
		}
		b, _ := sd.Bytes()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sd, err := DecodeSecurityDescriptor(b)
		if err != nil {
			if !errors.Is(err, ErrBadDescriptor) {
				t.Fatal(err)
			}
			return
		}
		_ = sd.String()
		_, _ = AccessCheck(sd, &Token{User: SIDLocalSystem}, MaximumAllowed, FileMapping)
		one, err := sd.Bytes()
		if err != nil {
			t.Fatalf("%x decoded, but: %v", b, err)
		}
		back, err := DecodeSecurityDescriptor(one)
		if err != nil {
			t.Fatalf("%x: %v", one, err)
		}
		if two, err := back.Bytes(); err != nil || !bytes.Equal(one, two) {
			t.Fatalf("%x became %x (%v)", one, two, err)
		}
	})
}

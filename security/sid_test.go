package security

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestSIDTextAndBinary(t *testing.T) {
	for _, c := range []struct{ text, hex string }{
		{"S-1-5-32-544", "01020000000000052000000020020000"}, // [MS-DTYP] 2.5.1.4
		{"S-1-1-0", "010100000000000100000000"},              // the same example
		{"S-1-5-18", "010100000000000512000000"},             // the same example
		{"S-1-5-21-1-2-3-513", "010500000000000515000000010000000200000003000000" + "01020000"},
		{"S-1-0x0123456789AB-4294967295", "01010123456789abffffffff"},
	} {
		s, err := ParseSID(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		want, _ := hex.DecodeString(c.hex)
		if !bytes.Equal(s.Bytes(), want) || s.Size() != len(want) || s.String() != c.text {
			t.Errorf("%s: got %x, %s", c.text, s.Bytes(), s)
		}
		back, n, err := DecodeSID(append(want, 0xEE))
		if err != nil || back != s || n != len(want) {
			t.Errorf("%s: decoded %v, %d, %v", c.text, back, n, err)
		}
	}
}

func TestSIDRefused(t *testing.T) {
	for _, text := range []string{"", "S-1-", "S-2-5-18", "S-1-5-", "S-1-5--1", "S-1-5-4294967296", "S-1-5-01", "S-1-05-1",
		"S-1-4294967296-1", "S-1-0x1000000000000-1", "S-1-5-+1", "S-1-5-1 ", "BA",
		"S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16"} {
		if s, err := ParseSID(text); !errors.Is(err, ErrBadSID) {
			t.Errorf("%q gave %v, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "0101", "020100000000000512000000", "0110000000000005" + strings.Repeat("00", 64), "0102000000000005200000"} {
		b, _ := hex.DecodeString(text)
		if s, _, err := DecodeSID(b); !errors.Is(err, ErrBadSID) {
			t.Errorf("%s gave %v, %v", text, s, err)
		}
	}
}

// The aliases of [MS-DTYP] 2.5.1.1 with the values of 2.4.2.4, typed from there; D, R and M stand for the SIDs of
// domain, root domain and machine.
const aliasTable = `DA D-512 DG D-514 DU D-513 ED S-1-5-9 DD D-516 DC D-515 BA S-1-5-32-544 BG S-1-5-32-546
BU S-1-5-32-545 LA M-500 LG M-501 AO S-1-5-32-548 BO S-1-5-32-551 PO S-1-5-32-550 SO S-1-5-32-549 AU S-1-5-11
PS S-1-5-10 CO S-1-3-0 CG S-1-3-1 SY S-1-5-18 PU S-1-5-32-547 WD S-1-1-0 RE S-1-5-32-552 IU S-1-5-4 NU S-1-5-2
SU S-1-5-6 RC S-1-5-12 WR S-1-5-33 AN S-1-5-7 SA R-518 CA D-517 RS D-553 EA R-519 PA D-520 RU S-1-5-32-554
LS S-1-5-19 NS S-1-5-20 RD S-1-5-32-555 NO S-1-5-32-556 MU S-1-5-32-558 LU S-1-5-32-559 IS S-1-5-32-568
CY S-1-5-32-569 OW S-1-3-4 ER S-1-5-32-573 RO R-498 CD S-1-5-32-574 AC S-1-15-2-1 RA S-1-5-32-575
ES S-1-5-32-576 MS S-1-5-32-577 UD S-1-5-84-0-0-0-0-0 HA S-1-5-32-578 CN D-522 AA S-1-5-32-579 RM S-1-5-32-580
LW S-1-16-4096 ME S-1-16-8192 MP S-1-16-8448 HI S-1-16-12288 SI S-1-16-16384`

func TestSIDAliases(t *testing.T) {
	parse := func(text string) SID {
		s, err := ParseSID(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	d := Domains{Domain: parse("S-1-5-21-1-2-3"), Root: parse("S-1-5-21-4-5-6"), Machine: parse("S-1-5-21-7-8-9")}
	words := strings.Fields(strings.NewReplacer("D-", d.Domain.String()+"-", "R-", d.Root.String()+"-", "M-", d.Machine.String()+"-").Replace(aliasTable))
	if len(words) != 2*61 {
		t.Fatalf("%d words in the table", len(words))
	}
	for i := 0; i < len(words); i += 2 {
		s, err := ParseSIDAlias(words[i], d)
		if err != nil || s.String() != words[i+1] {
			t.Errorf("%s is %s (%v), want %s", words[i], s, err, words[i+1])
		}
		if got := s.Alias(d); got != words[i] {
			t.Errorf("%s is printed %q, want %s", s, got, words[i])
		}
	}
	if s, err := ParseSIDAlias("DA", Domains{}); !errors.Is(err, ErrBadSID) {
		t.Errorf("DA without a domain gave %v, %v", s, err)
	}
	if s, err := ParseSIDAlias("ZZ", d); !errors.Is(err, ErrBadSID) {
		t.Errorf("ZZ gave %v, %v", s, err)
	}
}

func TestSIDValue(t *testing.T) {
	a, _ := ParseSID("S-1-5-21-1-2-3-500")
	b, _ := NewSID(5, 21, 1, 2, 3, 500)
	if a != b || !a.Equal(b) || a.Domain().WithRID(500) != a || a.RID() != 500 || a.Domain() == a {
		t.Error("equal SIDs differ")
	}
	if !(SID{}).IsZero() || SIDNull.IsZero() || (SID{}) == SIDNull || (SID{}).Size() != 0 {
		t.Error("the zero SID is not apart")
	}
	var back struct{ A, Empty SID }
	j, err := json.Marshal(struct{ A, Empty SID }{A: a})
	if err != nil || json.Unmarshal(j, &back) != nil || back.A != a || !back.Empty.IsZero() {
		t.Errorf("JSON %s %v", j, err)
	}
	if s, ok := WellKnownSID(`builtin\administrators`); !ok || s != SIDAdministrators {
		t.Error("BUILTIN\\Administrators is not known")
	}
	if domain, name, ok := WellKnownName(SIDNetwork); !ok || domain != "NT AUTHORITY" || name != "NETWORK" {
		t.Error("NETWORK is not known")
	}
}

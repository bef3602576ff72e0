package security

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// The example of [MS-DTYP] 2.5.1.4: text and its self-relative encoding.
const (
	exampleSDDL = "O:BAG:BAD:P(A;CIOI;GRGX;;;BU)(A;CIOI;GA;;;BA)(A;CIOI;GA;;;SY)(A;CIOI;GA;;;CO)S:P(AU;FA;GR;;;WD)"
	exampleHex  = `010014b090000000a000000014000000 3000000002001c000100000002801400
		00000080010100000000000100000000 02006000040000000003180000000 0a0
		01020000000000052000000021020000 00031800000000100102000000000005
		20000000200200000003140000000010 01010000000000051200000000031400
		00000010010100000000000300000000 01020000000000052000000020020000
		01020000000000052000000020020000`
)

func exampleBytes(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(exampleHex), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSDDLSpecificationExample(t *testing.T) {
	want := exampleBytes(t)
	sd, err := ParseSDDL(exampleSDDL)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sd.Bytes()
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("encoded %x (%v)\nwant    %x", got, err, want)
	}
	back, err := DecodeSecurityDescriptor(want)
	if err != nil {
		t.Fatal(err)
	}
	// Windows prints the inheritance flags as OICI and rights from the lowest bit up; the meaning is the same.
	printed := "O:BAG:BAD:P(A;OICI;GXGR;;;BU)(A;OICI;GA;;;BA)(A;OICI;GA;;;SY)(A;OICI;GA;;;CO)S:P(AU;FA;GR;;;WD)"
	if s := back.String(); s != printed {
		t.Errorf("printed %s\nwant    %s", s, printed)
	}
}

func TestSDDLRoundTrip(t *testing.T) {
	for _, text := range []string{
		"O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)",
		"O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;ER)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)",
		"O:NSG:BAD:P(A;;GA;;;BA)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)",
		"O:BAG:BAD:AR(A;OICINPIOID;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;S-1-5-21-1-2-3-1000)",
		"D:PAI(A;;FA;;;SY)(A;;0x1200a9;;;BU)(D;;KR;;;AN)(A;;KW;;;RM)",
		"D:NO_ACCESS_CONTROL", "D:", "D:PS:", "O:S-1-5-32-12345", "",
		"D:(OA;CIID;RPWP;bf967950-0de6-11d0-a285-00aa003049e2;bf967a86-0de6-11d0-a285-00aa003049e2;CO)",
		"S:(ML;;NWNR;;;HI)(SP;;;;;S-1-17-22)(OU;SAFA;WP;;bf967aba-0de6-11d0-a285-00aa003049e2;WD)",
		"D:(XA;;FX;;;WD;#6172747800000000)",
	} {
		sd, err := ParseSDDL(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := sd.String(); got != text {
			t.Errorf("printed %s\nwant    %s", got, text)
		}
		b, err := sd.Bytes()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		back, err := DecodeSecurityDescriptor(b)
		if err != nil || back.String() != text {
			t.Errorf("through binary: %v %v\nwant %s", back, err, text)
		}
	}
}

func TestSDDLRefused(t *testing.T) {
	for _, text := range []string{
		"X:BA", "O:", "O:ZZ", "O:BAO:BA", "D:(A;;GA;;;BA", "D:(A;;GA;;BA)", "D:(Q;;GA;;;BA)", "D:(A;QQ;GA;;;BA)",
		"D:(A;;G;;;BA)", "D:(A;;ZZ;;;BA)", "D:(A;;0x1FFFFFFFF;;;BA)", "D:(A;;0b1;;;BA)", "D:(A;;1_0;;;BA)",
		"D:(A;;GA;bf967950-0de6-11d0-a285-00aa003049e2;;BA)", "D:(OA;;GA;bf967950;;BA)", "D:(A;;GA;;;)", "D:(A;;GA;;;DA)",
		"D:(A;;GA;;;BA)x", "D:NO_ACCESS_CONTROL(A;;GA;;;BA)", "D:(A;;GA;;;BA;(Title==\"VP\"))", "D:(A;;GA;;;BA;#00)",
		"D:" + strings.Repeat("(A;;GA;;;BA)", 4000), strings.Repeat(" ", MaxSDDLLength+1),
	} {
		if sd, err := ParseSDDL(text); !errors.Is(err, ErrBadDescriptor) {
			t.Errorf("%.60s gave %.60v, %v", text, sd, err)
		}
	}
}

func TestSDDLReadsOtherSpellings(t *testing.T) {
	for text, want := range map[string]string{
		" D:P (a;ciOI;gr;;;bu) (A;;0x80000000;;;BU)\n": "D:P(A;OICI;GR;;;BU)(A;;GR;;;BU)",
		"S:(AU;FA;GA;;;WD)D:(A;;010;;;BA)G:SYO:BA":     "O:BAG:SYD:(A;;SW;;;BA)S:(AU;FA;GA;;;WD)",
		"D:(A;;131097;;;S-1-5-32-544)":                 "D:(A;;KR;;;BA)",
	} {
		sd, err := ParseSDDL(text)
		if err != nil || sd.String() != want {
			t.Errorf("%s: %v, %v", text, sd, err)
		}
	}
}

func TestDescriptorRefused(t *testing.T) {
	good := exampleBytes(t)
	for _, c := range []struct {
		what string
		at   int
		to   byte
	}{
		{"revision", 0, 2}, {"not self-relative", 3, 0x30}, {"owner offset", 5, 0xFF}, {"owner inside the header", 4, 4},
		{"list revision", 0x30, 9}, {"list size", 0x33, 0xFF}, {"entry count", 0x35, 0x10}, {"entry size odd", 0x3a, 0x17},
		{"entry size zero", 0x3a, 0}, {"SID count", 0x41, 16}, {"SID past its entry", 0x41, 3}, {"SID revision", 0x90, 0},
	} {
		b := bytes.Clone(good)
		b[c.at] = c.to
		if sd, err := DecodeSecurityDescriptor(b); !errors.Is(err, ErrBadDescriptor) {
			t.Errorf("%s: %v, %v", c.what, sd, err)
		}
	}
	for n := range good {
		if _, err := DecodeSecurityDescriptor(good[:n]); err == nil {
			t.Errorf("cut to %d bytes it is still read", n)
		}
	}
}

func TestUnknownEntriesAreKept(t *testing.T) {
	sd := &SecurityDescriptor{DACL: &ACL{ACEs: []ACE{{Type: 0x40, Data: []byte{1, 2, 3, 4}}, {Mask: GenericRead, SID: SIDUsers}}}}
	b, err := sd.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeSecurityDescriptor(b)
	if err != nil || len(back.DACL.ACEs) != 2 || !bytes.Equal(back.DACL.ACEs[0].Data, []byte{1, 2, 3, 4}) {
		t.Fatalf("%+v, %v", back, err)
	}
	if _, err := back.SDDL(Domains{}); !errors.Is(err, ErrBadDescriptor) {
		t.Errorf("printed: %v", err)
	}
}

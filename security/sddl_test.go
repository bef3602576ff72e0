package security

import (
	"bytes"
	"encoding/hex"
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

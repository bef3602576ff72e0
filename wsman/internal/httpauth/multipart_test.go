package httpauth

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
)

// As [MS-WSMV] 2.2.9.1.1 describes it and Windows writes it.
const golden = "--Encrypted Boundary\r\n" +
	"\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n" +
	"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=3\r\n" +
	"--Encrypted Boundary\r\n" +
	"\tContent-Type: application/octet-stream\r\n" +
	"\x10\x00\x00\x000123456789abcdefxyz" +
	"--Encrypted Boundary--\r\n"

func TestGolden(t *testing.T) {
	part := Part{Type: "application/soap+xml;charset=UTF-8", Length: 3, Field: 16, Data: []byte("0123456789abcdefxyz")}
	if got := EncodeParts(ProtocolSPNEGO, []Part{part}); string(got) != golden {
		t.Errorf("got %q", got)
	}
	for _, body := range []string{golden, strings.ReplaceAll(golden, "--Enc", "-- Enc"), strings.TrimSuffix(golden, "\r\n"),
		strings.ReplaceAll(golden, "\t", "    ")} {
		parts, err := DecodeParts(ProtocolSPNEGO, []byte(body), 3)
		if err != nil || len(parts) != 1 {
			t.Fatal(err, body)
		}
		got := parts[0]
		if got.Type != part.Type || got.Length != 3 || got.Field != 16 || !bytes.Equal(got.Data, part.Data) {
			t.Errorf("decoded %+v", got)
		}
	}
	if got := ContentType(ProtocolKerberos, false); got !=
		`multipart/encrypted;protocol="application/HTTP-Kerberos-session-encrypted";boundary="Encrypted Boundary"` {
		t.Error(got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"empty":          "",
		"no boundary":    golden[10:],
		"no end":         golden[:len(golden)-20],
		"other protocol": strings.Replace(golden, "SPNEGO", "CredSSP", 1),
		"negative":       strings.Replace(golden, "Length=3", "Length=-3", 1),
		"huge":           strings.Replace(golden, "Length=3", "Length=99999999999", 1),
		"no length":      strings.Replace(golden, ";Length=3", "", 1),
		"blank line":     strings.Replace(golden, "stream\r\n", "stream\r\n\r\n", 1)[:len(golden)-30],
		"long line":      strings.Replace(golden, "type=", "type="+strings.Repeat("x", 600), 1),
	} {
		if _, err := DecodeParts(ProtocolSPNEGO, []byte(body), 100); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodeParts(ProtocolSPNEGO, []byte(golden), 2); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestParseContentType(t *testing.T) {
	for in, want := range map[string]struct {
		p      Protocol
		sealed bool
		bad    bool
	}{
		ContentType(ProtocolSPNEGO, false): {ProtocolSPNEGO, true, false},
		ContentType(ProtocolCredSSP, true): {ProtocolCredSSP, true, false},
		`multipart/encrypted; protocol="application/HTTP-Kerberos-session-encrypted"; boundary="Encrypted Boundary"`: {ProtocolKerberos, true, false},
		"application/soap+xml;charset=UTF-8": {"", false, false},
		"":                                   {"", false, false},
		`multipart/encrypted;protocol="x";boundary="Encrypted Boundary"`:                                         {"", true, true},
		`multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted"`:                               {"", true, true},
		`multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted;boundary="x"`:                   {"", false, true},
		`multipart/form-data;boundary="Encrypted Boundary"`:                                                      {"", false, false},
		`Multipart/Encrypted;Protocol="application/http-spnego-session-encrypted";boundary="Encrypted Boundary"`: {ProtocolSPNEGO, true, false},
	} {
		p, sealed, err := ParseContentType(in)
		if p != want.p || sealed != want.sealed || (err != nil) != want.bad {
			t.Errorf("%q: %q %v %v", in, p, sealed, err)
		}
	}
}

// mirror seals by inversion and a one-byte checksum; as a RecordContext it adds a trailer.
type mirror struct{ auth.Context }

func (mirror) SealRecord(dst, plain []byte) ([]byte, int, error) {
	for _, b := range plain {
		dst = append(dst, ^b)
	}
	return append(dst, 0xca, 0xfe), 2, nil
}

func (mirror) UnsealRecord(record []byte) ([]byte, error) {
	body, ok := bytes.CutSuffix(record, []byte{0xca, 0xfe})
	if !ok {
		return nil, auth.ErrMessageAltered
	}
	plain, _, err := mirror{}.SealRecord(nil, body)
	return plain[:len(body)], err
}

func TestRecords(t *testing.T) {
	for size, parts := range map[int]int{0: 1, 5: 1, recordSize: 1, recordSize + 1: 2, 5*recordSize - 1: 5} {
		plain := bytes.Repeat([]byte("casement"), size/8+1)[:size]
		header, body, err := Seal(mirror{}, ProtocolCredSSP, "application/soap+xml; charset=UTF-8", plain)
		if err != nil {
			t.Fatal(err)
		}
		if want := ContentType(ProtocolCredSSP, parts > 1); header != want {
			t.Errorf("%d bytes: %s", size, header)
		}
		if got, err := DecodeParts(ProtocolCredSSP, body, size); err != nil || len(got) != parts {
			t.Errorf("%d bytes: %d parts, %v", size, len(got), err)
		}
		contentType, got, err := Unseal(mirror{}, ProtocolCredSSP, body, size)
		if err != nil || !bytes.Equal(got, plain) || contentType != soapMediaType {
			t.Errorf("%d bytes: %v, type %s", size, err, contentType)
		}
	}
}

func FuzzMultipart(f *testing.F) {
	f.Add([]byte(golden), false)
	_, body, _ := Seal(mirror{}, ProtocolCredSSP, soapMediaType, make([]byte, recordSize+1))
	f.Add(body[:200], true)
	f.Add(body, true)
	f.Fuzz(func(t *testing.T, body []byte, multi bool) {
		p := ProtocolSPNEGO
		if multi {
			p = ProtocolCredSSP
		}
		parts, err := DecodeParts(p, body, 1<<20)
		if err != nil {
			return
		}
		again, err := DecodeParts(p, EncodeParts(p, parts), 1<<20)
		if err != nil || len(again) != len(parts) {
			t.Fatalf("own encoding: %d parts of %d, %v", len(again), len(parts), err)
		}
	})
}

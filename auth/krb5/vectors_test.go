package krb5

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/casementhq/casement/auth"
)

// The example of [MS-KILE] 4.5: GSS_WrapEx with RC4, byte for byte, sealed and opened.
func TestVectorRC4(t *testing.T) {
	key := unhex(t, "81a2cb90af7fc2d19554a150d8185359")
	const sequence = 0x60cbacd3
	plain := append(unhex(t, "112233445566778899aabbccddeeff"), 0) // the 0 is room for padding
	sealed := unhex(t, "8ed63f0ac83815335b72e293bae1f660")
	signature := unhex(t, "603b06092a864886f712010202020111001000ffffe29e8bbc6348e740ebaa619244a156a13b5cf65e3c21b9aa")
	r := newRC4(key, true, false)
	r.random = bytes.NewReader(unhex(t, "5256f3fb630cf12a"))
	data := bytes.Clone(plain)
	got, err := r.seal([]auth.Buffer{{Data: data}}, sequence)
	if err != nil || !bytes.Equal(got, signature) || !bytes.Equal(data, sealed) {
		t.Errorf("%v\n% x\n% x", err, got, data)
	}
	if err := newRC4(key, true, false).unseal([]auth.Buffer{{Data: data}}, signature, sequence); err != nil || !bytes.Equal(data, plain) {
		t.Errorf("%v: % x", err, data)
	}
	if _, err := r.seal([]auth.Buffer{{Data: []byte("<xml/>")}}, sequence); !errors.Is(err, errPadding) {
		t.Error("a message without room for padding:", err)
	}
}

// The example of [MS-KILE] 4.4: the key of a password that is not valid Unicode, which Windows gives to machines.
func TestVectorKey(t *testing.T) {
	et, err := crypto.GetEtype(etypeID.AES128_CTS_HMAC_SHA1_96)
	if err != nil {
		t.Fatal(err)
	}
	got, err := et.StringToKey(strings.Repeat("\uffff", 120), "DOMAIN.COMhostclient.domain.com", "000003e8")
	if err != nil || !bytes.Equal(got, unhex(t, "b82ee122531c2d94821ac755bccb5879")) {
		t.Errorf("%v: % x", err, got)
	}
}

// The layout of [MS-KILE] 4.3: header, filler, encrypted header, checksum and confounder before the data; what is only signed stays in its
// place; and the header says so. Sizes are those that Windows announces for a session: 60 over HTTP, 76 over RPC.
func TestLayout(t *testing.T) {
	key := types.EncryptionKey{KeyType: etypeID.AES128_CTS_HMAC_SHA1_96, KeyValue: bytes.Repeat([]byte{7}, 16)}
	for _, tt := range []struct {
		dce    bool
		header string
		size   int
	}{
		{false, "0504 06 ff 0000 001c 0000000012345678", 60},
		{true, "0504 06 ff 0010 001c 0000000012345678", 76},
	} {
		c, err := newCFX(key, true, true, tt.dce)
		if err != nil {
			t.Fatal(err)
		}
		c.random = bytes.NewReader(make([]byte, 16))
		bufs := []auth.Buffer{{Data: []byte("sign1"), SignOnly: true}, {Data: []byte("enc1, and more than a block of it")}, {Data: []byte("enc2")}, {Data: []byte("sign2"), SignOnly: true}}
		token, err := c.seal(bufs, 0x12345678)
		if err != nil || len(token) != tt.size || !bytes.Equal(token[:16], unhex(t, strings.ReplaceAll(tt.header, " ", ""))) {
			t.Errorf("%v: %d bytes, % x", err, len(token), token)
		}
		// The parts in the order of [RFC3961] open with gokrb5's own function, where nothing is signed that is not encrypted.
		for i := range bufs {
			bufs[i].SignOnly = false
		}
		c.random = bytes.NewReader(make([]byte, 16))
		if token, err = c.seal(bufs, 0x12345678); err != nil {
			t.Fatal(err)
		}
		extra := c.extra()
		message := append(bytes.Clone(token[len(token)-16:]), flat(bufs)...)
		message = append(message, token[16:16+extra+16+12]...)
		plain, err := crypto.DecryptMessage(message, key, usageInitiatorSeal)
		if err != nil {
			t.Fatal(err)
		}
		data := len(flat(bufs))
		filler, inner := plain[data:data+extra], plain[data+extra:]
		if want := append(append([]byte{}, token[:6]...), append([]byte{0, 0}, token[8:16]...)...); !bytes.Equal(inner, want) {
			t.Errorf("inner header % x, want % x", inner, want)
		}
		if !bytes.Equal(filler, bytes.Repeat([]byte{0xFF}, extra)) {
			t.Errorf("filler % x", filler)
		}
	}
}

// Peers rotate as they like. See [RFC4121] 4.2.5.
func TestRotations(t *testing.T) {
	each(t, func(t *testing.T, l *local, dce bool) {
		if l.etype == etypeID.RC4_HMAC || dce {
			return
		}
		client, server := l.pair(false)
		for rrc := range 200 {
			data := []byte("what is rotated by any number of bytes")
			token, err := client.Seal([]auth.Buffer{{Data: data}})
			if err != nil {
				t.Fatal(err)
			}
			own := int(token[6])<<8 | int(token[7])
			whole := append(bytes.Clone(token[16:]), data...)
			n := len(whole)
			turned := make([]byte, n)
			for i := range whole { // undo ours, do theirs
				turned[(i-own+rrc+2*n)%n] = whole[i]
			}
			header := append(bytes.Clone(token[:6]), byte(rrc>>8), byte(rrc))
			header = append(header, token[8:16]...)
			full := append(header, turned...)
			cut := server.SignatureSize()
			data = bytes.Clone(full[cut:])
			if err := server.Unseal([]auth.Buffer{{Data: data}}, full[:cut]); err != nil || string(data) != "what is rotated by any number of bytes" {
				t.Fatalf("%d: %v %q", rrc, err, data)
			}
		}
	})
}

// The messages have the lengths that a capture of Windows shows with AES256: the answer with a sub-key, the third leg without one, a MIC of 28
// octets and a header of 76 whose first eight are these.
func TestSizesOfWindows(t *testing.T) {
	key := types.EncryptionKey{KeyType: etypeID.AES256_CTS_HMAC_SHA1_96, KeyValue: bytes.Repeat([]byte{7}, 32)}
	for size, rep := range map[int]apRep{139: {subkey: &key, cusec: 5000}, 93: {cusec: 500000}} {
		rep.ctime, rep.seq = time.Unix(1700000000, 0), 0x1fd6bbd9
		msg, err := rep.seal(key)
		if err != nil || len(msg) != size {
			t.Errorf("%d octets, Windows has %d: %v", len(msg), size, err)
		}
	}
	c, err := newCFX(key, false, true, true)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := c.seal([]auth.Buffer{{Data: make([]byte, 64)}}, 0x1fd47790)
	signed, _ := c.sign([]auth.Buffer{{Data: make([]byte, 64)}}, 0x1fd79bf2)
	if len(sealed) != 76 || !bytes.Equal(sealed[:16], unhex(t, "050407ff0010001c000000001fd47790")) {
		t.Errorf("%d: % x", len(sealed), sealed[:16])
	}
	if len(signed) != 28 || !bytes.Equal(signed[:16], unhex(t, "040405ffffffffff000000001fd79bf2")) {
		t.Errorf("%d: % x", len(signed), signed[:16])
	}
}

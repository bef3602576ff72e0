package ntlm

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
)

// Values of [MS-NLMP] 4.2.1 and 4.2.4.
const (
	vectorChallenge = `4e544c4d53535000 02000000 0c000c00 38000000 33828ae2 0123456789abcdef
		0000000000000000 24002400 44000000 060070170000000f 530065007200760065007200
		02000c00 44006f006d00610069006e00 01000c00 530065007200760065007200 00000000`
	vectorAuthenticate = `4e544c4d53535000 03000000 18001800 6c000000 54005400 84000000 0c000c00
		48000000 08000800 54000000 10001000 5c000000 10001000 d8000000 358288e2 0501280a0000000f
		44006f006d00610069006e00 5500730065007200 43004f004d0050005500540045005200
		86c35097ac9cec102554764a57cccc19 aaaaaaaaaaaaaaaa 68cd0ab851e51c96aabc927bebef6a1c
		01010000 00000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000
		02000c00 44006f006d00610069006e00 01000c00 530065007200760065007200 00000000 00000000
		c5dad2544fc9799094ce1ce90bc9d03e`
	vectorTemp = `01010000 00000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000
		02000c00 44006f006d00610069006e00 01000c00 530065007200760065007200 00000000 00000000`
	vectorFlags = 0xe28a8233
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func same(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if !bytes.Equal(got, unhex(t, want)) {
		t.Errorf("%s\n got %x\nwant %s", what, got, want)
	}
}

func TestVectorKeys(t *testing.T) {
	server := [8]byte(unhex(t, "0123456789abcdef"))
	aa := [8]byte(bytes.Repeat([]byte{0xaa}, 8))
	key := ntowfv2(NTHash("Password"), "User", "Domain")
	same(t, "NTOWFv2", key, "0c868a403bfd7a93a3001ef22ef02e3f")

	client := clientChallenge{challenge: aa, pairs: avPairs{
		{avNbDomainName, utf16le("Domain")}, {avNbComputerName, utf16le("Server")}}}
	temp := client.encode()
	same(t, "temp", temp, vectorTemp)
	ntProof := proof(key, server, temp)
	same(t, "NTProofStr", ntProof, "68cd0ab851e51c96aabc927bebef6a1c")
	same(t, "LMv2", lmv2Response(key, server, aa), "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa")
	base := hmacMD5(key, ntProof)
	same(t, "session base key", base, "8de40ccadbc14a82f15cb0ad0de95ca3")
	random := bytes.Repeat([]byte{0x55}, 16)
	same(t, "encrypted session key", rc4Once(base, random), "c5dad2544fc9799094ce1ce90bc9d03e")
	same(t, "seal key", sealKey(vectorFlags, random, true), "59f600973cc4960a25480a7c196e4c58")
	same(t, "sign key", signKey(random, true), "4788dc861b4782f35d43fd98fe1a2d39")
}

// [MS-NLMP] 4.2.3: 4.2.3.4 has a sealing key without key exchange and without 128 bits.
func TestVectorWeakSeal(t *testing.T) {
	const flags = flag56 | flagESS | flagSign | flagSeal
	base := unhex(t, "eb93429a8bd952f8b89c55b87f475edc")
	same(t, "seal key", sealKey(flags, base, true), "04dd7f014d8504d265a25cc86a3a7c06")
	same(t, "sign key", signKey(base, true), "60e799be5c72fc92922ae8ebe961fb8d")
	s := newSession(auth.Identity{}, flags, base, true, false)
	data := utf16le("Plaintext")
	sig, err := s.Seal([]auth.Buffer{{Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "data", data, "a02372f6530273f3aa1eb90190ce5200c99d")
	same(t, "signature", sig, "01000000ff2aeb52f681793a00000000")
}

func TestVectorSeal(t *testing.T) {
	s := newSession(auth.Identity{}, vectorFlags, bytes.Repeat([]byte{0x55}, 16), true, false)
	data := utf16le("Plaintext")
	sig, err := s.Seal([]auth.Buffer{{Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "data", data, "54e50165bf1936dc996020c1811b0f06fb5f")
	same(t, "signature", sig, "010000007fb38ec5c55d497600000000")
}

func TestVectorChallenge(t *testing.T) {
	raw := unhex(t, vectorChallenge)
	var m challenge
	if err := m.decode(raw); err != nil {
		t.Fatal(err)
	}
	if m.flags != vectorFlags || m.targetName != "Server" || len(m.targetInfo) != 2 {
		t.Errorf("decoded %+v", m)
	}
	got, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	copy(raw[48:], version[:]) // the product is ours
	if !bytes.Equal(got, raw) {
		t.Errorf("encoded\n got %x\nwant %x", got, raw)
	}
}

// The recorded proof is judged by an acceptor that sent the recorded challenge.
func TestVectorAuthenticate(t *testing.T) {
	a := NewAcceptor(AcceptorOptions{Secrets: secretsOf("Domain", "User", "Password"), NetBIOSName: "Server"})
	a.negotiate = []byte{}
	a.nonce = [8]byte(unhex(t, "0123456789abcdef"))
	a.flags = vectorFlags
	if _, done, err := a.Step(t.Context(), unhex(t, vectorAuthenticate)); err != nil || !done {
		t.Fatal(done, err)
	}
	id := a.Context().Identity()
	if id.User != "User" || id.Domain != "Domain" || id.Workstation != "COMPUTER" || !id.Protected {
		t.Errorf("identity %+v", id)
	}
	same(t, "session key", a.Context().SessionKey(), "55555555555555555555555555555555")
	data := unhex(t, "54e50165bf1936dc996020c1811b0f06fb5f")
	if err := a.Context().Unseal([]auth.Buffer{{Data: data}}, unhex(t, "010000007fb38ec5c55d497600000000")); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, utf16le("Plaintext")) {
		t.Errorf("unsealed %x", data)
	}
}

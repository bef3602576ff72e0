package krb5

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/test/testdata"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/security"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sids(domain string, rids ...uint32) (out []string) {
	for _, r := range rids {
		out = append(out, fmt.Sprintf("%s-%d", domain, r))
	}
	return out
}

func texts(list []security.SID) (out []string) {
	for _, s := range list {
		out = append(out, s.String())
	}
	return out
}

// LOGON_INFO of real domain controllers: the example of [MS-PAC] 3, and one from a trusted domain with resource groups.
func TestLogonInfo(t *testing.T) {
	const ntdev, user = "S-1-5-21-397955417-626881126-188441444", "S-1-5-21-2284869408-3503417140-1141177250"
	got, err := readLogonInfo(unhex(t, testdata.MarshaledPAC_Kerb_Validation_Info_MS))
	if err != nil {
		t.Fatal(err)
	}
	want := sids(ntdev, 513, 3392609, 2999049, 3322974, 2931095, 3338539, 3354830, 3026599, 3338538, 2931096, 3392610, 3342740, 3392630,
		3014318, 2937394, 3278870, 3038018, 3322975, 3513546, 2966661, 3338434, 3271401, 3051245, 3271606, 3026603, 3018354)
	want = append(want, "S-1-5-21-773533881-1816936887-355810188-513")
	want = append(want, sids(ntdev, 3101812, 3291368, 3291341, 3322973, 3479105, 3271400, 3283393, 3338537, 3038991, 3037999, 3248111)...)
	if got.name != "lzhu" || got.domain != "NTDEV" || got.sid.String() != ntdev+"-2914711" || !slices.Equal(texts(got.groups)[:len(want)], want) {
		t.Errorf("%s %s %s\n%v\n%v", got.name, got.domain, got.sid, texts(got.groups), want)
	}
	if len(got.groups) != len(want)+1 { // the thirteenth of the extra SIDs is not in the list above
		t.Error(len(got.groups), "groups")
	}
	got, err = readLogonInfo(unhex(t, testdata.MarshaledPAC_Kerb_Validation_Info_Trust))
	if err != nil {
		t.Fatal(err)
	}
	want = append(sids(user, 513, 1110, 1109), "S-1-18-1")
	want = append(want, sids("S-1-5-21-3062750306-1230139592-1973306805", 1107, 1108)...)
	if got.name != "testuser1" || got.domain != "USER" || got.sid.String() != user+"-1106" || !slices.Equal(texts(got.groups), want) {
		t.Errorf("%s %s %s %v", got.name, got.domain, got.sid, texts(got.groups))
	}
}

// testPAC is a PAC of Active Directory for testuser1 with the key that it is signed with.
func testPAC(t testing.TB) (pac []byte, key types.EncryptionKey, authTime time.Time) {
	t.Helper()
	k, err := ParseKeytab(unhex(t, testdata.KEYTAB_SYSHTTP_TEST_GOKRB5))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range k.entries {
		if e.kvno == 2 && e.key.KeyType == etypeID.AES256_CTS_HMAC_SHA1_96 {
			key = e.key
		}
	}
	info := unhex(t, testdata.MarshaledPAC_Client_Info)
	authTime = time.Unix(int64(binary.LittleEndian.Uint64(info)/1e7)-11644473600, 0).UTC()
	return unhex(t, testdata.MarshaledPAC_AD_WIN2K_PAC), key, authTime
}

func testuser(name ...string) types.PrincipalName {
	return types.PrincipalName{NameType: 1, NameString: name}
}

// The server's signature with our key, and whose PAC it is. See [MS-PAC] 2.7 and 2.8.
func TestPACSignature(t *testing.T) {
	pac, key, authTime := testPAC(t)
	info, err := readPAC(pac, key, testuser("testuser1"), "TEST.GOKRB5", authTime)
	if err != nil || info.sid.String() != "S-1-5-21-3167651404-3865080224-2280184895-1105" {
		t.Fatal(info, err)
	}
	if _, err := readPAC(pac, keyOf(key), testuser("testuser1"), "TEST.GOKRB5", authTime); err == nil || !strings.Contains(err.Error(), "signature is wrong") {
		t.Error("another key:", err)
	}
	if _, err := readPAC(pac, key, testuser("testuser2"), "TEST.GOKRB5", authTime); err == nil || !strings.Contains(err.Error(), "another account") {
		t.Error("another client:", err)
	}
	if _, err := readPAC(pac, key, testuser("testuser1"), "TEST.GOKRB5", authTime.Add(time.Second)); err == nil || !strings.Contains(err.Error(), "another sign-in") {
		t.Error("another time:", err)
	}
	short := types.EncryptionKey{KeyType: etypeID.AES128_CTS_HMAC_SHA1_96, KeyValue: make([]byte, 16)}
	if _, err := readPAC(pac, short, testuser("testuser1"), "TEST.GOKRB5", authTime); err == nil {
		t.Error("another type")
	}
	// Every byte is signed, but for the KDC's own signature and for what is not there.
	parts, _ := pacParts(pac)
	kdc := parts[pacKDCSignature]
	for i := range pac {
		if i >= kdc.offset+4 && i < kdc.offset+20 {
			continue
		}
		changed := slices.Clone(pac)
		changed[i] ^= 0x01
		if _, err := readPAC(changed, key, testuser("testuser1"), "TEST.GOKRB5", authTime); err == nil {
			t.Errorf("byte %d is not signed", i)
		}
	}
	for n := range pac {
		if _, err := readPAC(pac[:n], key, testuser("testuser1"), "TEST.GOKRB5", authTime); err == nil {
			t.Errorf("cut at %d", n)
		}
	}
}

// resign signs a PAC with a key of AES256-SHA1 anew.
func resign(t testing.TB, pac []byte, key types.EncryptionKey) []byte {
	t.Helper()
	pac = slices.Clone(pac)
	parts, err := pacParts(pac)
	if err != nil {
		t.Fatal(err)
	}
	server, kdc := parts[pacServerSignature], parts[pacKDCSignature]
	blank := slices.Clone(pac)
	clear(blank[server.offset+4 : server.offset+16])
	clear(blank[kdc.offset+4 : kdc.offset+20])
	et, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := et.GetChecksumHash(key.KeyValue, blank, usagePAC)
	if err != nil {
		t.Fatal(err)
	}
	copy(pac[server.offset+4:], sum)
	return pac
}

// A ticket with such a PAC gives the account of the domain. What no domain may claim is left out. See docs/gates.md, threats.
func TestPACInTicket(t *testing.T) {
	l := newLocal(t, etypeID.AES256_CTS_HMAC_SHA1_96)
	pac, _, authTime := testPAC(t)
	const domain = "S-1-5-21-3167651404-3865080224-2280184895"
	run := func(pac []byte, o AcceptorOptions) (*Acceptor, error) {
		i := l.initiator(InitiatorOptions{}, l.ticket(ticketOptions{client: []string{"testuser1"}, start: authTime, pac: pac}))
		a := l.acceptor(o)
		return a, converse(t, i, a)
	}
	signed := resign(t, pac, l.key)
	a, err := run(signed, AcceptorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	id := a.Context().Identity()
	want := sids(domain, 513, 1108, 1109, 1115, 1116, 1114, 1111)
	if id.User != "testuser1" || id.Domain != "TEST" || id.Account.Name != "testuser1" || id.Account.Domain != "TEST" || id.Account.Realm != realm ||
		id.Account.SID.String() != domain+"-1105" || !slices.Equal(texts(id.Account.Groups), want) {
		t.Errorf("%+v %+v", id, id.Account)
	}
	if _, err := run(pac, AcceptorOptions{}); !errors.Is(err, auth.ErrLogonFailure) || !strings.Contains(err.Error(), "signature is wrong") {
		t.Error("signed with another key:", err)
	}
	// Another realm speaks for its own names alone: it could call its users TEST\Administrator. By SIDs it cannot, its KDC's neighbour
	// has looked at them.
	i := l.initiator(InitiatorOptions{}, l.ticket(ticketOptions{client: []string{"testuser1"}, realm: "EVIL.EXAMPLE", start: authTime, pac: signed}))
	a = l.acceptor(AcceptorOptions{})
	if err := converse(t, i, a); err != nil {
		t.Fatal(err)
	}
	if id := a.Context().Identity(); id.Domain == "TEST" || id.Account.Domain != "" || id.Account.Realm != "EVIL.EXAMPLE" || id.Account.SID.String() != domain+"-1105" {
		t.Errorf("another realm names the domain TEST: %+v %+v", id, id.Account)
	}
	// An extra SID of this machine is dropped, and an account of it refused.
	group, _ := security.ParseSID(domain + "-1114")
	at := strings.Index(string(signed), string(group.Bytes()))
	if at < 0 {
		t.Fatal("the extra SID is not there")
	}
	for _, claimed := range []string{"S-1-5-21-1-2-3-500", "S-1-5-32-1-2-3-544", "S-1-5-18-1-2-3-4", "S-1-16-1-2-3-4-12288"} {
		sid, err := security.ParseSID(claimed)
		if err != nil || sid.Size() != group.Size() {
			t.Fatal(err, sid.Size())
		}
		evil := slices.Clone(pac)
		copy(evil[at:], sid.Bytes())
		machine, _ := security.ParseSID("S-1-5-21-1-2-3")
		a, err := run(resign(t, evil, l.key), AcceptorOptions{MachineDomain: machine})
		if err != nil {
			t.Fatal(err)
		}
		if got := texts(a.Context().Identity().Account.Groups); slices.Contains(got, claimed) || len(got) != len(want)-1 {
			t.Errorf("%s came in: %v", claimed, got)
		}
	}
	machine, _ := security.ParseSID(domain)
	if _, err := run(signed, AcceptorOptions{MachineDomain: machine}); !errors.Is(err, auth.ErrLogonFailure) || !strings.Contains(err.Error(), "claims the account") {
		t.Error("an account of this machine:", err)
	}
}

// Lengths and offsets of a PAC are believed only where they fit.
func TestPACBounds(t *testing.T) {
	entry := func(kind, size uint32, offset uint64) []byte {
		b := binary.LittleEndian.AppendUint32(nil, kind)
		b = binary.LittleEndian.AppendUint32(b, size)
		return binary.LittleEndian.AppendUint64(b, offset)
	}
	head := func(n uint32, entries ...[]byte) []byte {
		b := append(binary.LittleEndian.AppendUint32(nil, n), 0, 0, 0, 0)
		return append(b, slices.Concat(entries...)...)
	}
	for name, b := range map[string][]byte{
		"empty":         {},
		"count":         head(0xFFFFFFFF),
		"many":          head(maxPACBuffers+1, make([]byte, 16*(maxPACBuffers+1))),
		"offset":        head(1, entry(1, 8, 1<<40)),
		"sum overflows": head(1, entry(1, 16, 0xFFFFFFFFFFFFFFF8)),
		"size":          head(1, entry(1, 0xFFFFFFFF, 8)),
		"odd offset":    head(1, entry(1, 1, 9)),
		"twice":         head(2, entry(6, 4, 8), entry(6, 4, 16)),
		"version":       {1, 0, 0, 0, 1, 0, 0, 0},
		"too long":      make([]byte, maxPAC+1),
	} {
		if _, err := pacParts(b); !errors.Is(err, errPAC) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

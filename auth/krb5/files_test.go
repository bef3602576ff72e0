package krb5

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/kdctest"
)

// Several principals and versions of keys in one file, as MIT writes it: a ticket of an older key opens, and so does one for a name that is
// not in the file but has a key of it. See [MS-KILE] 3.4.5.
func TestKeytabVersions(t *testing.T) {
	k := newRealm(t, kdctest.Options{})
	k.AddPrincipal("host/host.krb5.test", "")
	path := k.Keytab(service, "host/host.krb5.test")
	c := newClient(t, ClientOptions{Credentials: auth.Credentials{Username: "alice", Password: password}, Config: k.Config})
	old := NewInitiator(InitiatorOptions{Client: c, SPN: service})
	token, _, err := old.Step(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	k.Admin("ktadd -q -k " + path + " " + service) // a new version beside the old one
	keys := keytab(t, path)
	if got := keys.Principals(); !slices.Equal(got, []string{service + "@" + realm, "host/host.krb5.test@" + realm}) || keys.Realm() != realm {
		t.Error(got, keys.Realm())
	}
	replays := NewReplays()
	if _, _, err := NewAcceptor(AcceptorOptions{Keytab: keys, Replays: replays}).Step(t.Context(), token); err != nil {
		t.Error("a ticket of the old key:", err)
	}
	c = newClient(t, ClientOptions{Credentials: auth.Credentials{Username: "alice", Password: password}, Config: k.Config})
	for _, spn := range []string{service, "host/host.krb5.test"} {
		if err := converse(t, NewInitiator(InitiatorOptions{Client: c, SPN: spn}), NewAcceptor(AcceptorOptions{Keytab: keys, Replays: replays})); err != nil {
			t.Error(spn, err)
		}
	}
	// Only the host's keys in the file, and a ticket that calls itself host's although the service is HTTP: the key decides.
	only := &Keytab{}
	for _, e := range keys.entries {
		if e.NameString[0] == "host" {
			e.NameString = []string{"HOST$"}
			only.entries = append(only.entries, e)
		}
	}
	if err := converse(t, NewInitiator(InitiatorOptions{Client: c, SPN: "host/host.krb5.test"}), NewAcceptor(AcceptorOptions{Keytab: only, Replays: replays})); err != nil {
		t.Error("by the machine account's key:", err)
	}
	if err := converse(t, NewInitiator(InitiatorOptions{Client: c, SPN: service}), NewAcceptor(AcceptorOptions{Keytab: only, Replays: replays})); err == nil || !strings.Contains(err.Error(), service) {
		t.Error("by another account's key:", err)
	}
}

func TestKeytabFormat(t *testing.T) {
	k := newRealm(t, kdctest.Options{})
	good, err := os.ReadFile(k.Keytab(service))
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := ParseKeytab(good); err != nil || len(keys.entries) != 4 {
		t.Fatal(err)
	}
	hole := append(slices.Clone(good), 0xFF, 0xFF, 0xFF, 0xF8, 1, 2, 3, 4, 5, 6, 7, 8) // eight bytes that were deleted
	if keys, err := ParseKeytab(append(hole, good[2:]...)); err != nil || len(keys.entries) != 8 {
		t.Error("a hole:", err)
	}
	for name, b := range map[string][]byte{
		"empty": {}, "version 1": {5, 1}, "no key": {5, 2}, "length": {5, 2, 0x7F, 0xFF, 0xFF, 0xFF}, "hole": {5, 2, 0x80, 0, 0, 0},
		"components": {5, 2, 0, 0, 0, 4, 0xFF, 0xFF, 0, 0},
	} {
		if _, err := ParseKeytab(b); err == nil {
			t.Error(name)
		}
	}
	for n := 3; n < len(good)/4; n++ {
		if keys, err := ParseKeytab(good[:n]); err == nil {
			t.Errorf("cut at %d: %v", n, keys)
		}
	}
	if _, err := LoadKeytab(t.TempDir()); err == nil {
		t.Error("a folder")
	}
}

func TestCCacheFormat(t *testing.T) {
	k := newRealm(t, kdctest.Options{})
	good, err := os.ReadFile(k.CCache("alice", password))
	if err != nil {
		t.Fatal(err)
	}
	owner, creds, err := parseCCache(good)
	if err != nil || owner.String() != "alice@"+realm || len(creds) != 1 || creds[0].server.String() != "krbtgt/"+realm+"@"+realm {
		t.Fatal(err, owner, creds)
	}
	if _, again, err := parseCCache(encodeCCache(&creds[0])); err != nil || len(again) != 1 || !bytes.Equal(again[0].ticket, creds[0].ticket) || !again[0].end.Equal(creds[0].end) {
		t.Error(err)
	}
	for n := range good {
		if owner, creds, err := parseCCache(good[:n]); err == nil && len(creds) > 0 && owner.realm == "" {
			t.Fatal("cut at", n)
		}
	}
}

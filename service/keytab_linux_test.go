package service

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oneKey is a keytab with one key of AES256 of a principal of one component, in the format of MIT.
func oneKey(realm, name string) []byte {
	text := func(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }
	entry := bytes.Join([][]byte{{0, 1}, text(realm), text(name), {0, 0, 0, 1}, {0, 0, 0, 0}, {1}, {0, 18}, text(strings.Repeat("k", 32))}, nil)
	return append(binary.BigEndian.AppendUint32([]byte{5, 2}, uint32(len(entry))), entry...)
}

// The state folder is the service user's, and root reads the keytab in it: with a link there whoever has taken the service over would have
// root copy the keys of the whole machine into the folder, or take them into the service at its next start.
func TestKeytabIsNoLink(t *testing.T) {
	others, added := filepath.Join(t.TempDir(), "krb5.keytab"), filepath.Join(t.TempDir(), "added.keytab")
	for path, b := range map[string][]byte{others: oneKey("MACHINE.TEST", "secret"), added: oneKey("CORP.TEST", "server")} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for what, link := range map[string]func(string, string) error{"symbolic": os.Symlink, "hard": os.Link} {
		state, err := OpenState(t.TempDir(), StateOptions{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		defer state.Close()
		if _, err := state.AddKeytab(added); err != nil || state.Keytab() == nil {
			t.Fatal(err, state.Keytab())
		}
		if err := os.Remove(state.KeytabPath()); err != nil {
			t.Fatal(err)
		}
		if err := link(others, state.KeytabPath()); err != nil {
			t.Skip(err)
		}
		if keys := state.Keytab(); keys != nil {
			t.Errorf("%s link: the service has the keys of %v", what, keys.Principals())
		}
		if keys, err := state.AddKeytab(added); err == nil {
			t.Errorf("%s link: the state has the keys of %v", what, keys.Principals())
		}
	}
}

package ntlm

import (
	"encoding/hex"
	"testing"
)

func TestNTHash(t *testing.T) {
	// [MS-NLMP] 4.2.2.1.2 for the first; the second is the well-known hash of the empty password.
	for password, want := range map[string]string{
		"Password": "a4f49c406510bdcab6824ee7c30fd852",
		"":         "31d6cfe0d16ae931b73c59d7e0c089c0",
	} {
		got := NTHash(password)
		if hex.EncodeToString(got[:]) != want {
			t.Errorf("NTHash(%q) = %x, want %s", password, got, want)
		}
	}
}

package tickets

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement/auth"
)

// Rows 2.62 and 2.63: whose name is a domain's. See spec/winrm.md 5.1.
func TestDomain(t *testing.T) {
	config := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(config, []byte("[libdefaults]\n default_realm = CORP.TEST\n[realms]\n CORP.TEST = {\n  kdc = 192.0.2.1\n }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KRB5CCNAME", "FILE:"+filepath.Join(t.TempDir(), "none"))
	s := New(Options{Config: config})
	defer s.Close()
	for _, tt := range []struct {
		user, host string
		want       bool
	}{
		{`CORP\alice`, "srv.corp.test", true},
		{`corp.test\alice`, "srv.corp.test", true},
		{"alice@CORP.TEST", "srv.corp.test", true},
		{"alice@corp.test", "srv", true},
		{`OTHER\alice`, "srv.corp.test", false}, // no realm is known for it
		{"alice", "srv.corp.test", false},
		{`.\alice`, "srv.corp.test", false},
		{`SRV\alice`, "srv.corp.test", false},
		{"alice@srv", "srv.corp.test", false},
		{`srv.corp.test\alice`, "srv.corp.test", false},
		{`CORP\alice`, "192.0.2.7", false},
		{`CORP\alice`, "2001:db8::7", false},
		{`CORP\alice`, "localhost", false},
		{"", "srv.corp.test", false}, // no tickets
	} {
		c := auth.Credentials{Username: tt.user}
		if tt.user != "" {
			c.Password = "secret"
		}
		if got := s.Domain(c, tt.host); got != tt.want {
			t.Errorf("%q at %s: %v", tt.user, tt.host, got)
		}
	}
	if s.Domain(auth.Credentials{Username: `CORP\alice`, NTHash: make([]byte, 16)}, "srv.corp.test") {
		t.Error("an NT hash has no tickets")
	}
	if s.Usable() {
		t.Error("there are tickets")
	}
}

// Different credentials have different clients, the same ones the same.
func TestClients(t *testing.T) {
	t.Setenv("KRB5_CONFIG", filepath.Join(t.TempDir(), "none"))
	s := New(Options{})
	client := func(user, password string) any {
		c, err := s.Client(auth.Credentials{Username: user, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a := client("alice@CORP.TEST", "one")
	if client("alice@CORP.TEST", "one") != a || client("alice@CORP.TEST", "two") == a || client("alice@CORP.TES", "Tone") == a {
		t.Error("clients are mixed up")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if client("alice@CORP.TEST", "one") == a {
		t.Error("a closed source gives a client that it forgot")
	}
}

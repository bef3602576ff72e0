package settings

import "testing"

// The algorithm of [MS-WSMV] 3.1.4.1.35; statement 62: two certmapping entries of equal
// specificity match -> AccessDenied.
func TestMatchCertMapping(t *testing.T) {
	entry := func(subject, uri, user string) CertMapping {
		return CertMapping{Issuer: issuer, Subject: subject, URI: uri, UserName: user, Enabled: true}
	}
	disabled := entry("alice@example.org", "*", "off")
	disabled.Enabled = false
	list := []CertMapping{entry("*", "*", "any"), entry("*@example.org", "*", "org"), entry("*@example.org", "http://r/*", "orgR"),
		entry("bob@example.org", "*", "bob"), disabled, entry("*@one.net", "http://q/*", "eq1"), entry("*@two.net", "http://q/*", "eq2"), entry("x@two.net", "a", "x")}
	for _, row := range []struct{ issuer, subject, uri, want string }{
		{issuer, "carol@other.org", "http://r/1", "any"},
		{issuer, "alice@example.org", "http://x", "org"},
		{issuer, "ALICE@EXAMPLE.ORG", "HTTP://R/1", "orgR"},
		{issuer, "bob@example.org", "http://r/1", "bob"}, // the longest Subject goes before the longest URI
		{"0000000000000000000000000000000000000000", "bob@example.org", "http://r/1", ""},
	} {
		m, ok := MatchCertMapping(list, ClientCertificate{Issuers: []string{row.issuer}, Subjects: []string{row.subject}}, row.uri)
		if ok != (row.want != "") || m.UserName != row.want {
			t.Errorf("%+v: %q %v", row, m.UserName, ok)
		}
	}
	// Letters that only Unicode takes for the same ones are other letters: a long s, the sign of Kelvin.
	for _, other := range []string{"bo\u017f@example.net", "boss@e\u212Aample.net"} {
		if m, ok := MatchCertMapping([]CertMapping{entry("bos@example.net", "*", "bos"), entry("boss@ekample.net", "*", "boss")}, ClientCertificate{Issuers: []string{issuer}, Subjects: []string{other}}, "http://x"); ok {
			t.Errorf("%q is taken for %s", other, m.Subject)
		}
	}
	alice := ClientCertificate{Issuers: []string{issuer}, Subjects: []string{"a@e.org"}}
	equal := []CertMapping{entry("*e.org", "http://r/*", "1"), entry("*e.org", "http://r/1", "2")}
	equal[1].URI = "http://r/*"
	if m, ok := MatchCertMapping(equal, alice, "http://r/1"); ok {
		t.Errorf("62: %+v decides among equals", m)
	}
	if m, ok := MatchCertMapping(append(equal, entry("a@e.org", "*", "3")), alice, "http://r/1"); !ok || m.UserName != "3" {
		t.Errorf("a more specific third one: %+v %v", m, ok)
	}
}

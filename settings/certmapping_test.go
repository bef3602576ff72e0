package settings

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
)

const issuer = "ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD"

func mapKeys(issuer, subject, uri string) []NameValue {
	return []NameValue{{Name: "Issuer", Value: issuer}, {Name: "Subject", Value: subject}, {Name: "URI", Value: uri}}
}

func mapEnv() CertMappingEnv {
	return CertMappingEnv{
		IsIssuer:      func(s string) bool { return s == issuer },
		CheckPassword: func(u, p string) bool { return u == "u" && (p == "p" || len(p) == 255) },
	}
}

func user(password string) []NameValue {
	return []NameValue{{Name: "UserName", Value: "u"}, {Name: "Password", Value: password}}
}

// Certificate mappings of spec/winrm.md 3.6: statements 63 and 64.
func TestCreateCertMapping(t *testing.T) {
	long := strings.Repeat("a", 1024)
	local := mapEnv()
	local.LocalSession = true
	for _, row := range []struct {
		id        string
		env       CertMappingEnv
		selectors []NameValue
		body      []NameValue
		code      uint32
	}{
		{"1.8: documented", mapEnv(), mapKeys(strings.ToLower(issuer), "*", "*"), user("p"), 0},
		{"63: create locally -> 0x80338152", local, mapKeys(issuer, "*", "*"), user("p"), 0x80338152},
		{"64: password 256 chars -> 0x8033816A", mapEnv(), mapKeys(issuer, "*", "*"), user(strings.Repeat("p", 256)), 0x8033816A},
		{"64: 255 chars", mapEnv(), mapKeys(issuer, "*", "*"), user(strings.Repeat("p", 255)), 0},
		{"64: blank -> 0x8033816B", mapEnv(), mapKeys(issuer, "*", "*"), user(""), 0x8033816B},
		{"UserName alone -> 0x8033816C", mapEnv(), mapKeys(issuer, "*", "*"), user("p")[:1], 0x8033816C},
		{"Password alone -> 0x8033816C", mapEnv(), mapKeys(issuer, "*", "*"), user("p")[1:], 0x8033816C},
		{"wrong password -> 0x80338154", mapEnv(), mapKeys(issuer, "*", "*"), user("x"), 0x80338154},
		{"nobody to ask", CertMappingEnv{IsIssuer: mapEnv().IsIssuer}, mapKeys(issuer, "*", "*"), user("p"), 0x80338154},
		{"Subject *@domain", mapEnv(), mapKeys(issuer, "*@example.org", "*"), user("p"), 0},
		{"Subject a*: * first only -> 0x80338161", mapEnv(), mapKeys(issuer, "a*", "*"), user("p"), 0x80338161},
		{"Subject of 1024", mapEnv(), mapKeys(issuer, long, "*"), user("p"), 0x80338161},
		{"URI prefix", mapEnv(), mapKeys(issuer, "*", wsman1+"/wmi/*"), user("p"), 0},
		{"URI * first -> 0x80338160", mapEnv(), mapKeys(issuer, "*", "*a"), user("p"), 0x80338160},
		{"URI with ?", mapEnv(), mapKeys(issuer, "*", "a?b"), user("p"), 0x80338160},
		{"URI with a blank", mapEnv(), mapKeys(issuer, "*", "a b"), user("p"), 0x80338160},
		{"Issuer no thumbprint -> 0x80338162", mapEnv(), mapKeys("CN=CA", "*", "*"), user("p"), 0x80338162},
		{"Issuer not in the store", mapEnv(), mapKeys(strings.Repeat("0", 40), "*", "*"), user("p"), 0x80338162},
		{"key by body -> 0x80338172", mapEnv(), mapKeys(issuer, "*", "*"), append(user("p"), NameValue{Name: "URI", Value: "x"}), 0x80338172},
	} {
		m, secret, changes, err := CreateCertMapping(registry.NewTree(), row.env, row.selectors, row.body)
		wantCode(t, row.id, err, row.code)
		if err != nil {
			if secret.Password != "" || len(changes) > 0 {
				t.Errorf("%s: a refused mapping has a secret or changes", row.id)
			}
			continue
		}
		list, bad := CertMappings(hive(t, nil, changes...))
		if len(list) != 1 || len(bad) > 0 || list[0] != m || !m.Enabled || secret.ID != m.ID() || secret.Password == "" {
			t.Errorf("%s: %+v, read back %+v %+v", row.id, m, list, bad)
		}
	}
}

// Password is never returned (spec/winrm.md 3.6): not by the fields, the registry, a log
// or a print.
func TestPasswordIsNeverShown(t *testing.T) {
	const pass = "geheim-93"
	env := mapEnv()
	env.CheckPassword = func(_, p string) bool { return p == pass }
	m, secret, changes, err := CreateCertMapping(registry.NewTree(), env, mapKeys(issuer, "*", "*"), user(pass))
	wantCode(t, "create", err, 0)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", secret)
	shown := fmt.Sprintf("%v %+v %#v %s %+v %+v ", secret, secret, secret, secret, m.Fields(), changes) + log.String()
	if strings.Contains(shown, pass) {
		t.Errorf("the password is in %s", shown)
	}
}

func TestPutAndDeleteCertMapping(t *testing.T) {
	_, _, changes, err := CreateCertMapping(registry.NewTree(), mapEnv(), mapKeys(issuer, "*", "*"), user("p"))
	wantCode(t, "create", err, 0)
	r := hive(t, nil, changes...)
	_, _, _, err = CreateCertMapping(r, mapEnv(), mapKeys(issuer, "*", "*"), user("p"))
	wantCode(t, "again", err, CodeAlreadyExists)
	m, secret, _, err := PutCertMapping(r, mapEnv(), mapKeys(issuer, "*", "*"), []NameValue{{Name: "Enabled", Value: "false"}})
	wantCode(t, "disable", err, 0)
	if m.Enabled || m.UserName != "u" || secret != (Secret{}) {
		t.Errorf("%+v %v", m, secret)
	}
	_, _, _, err = PutCertMapping(r, mapEnv(), mapKeys(issuer, "*", "*"), []NameValue{{Name: "UserName", Value: "other"}})
	wantCode(t, "another user without password", err, CodePasswordUserTuple)
	_, _, err = DeleteCertMapping(r, CertMappingEnv{LocalSession: true}, mapKeys(issuer, "*", "*"))
	wantCode(t, "delete locally", err, CodeCertMappingLocal)
	_, del, err := DeleteCertMapping(r, mapEnv(), mapKeys(issuer, "*", "*"))
	wantCode(t, "delete", err, 0)
	if list, _ := CertMappings(hive(t, nil, append(changes, del...)...)); len(list) > 0 {
		t.Errorf("left: %+v", list)
	}
	_, err = FindCertMapping(r, mapKeys(issuer, "x", "*"))
	wantCode(t, "unknown", err, CodeResourceNotFound)
}

package settings

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/casementhq/casement/registry"
)

// KeyCertMapping is the registry key of the certificate mappings.
const KeyCertMapping = KeyWSMAN + `\CertMapping`

// Limits of a mapping, and of their number, which is ours.
const (
	maxMappingKey   = 1023
	maxPassword     = 255
	maxCertMappings = 1000
)

// CertMapping maps client certificates to a local user. Its password is not here.
// See [MS-WSMV] 2.2.4.3.
type CertMapping struct {
	URI      string // one * at the end may stand for anything
	Subject  string // one * at the beginning may stand for anything
	Issuer   string // thumbprint of the certificate that signed the client's
	UserName string // local account
	Enabled  bool   // default true
}

// Secret is the password of a mapping. The caller keeps it in a file of mode 0600 under
// ID and never in the hive. It does not print.
type Secret struct {
	ID       string // CertMapping.ID
	Password string
}

// String hides the password.
func (s Secret) String() string { return "secret of " + s.ID }

// GoString hides the password.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the password.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// CertMappingEnv holds what a write of a mapping needs to know from outside. A nil
// function answers no.
type CertMappingEnv struct {
	LocalSession  bool                             // writes are refused: CodeCertMappingLocal
	IsIssuer      func(thumbprint string) bool     // a CA certificate in the machine's store
	CheckPassword func(user, password string) bool // whether the local user signs in with it
}

// ID names the mapping by a hash of its three selectors.
func (m CertMapping) ID() string {
	sum := sha256.Sum256([]byte(strings.ToLower(m.Issuer + "\x00" + m.Subject + "\x00" + m.URI)))
	return hex.EncodeToString(sum[:])
}

func (m CertMapping) key() string { return KeyCertMapping + `\` + m.ID() }

// Fields returns the elements of the mapping, without its password.
func (m CertMapping) Fields() []Field {
	enabled := "false"
	if m.Enabled {
		enabled = "true"
	}
	return []Field{
		{Name: "URI", Value: m.URI, ReadOnly: true},
		{Name: "Subject", Value: m.Subject, ReadOnly: true},
		{Name: "Issuer", Value: m.Issuer, ReadOnly: true},
		{Name: "UserName", Value: m.UserName},
		{Name: "Enabled", Value: enabled},
	}
}

// CertMappings returns the mappings of the hive. A damaged one is a Problem.
func CertMappings(r Reader) ([]CertMapping, []Problem) {
	var out []CertMapping
	var bad []Problem
	for _, id := range r.Keys(KeyCertMapping) {
		key := KeyCertMapping + `\` + id
		text := func(name string) string {
			v, _, _ := r.Value(key, name)
			s, _ := v.Text()
			return s
		}
		v, _, _ := r.Value(key, "Enabled")
		n, _ := v.Uint()
		m := CertMapping{URI: text("URI"), Subject: text("Subject"), Issuer: text("Issuer"), UserName: text("UserName"), Enabled: n == 1}
		if err := m.check(); err != nil || m.ID() != strings.ToLower(id) {
			bad = append(bad, problem("CertMapping", key, "", registry.SourceHive, "the mapping is damaged"))
			continue
		}
		out = append(out, m)
	}
	return out, bad
}

// CreateCertMapping checks a Create and returns the mapping, its secret and the registry
// changes. Errors are *Error with the codes of spec sections 3.6 and 6.
func CreateCertMapping(r Reader, env CertMappingEnv, selectors, body []NameValue) (CertMapping, Secret, []Change, error) {
	m, err := selectMapping(selectors)
	if err != nil {
		return m, Secret{}, nil, err
	}
	if env.IsIssuer == nil || !env.IsIssuer(m.Issuer) {
		return m, Secret{}, nil, fail(CodeIssuerKey, "Issuer", "no CA certificate with this thumbprint is in the machine's store")
	}
	keys := r.Keys(KeyCertMapping)
	if slices.Contains(keys, m.ID()) {
		return m, Secret{}, nil, fail(CodeAlreadyExists, "CertMapping", "the mapping exists")
	}
	if len(keys) >= maxCertMappings {
		return m, Secret{}, nil, fail(CodeCertMappingLimit, "CertMapping", "%d mappings exist, which is the limit", len(keys))
	}
	m.Enabled = true
	return m.finish(env, body, true)
}

// PutCertMapping is as CreateCertMapping for an existing mapping. Without UserName and
// Password both stay, and the returned Secret is empty.
func PutCertMapping(r Reader, env CertMappingEnv, selectors, body []NameValue) (CertMapping, Secret, []Change, error) {
	m, err := FindCertMapping(r, selectors)
	if err != nil {
		return m, Secret{}, nil, err
	}
	return m.finish(env, body, false)
}

// DeleteCertMapping returns the mapping, whose secret the caller removes too, and the
// registry changes.
func DeleteCertMapping(r Reader, env CertMappingEnv, selectors []NameValue) (CertMapping, []Change, error) {
	m, err := FindCertMapping(r, selectors)
	if err != nil {
		return m, nil, err
	}
	if env.LocalSession {
		return m, nil, errLocalSession()
	}
	return m, []Change{{Key: m.key(), DeleteKey: true}}, nil
}

// FindCertMapping returns the mapping that Issuer, Subject and URI name.
func FindCertMapping(r Reader, selectors []NameValue) (CertMapping, error) {
	want, err := selectMapping(selectors)
	if err != nil {
		return want, err
	}
	all, _ := CertMappings(r)
	if i := slices.IndexFunc(all, func(m CertMapping) bool { return m.ID() == want.ID() }); i >= 0 {
		return all[i], nil
	}
	return want, fail(CodeResourceNotFound, "CertMapping", "no such mapping")
}

func selectMapping(selectors []NameValue) (CertMapping, error) {
	var m CertMapping
	for _, s := range selectors {
		var p *string
		switch strings.ToLower(s.Name) {
		case "issuer":
			p = &m.Issuer
		case "subject":
			p = &m.Subject
		case "uri":
			p = &m.URI
		}
		if p == nil || *p != "" {
			return m, fail(CodeUnexpectedSelectors, "CertMapping", "selector %q; want Issuer, Subject and URI", clip(s.Name))
		}
		*p = s.Value
	}
	m.Issuer = strings.ToUpper(strings.ReplaceAll(m.Issuer, " ", ""))
	if err := m.check(); err != nil {
		return m, err
	}
	return m, nil
}

func (m CertMapping) check() *Error {
	star := strings.Count(m.Subject, "*")
	if m.Subject == "" || len(m.Subject) > maxMappingKey || star > 1 || star == 1 && m.Subject[0] != '*' {
		return fail(CodeSubjectKey, "Subject", "want 1 to %d characters, with at most one *, at the beginning", maxMappingKey)
	}
	star = strings.Count(m.URI, "*")
	if m.URI == "" || len(m.URI) > maxMappingKey || star > 1 || star == 1 && !strings.HasSuffix(m.URI, "*") ||
		strings.Contains(m.URI, "?") || strings.IndexFunc(m.URI, unicode.IsSpace) >= 0 {
		return fail(CodeURIKey, "URI", "want 1 to %d characters without blanks and ?, with at most one *, at the end", maxMappingKey)
	}
	if !isThumbprint(m.Issuer) {
		return fail(CodeIssuerKey, "Issuer", "want the thumbprint of the issuing certificate, 40 hexadecimal digits")
	}
	return nil
}

func errLocalSession() *Error {
	return fail(CodeCertMappingLocal, "CertMapping", "a mapping is written through a remote session only; use -remote:localhost")
}

// finish puts a body into the mapping and makes the changes.
func (m CertMapping) finish(env CertMappingEnv, body []NameValue, create bool) (CertMapping, Secret, []Change, error) {
	if env.LocalSession {
		return m, Secret{}, nil, errLocalSession()
	}
	password, havePass, haveUser := "", false, false
	for _, f := range body {
		switch f.Name {
		case "URI", "Subject", "Issuer":
			cur := map[string]string{"URI": m.URI, "Subject": m.Subject, "Issuer": m.Issuer}[f.Name]
			if !strings.EqualFold(cur, f.Value) {
				return m, Secret{}, nil, fail(CodeCertMappingKeys, f.Name, "the keys of a mapping cannot change; delete and create it")
			}
		case "UserName":
			haveUser = f.Value != "" && f.Value != m.UserName
			m.UserName = f.Value
		case "Password":
			password, havePass = f.Value, true
		case "Enabled":
			b, ok := parseBool(f.Value)
			if !ok {
				return m, Secret{}, nil, schemaErr(f.Name, "%q is not true or false", clip(f.Value))
			}
			m.Enabled = b
		default:
			return m, Secret{}, nil, schemaErr(clip(f.Name), "no such property of a mapping; names are case-sensitive")
		}
	}
	var secret Secret
	switch {
	case havePass && password == "":
		return m, secret, nil, fail(CodePasswordBlank, "Password", "the password is blank")
	case utf8.RuneCountInString(password) > maxPassword:
		return m, secret, nil, fail(CodePasswordTooLong, "Password", "the password is longer than %d characters", maxPassword)
	case m.UserName == "", haveUser != havePass && !(havePass && !create), create && !havePass:
		return m, secret, nil, fail(CodePasswordUserTuple, "UserName", "UserName and Password are given together")
	case havePass && (env.CheckPassword == nil || !env.CheckPassword(m.UserName, password)):
		return m, secret, nil, fail(CodeCertMappingCredentials, "UserName", "the user name or the password is wrong")
	}
	if havePass {
		secret = Secret{ID: m.ID(), Password: password}
	}
	k := m.key()
	return m, secret, []Change{
		{Key: k, Name: "URI", Value: registry.SZ(m.URI)},
		{Key: k, Name: "Subject", Value: registry.SZ(m.Subject)},
		{Key: k, Name: "Issuer", Value: registry.SZ(m.Issuer)},
		{Key: k, Name: "UserName", Value: registry.SZ(m.UserName)},
		{Key: k, Name: "Enabled", Value: dwordBool(m.Enabled)},
	}, nil
}

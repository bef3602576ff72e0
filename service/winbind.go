package service

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/security"
)

// winbind is Samba's on this machine: where the machine has joined a domain, it
// asks a domain controller to verify NTLM, and knows who has which SID.
type winbind struct {
	store *accounts.Store
	// slots bound the programs that strangers can have started at a time.
	slots chan struct{}

	mu     sync.Mutex
	joined joined
	asked  time.Time
}

// joined is the domain that this machine is a member of; the zero value is none. machine is the name of its account there, without the $, and
// empty where winbind does not tell.
type joined struct{ netBIOS, realm, machine string }

const (
	winbindSlots = 4
	winbindWait  = 10 * time.Second // for one program
	winbindStale = time.Minute      // after which the domain is asked for anew
)

func newWinbind(store *accounts.Store) *winbind {
	return &winbind{store: store, slots: make(chan struct{}, winbindSlots)}
}

// domain is the domain that this machine has joined.
func (w *winbind) domain() joined {
	if w == nil {
		return none
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); w.asked.IsZero() || now.Sub(w.asked) > winbindStale {
		w.joined, w.asked = askDomain(), now
	}
	return w.joined
}

func askDomain() (d joined) {
	name, err := wbinfo(context.Background(), "--own-domain")
	if err != nil {
		return d
	}
	info, err := wbinfo(context.Background(), "--domain-info="+name)
	if err != nil {
		return d
	}
	says := map[string]string{}
	for line := range strings.Lines(info) {
		key, value, _ := strings.Cut(line, ":")
		says[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	if says["Active Directory"] != "Yes" || says["Primary"] != "Yes" {
		return d
	}
	return joined{netBIOS: name, realm: strings.ToUpper(says["Alt_Name"]), machine: askMachine(name)}
}

// askMachine is the name that this machine has in the domain own: winbind lists its accounts as a domain, too.
func askMachine(own string) string {
	list, err := wbinfo(context.Background(), "--trusted-domains", "--verbose")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == "Local" && f[0] != "BUILTIN" && f[0] != own {
			return f[0]
		}
	}
	return ""
}

// elsewhere is who verifies the NTLM of an account that is not of this machine; nil
// where it is. Its failures are counted as those of local accounts; that winbind does
// not answer is none.
func (g *guarded) elsewhere(domain, user string) ntlm.Verifier {
	name := user
	if domain != "" {
		name = domain + `\` + user
	}
	verify := g.people.winbind.verifier(name, func() error {
		g.name, g.barred = name, g.people.store.Allow(name, g.from)
		return g.barred
	})
	if verify == nil {
		return nil
	}
	return func(ctx context.Context, r ntlm.Response) ([16]byte, *auth.DomainAccount, error) {
		key, account, err := verify(ctx, r)
		if err != nil && g.barred == nil && !errors.Is(err, errDomainRefuses) {
			g.name = ""
		}
		return key, account, err
	}
}

var errDomainRefuses = errors.New("the domain refuses the account")

// verifier is who verifies the NTLM of an account that is not of this machine;
// nil where it is. A domain that is this machine's name, or empty, is local. permit
// is asked when it is the attempt's turn.
func (w *winbind) verifier(name string, permit func() error) ntlm.Verifier {
	if w == nil || !w.store.IsForeignName(name) {
		return nil
	}
	return func(ctx context.Context, r ntlm.Response) (key [16]byte, _ *auth.DomainAccount, err error) {
		joined := w.domain()
		if joined == none {
			return key, nil, fmt.Errorf("the account %q is of a domain, and this machine has joined none that winbind knows", name)
		}
		select {
		case w.slots <- struct{}{}:
			defer func() { <-w.slots }()
		case <-ctx.Done():
			return key, nil, ctx.Err()
		}
		if err := permit(); err != nil {
			return key, nil, err
		}
		if key, err = ntlmAuth(ctx, r); err != nil {
			return key, nil, err
		}
		account, err := w.account(ctx, name, joined)
		return key, account, err
	}
}

// none is no domain.
var none joined

// account is who a name of a domain is, with the groups that the domain's
// controller gave at the sign-in.
func (w *winbind) account(ctx context.Context, name string, own joined) (*auth.DomainAccount, error) {
	domain, user := accounts.SplitName(name)
	if strings.EqualFold(domain, own.realm) { // winbind looks names up by NetBIOS domains alone
		domain = own.netBIOS
	}
	sid, shown, err := lookupName(ctx, domain+`\`+user)
	if err != nil {
		return nil, err
	}
	a := &auth.DomainAccount{SID: sid, Domain: domain, Name: user}
	if d, u, ok := strings.Cut(shown, `\`); ok {
		a.Domain, a.Name = d, u
	}
	if strings.EqualFold(a.Domain, own.netBIOS) {
		a.Realm = own.realm
	}
	groups, err := wbinfo(ctx, "--user-sids="+sid.String())
	if err != nil {
		return nil, fmt.Errorf("winbind does not know the groups of %s: %w", shown, err)
	}
	for text := range strings.Lines(groups) {
		g, err := security.ParseSID(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		if g != sid {
			a.Groups = append(a.Groups, g)
		}
	}
	return a, nil
}

// ntlmAuth has a response verified by the domain's controller, by the protocol
// ntlm-server-1 of Samba's ntlm_auth. Values go in base64, so that none of them can
// end its line.
func ntlmAuth(ctx context.Context, r ntlm.Response) (key [16]byte, err error) {
	program, err := exec.LookPath("ntlm_auth")
	if err != nil {
		return key, err
	}
	var in strings.Builder
	for _, f := range []struct {
		name  string
		value []byte
	}{{"Username", []byte(r.User)}, {"NT-Domain", []byte(r.Domain)}, {"LANMAN-Challenge", r.Challenge[:]}, {"LANMAN-Response", r.LM}, {"NT-Response", r.NT}} {
		switch {
		case f.name == "Username" || f.name == "NT-Domain":
			fmt.Fprintf(&in, "%s:: %s\n", f.name, base64.StdEncoding.EncodeToString(f.value))
		case len(f.value) > 0:
			fmt.Fprintf(&in, "%s: %X\n", f.name, f.value)
		}
	}
	in.WriteString("Request-User-Session-Key: Yes\n.\n")
	ctx, cancel := context.WithTimeout(ctx, winbindWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--helper-protocol=ntlm-server-1") // #nosec G204 -- Samba's own
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.Output()
	if err != nil {
		return key, fmt.Errorf("ntlm_auth: %w", err)
	}
	says := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		says[name] = strings.TrimSpace(value)
	}
	if says["Authenticated"] != "Yes" {
		return key, fmt.Errorf("%w: %.200s", errDomainRefuses, says["Authentication-Error"])
	}
	b, err := hex.DecodeString(says["User-Session-Key"])
	if err != nil || len(b) != len(key) {
		return key, errors.New("ntlm_auth gives no session key: the service's user must be in the group winbindd_priv")
	}
	copy(key[:], b)
	return key, nil
}

// resolveDomainName finds the SID of an account of a domain by asking winbind,
// where this machine has joined one.
func resolveDomainName(name string) (sid security.SID, shown string, err error) {
	return lookupName(context.Background(), name)
}

func lookupName(ctx context.Context, name string) (sid security.SID, shown string, err error) {
	text, err := wbinfo(ctx, "--name-to-sid="+name)
	if err != nil {
		return sid, "", err
	}
	if text, _, _ = strings.Cut(text, " "); text == "" {
		return sid, "", errors.New("winbind gives no SID")
	}
	if sid, err = security.ParseSID(text); err != nil {
		return sid, "", err
	}
	shown, err = wbinfo(ctx, "--sid-to-name="+sid.String())
	if at := strings.LastIndexByte(shown, ' '); err == nil && at > 0 { // the kind of account is the last word
		return sid, shown[:at], nil
	}
	return sid, name, nil
}

// wbinfo asks winbind.
func wbinfo(ctx context.Context, question ...string) (string, error) {
	program, err := exec.LookPath("wbinfo")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, winbindWait)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, question...).Output() // #nosec G204 -- no shell stands between
	return strings.TrimSpace(string(out)), err
}

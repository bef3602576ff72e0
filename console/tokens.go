package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// Token is a key of a program, or of a screen on a wall. What opens it is shown
// once and not kept.
type Token struct {
	ID      string    `json:"id"`
	Label   string    `json:"label"`
	User    string    `json:"user"`
	Role    string    `json:"role"` // at most; the account's own bounds it too
	Display bool      `json:"display,omitempty"`
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires"`
}

// tokenPrefix begins the keys of tokens; what follows is the SHA-256 of the secret.
const tokenPrefix = "token/"

// maxTokenLife bounds how long a token is good for.
const maxTokenLife = 366 * 24 * time.Hour

func tokenKey(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return tokenPrefix + hex.EncodeToString(sum[:])
}

// makeToken makes a token and returns what opens it.
func (c *Console) makeToken(ctx context.Context, t Token) (Token, string, error) {
	secret := "casement_" + newSecret()
	t.ID, t.Made = newID(), time.Now().UTC()
	return t, secret, putJSON(ctx, c.store, tokenKey(secret), t)
}

// token finds one by what opens it.
func (c *Console) token(ctx context.Context, secret string) (Token, bool, error) {
	var t Token
	found, err := getJSON(ctx, c.store, tokenKey(secret), &t)
	if err != nil || !found || !time.Now().Before(t.Expires) {
		return Token{}, false, err
	}
	return t, true, nil
}

// identifyToken finds out who asks with a token.
func (c *Console) identifyToken(rq *request, secret string) error {
	refused := &problem{Status: http.StatusUnauthorized, Title: "Not signed in", Text: "This token is not valid: it was revoked, has expired, or never was one."}
	t, found, err := c.token(rq.Context(), secret)
	if err != nil {
		return err
	}
	if !found || t.Display || !rq.api() && rq.URL.Path != "/metrics" {
		return refused
	}
	account, err := c.o.Current(rq.Context(), t.User)
	if err != nil {
		refused.Err = err
		return refused
	}
	most, err := ParseRole(t.Role)
	if err != nil {
		return err
	}
	rq.who = who{Account: account, Role: min(most, roleOf(account, c.settings.get().Roles)), Token: t.ID, Ends: t.Expires}
	return nil
}

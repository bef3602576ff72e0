package digest

import (
	"fmt"
	"strings"

	"github.com/casementhq/casement/auth"
)

// Limits of what a server sends.
const (
	maxChallenges = 16
	maxParams     = 32
	maxValue      = 4 << 10 // bytes
)

// parse reads the Digest challenges of WWW-Authenticate headers; those of other schemes are passed over. See
// [RFC9110] 11.6.1.
func parse(headers []string) ([]challenge, error) {
	var all []challenge
	for _, h := range headers {
		p := &parser{rest: h}
		for p.skip(", \t"); p.rest != ""; p.skip(", \t") {
			scheme := p.token()
			if scheme == "" {
				return nil, fmt.Errorf("digest: WWW-Authenticate: %w", auth.ErrBadToken)
			}
			p.skip(" \t")
			if p.token68() {
				continue
			}
			params, err := p.params()
			if err != nil {
				return nil, fmt.Errorf("digest: WWW-Authenticate: %w", err)
			}
			if !strings.EqualFold(scheme, "Digest") {
				continue
			}
			c, err := newChallenge(params)
			if err != nil {
				return nil, err
			}
			if all = append(all, c); len(all) > maxChallenges {
				return nil, fmt.Errorf("digest: more than %d challenges: %w", maxChallenges, auth.ErrBadToken)
			}
		}
	}
	return all, nil
}

// parser reads a header from left to right.
type parser struct{ rest string }

func (p *parser) skip(set string) { p.rest = strings.TrimLeft(p.rest, set) }

// token reads a token of [RFC9110] 5.6.2; it may be empty.
func (p *parser) token() string {
	n := 0
	for n < len(p.rest) && isToken(p.rest[n]) {
		n++
	}
	t := p.rest[:n]
	p.rest = p.rest[n:]
	return t
}

func isToken(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// token68 passes over the one token that stands behind the name of a scheme in place of parameters, or over nothing
// where the next challenge or the end comes. See [RFC9110] 11.2.
func (p *parser) token68() bool {
	n := 0
	for n < len(p.rest) && (isToken(p.rest[n]) || p.rest[n] == '/') {
		n++
	}
	for n < len(p.rest) && p.rest[n] == '=' {
		n++
	}
	after := strings.TrimLeft(p.rest[n:], " \t")
	if after != "" && after[0] != ',' {
		return false
	}
	p.rest = after
	return true
}

// params reads name=value, as many as there are, and stops before the name of the next scheme. Names come in lower
// case; none may come twice.
func (p *parser) params() (map[string]string, error) {
	params := map[string]string{}
	for {
		p.skip(", \t")
		ahead := &parser{rest: p.rest}
		name := strings.ToLower(ahead.token())
		ahead.skip(" \t")
		if p.rest == "" || name != "" && !strings.HasPrefix(ahead.rest, "=") {
			return params, nil
		}
		if name == "" || len(params) == maxParams {
			return nil, fmt.Errorf("a parameter without a name, or more than %d: %w", maxParams, auth.ErrBadToken)
		}
		ahead.rest = ahead.rest[1:]
		ahead.skip(" \t")
		value, ok := ahead.value()
		if _, twice := params[name]; !ok || twice {
			return nil, fmt.Errorf("the parameter %.32q: %w", name, auth.ErrBadToken)
		}
		params[name], p.rest = value, ahead.rest
	}
}

// value reads a token or a quoted-string, without control characters.
func (p *parser) value() (string, bool) {
	if !strings.HasPrefix(p.rest, `"`) {
		t := p.token()
		return t, t != "" && len(t) <= maxValue
	}
	var b strings.Builder
	for n := 1; n < len(p.rest) && b.Len() <= maxValue; n++ {
		c := p.rest[n]
		if c == '"' {
			p.rest = p.rest[n+1:]
			return b.String(), true
		}
		if c == '\\' {
			if n++; n == len(p.rest) {
				break
			}
			c = p.rest[n]
		}
		if c < ' ' && c != '\t' || c == 0x7f {
			break
		}
		b.WriteByte(c)
	}
	return "", false
}

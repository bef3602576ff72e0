package wql

import (
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// Limits of a query. MaxLength is WBEM_MAX_QUERY; the others keep a hostile
// query from costing more than its text. Beyond them Parse fails with
// ErrQuotaViolation.
const (
	MaxLength    = 16384 // bytes
	MaxNesting   = 64    // parentheses and NOTs within each other
	MaxOperators = 512   // ANDs and ORs
)

type tokenKind uint8

const (
	end tokenKind = iota
	word
	text
	number64
	symbol
)

// token is one word of a query; at is the byte at which it begins.
type token struct {
	kind  tokenKind
	text  string // of a string, without quotes and escapes
	value cim.Value
	at    int
}

// is tells whether t is a keyword or a symbol, case-blind.
func (t token) is(s string) bool {
	return (t.kind == word || t.kind == symbol) && strings.EqualFold(t.text, s)
}

type lexer struct {
	src string
	pos int
}

func fail(status cim.Status, at int, why string) error {
	return &cim.Error{Status: status, Detail: why + " at column " + strconv.Itoa(at+1)}
}

func invalid(at int, why string) error { return fail(cim.ErrInvalidQuery, at, why) }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func isLetter(c byte) bool {
	return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// next reads one token.
func (l *lexer) next() (token, error) {
	for l.pos < len(l.src) && isSpace(l.src[l.pos]) {
		l.pos++
	}
	t := token{at: l.pos}
	if l.pos == len(l.src) {
		return t, nil
	}
	switch c := l.src[l.pos]; {
	case isLetter(c):
		for l.pos < len(l.src) && (isLetter(l.src[l.pos]) || isDigit(l.src[l.pos])) {
			l.pos++
		}
		t.kind, t.text = word, l.src[t.at:l.pos]
		return t, nil
	case c == '"' || c == '\'':
		return l.quoted(t, c)
	case isDigit(c), (c == '-' || c == '+' || c == '.') && l.pos+1 < len(l.src) && isDigit(l.src[l.pos+1]):
		return l.number(t)
	}
	t.kind = symbol
	for _, s := range [...]string{"<=", ">=", "<>", "!=", "=", "<", ">", "(", ")", ",", ".", "*", ";"} {
		if strings.HasPrefix(l.src[l.pos:], s) {
			t.text = s
			l.pos += len(s)
			return t, nil
		}
	}
	return t, invalid(l.pos, "unexpected character")
}

// quoted reads a string. A backslash stands only before itself and quotes;
// anything else is refused, as Windows does.
func (l *lexer) quoted(t token, quote byte) (token, error) {
	var b strings.Builder
	for i := l.pos + 1; i < len(l.src); i++ {
		switch c := l.src[i]; c {
		case quote:
			t.kind, t.text, l.pos = text, b.String(), i+1
			t.value = cim.Str(t.text)
			return t, nil
		case '\\':
			i++
			if i == len(l.src) || l.src[i] != '\\' && l.src[i] != '\'' && l.src[i] != '"' {
				return t, invalid(i-1, `a backslash must be written \\`)
			}
			b.WriteByte(l.src[i])
		default:
			b.WriteByte(c)
		}
	}
	return t, invalid(t.at, "the string is not closed")
}

func (l *lexer) number(t token) (token, error) {
	start := l.pos
	l.pos++ // a sign, a point or a digit
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		sign := (c == '-' || c == '+') && l.src[l.pos-1]|0x20 == 'e' && !isHex(l.src[start:l.pos])
		if !isDigit(c) && !isLetter(c) && c != '.' && !sign {
			break
		}
		l.pos++
	}
	t.kind, t.text = number64, l.src[start:l.pos]
	for _, typ := range [...]cim.Type{cim.Sint64, cim.Uint64, cim.Real64} {
		if typ == cim.Real64 && !isReal(t.text) {
			break
		}
		if v, err := cim.ParseValue(typ, t.text); err == nil {
			t.value = v
			return t, nil
		}
	}
	return t, invalid(start, "not a number")
}

func isHex(s string) bool { return len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x' }

// isReal keeps out the further forms that Go reads: hexadecimal, infinities,
// underscores.
func isReal(s string) bool { return strings.Trim(s, "+-.0123456789eE") == "" }

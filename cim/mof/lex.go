package mof

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
)

type tokenKind uint8

const (
	end tokenKind = iota
	word
	directive // #pragma, #include
	constant  // a string, a number or a character
	symbol
)

// token is one word of a text. A token is small and copied freely; text is a
// part of the source.
type token struct {
	kind  tokenKind
	sym   byte
	at    int // byte offset
	line  int // from 0
	start int // byte offset of the line
	text  string
	value cim.Value // of a constant: string, sint64, uint64, real64 or char16
}

func (t token) is(c byte) bool { return t.kind == symbol && t.sym == c }
func (t token) isWord(keyword string) bool {
	return t.kind == word && strings.EqualFold(t.text, keyword)
}
func (t token) isString() bool { return t.kind == constant && t.value.Type() == cim.String }

// String names the token in a message.
func (t token) String() string {
	if t.kind == end {
		return "the end of the file"
	}
	text := t.text
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "..."
	}
	return strconv.Quote(text)
}

type lexer struct {
	file  string
	src   string
	pos   int
	line  int // of pos, from 0
	start int // byte offset of the line
	// the last position that was asked for, from which the next one is counted
	lastAt, lastColumn int // the column from 0
}

// here is an empty token at pos.
func (l *lexer) here() token { return token{at: l.pos, line: l.line, start: l.start} }

// position tells where t is. Asked for in the order of the text it costs no
// more than the text, however long a line is.
func (l *lexer) position(t token) Position {
	if l.lastAt < t.start || l.lastAt > t.at {
		l.lastAt, l.lastColumn = t.start, 0
	}
	l.lastColumn += utf8.RuneCountInString(l.src[l.lastAt:t.at])
	l.lastAt = t.at
	return Position{File: l.file, Line: t.line + 1, Column: l.lastColumn + 1}
}

func (l *lexer) fail(code cim.Status, t token, why string) error {
	return &Error{Code: code, Position: l.position(t), Detail: why}
}

func isLetter(c byte) bool {
	return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= utf8.RuneSelf
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// blank skips white space and comments.
func (l *lexer) blank() error {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == '\n':
			l.pos++
			l.line++
			l.start = l.pos
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
			l.pos++
		case strings.HasPrefix(l.src[l.pos:], "//"):
			n := strings.IndexByte(l.src[l.pos:], '\n')
			if n < 0 {
				n = len(l.src) - l.pos
			}
			l.pos += n
		case strings.HasPrefix(l.src[l.pos:], "/*"):
			n := strings.Index(l.src[l.pos+2:], "*/")
			if n < 0 {
				return l.fail(cim.ErrMofUnrecognizedToken, l.here(), "the comment is not closed")
			}
			comment := l.src[l.pos : l.pos+n+4]
			if last := strings.LastIndexByte(comment, '\n'); last >= 0 {
				l.line += strings.Count(comment, "\n")
				l.start = l.pos + last + 1
			}
			l.pos += n + 4
		default:
			return nil
		}
	}
	return nil
}

// next reads one token.
func (l *lexer) next() (token, error) {
	if err := l.blank(); err != nil {
		return token{}, err
	}
	t := l.here()
	if l.pos == len(l.src) {
		return t, nil
	}
	switch c := l.src[l.pos]; {
	case isLetter(c):
		t.kind = word
		l.name()
	case c == '#':
		t.kind = directive
		l.pos++
		l.name()
	case c == '"':
		return l.strings(t)
	case c == '\'':
		return l.char(t)
	case isDigit(c), (c == '-' || c == '+' || c == '.') && l.pos+1 < len(l.src) && (isDigit(l.src[l.pos+1]) || l.src[l.pos+1] == '.'):
		return l.number(t)
	case strings.IndexByte("{}[]():;,=$", c) >= 0:
		t.kind, t.sym = symbol, c
		l.pos++
	default:
		_, n := utf8.DecodeRuneInString(l.src[l.pos:])
		t.text = l.src[l.pos : l.pos+n]
		return t, l.fail(cim.ErrMofUnrecognizedToken, t, "unexpected character "+strconv.Quote(t.text))
	}
	t.text = l.src[t.at:l.pos]
	return t, nil
}

func (l *lexer) name() {
	for l.pos < len(l.src) && (isLetter(l.src[l.pos]) || isDigit(l.src[l.pos])) {
		l.pos++
	}
}

// strings reads string literals; those that follow each other are one.
func (l *lexer) strings(t token) (token, error) {
	t.kind = constant
	whole, plain, err := l.quoted()
	if err != nil {
		return t, err
	}
	t.text = l.src[t.at:l.pos]
	var joined *strings.Builder
	for {
		before := *l
		if err := l.blank(); err != nil {
			return t, err
		}
		if l.pos == len(l.src) || l.src[l.pos] != '"' {
			*l = before
			break
		}
		part, partPlain, err := l.quoted()
		if err != nil {
			return t, err
		}
		if joined == nil {
			joined = &strings.Builder{}
			joined.WriteString(whole)
		}
		joined.WriteString(part)
		plain = plain && partPlain
	}
	if joined != nil {
		whole = joined.String()
	}
	if !plain {
		if whole, err = l.joinSurrogates(t, whole); err != nil {
			return t, err
		}
	}
	t.value = cim.Str(whole)
	return t, nil
}

// quoted reads one literal. Where it is not plain, halves of surrogate pairs
// that came as \x escapes stand in the text as their three-byte form.
func (l *lexer) quoted() (text string, plain bool, err error) {
	start := l.here()
	l.pos++
	from := l.pos
	var b []byte
	plain = true
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; c {
		case '"':
			text = l.src[from:l.pos]
			if b != nil {
				text = string(append(b, text...))
			}
			l.pos++
			return text, plain, nil
		case '\n': // a string may go on in the next line, as the documentation's do
			l.pos++
			l.line++
			l.start = l.pos
		case '\\':
			b = append(b, l.src[from:l.pos]...)
			unit := l.escape()
			if utf16.IsSurrogate(rune(unit)) {
				plain = false
				b = append(b, 0xE0|byte(unit>>12), 0x80|byte(unit>>6)&0x3F, 0x80|byte(unit)&0x3F)
			} else {
				b = utf8.AppendRune(b, rune(unit))
			}
			from = l.pos
		default:
			l.pos++
		}
	}
	return "", false, l.fail(cim.ErrMofIllegalConstantValue, start, "the string is not closed")
}

// joinSurrogates makes characters of the pairs that quoted left.
func (l *lexer) joinSurrogates(t token, s string) (string, error) {
	var b []byte
	half := func(s string) rune {
		if len(s) < 3 || s[0] != 0xED || s[1] < 0xA0 {
			return 0
		}
		return rune(s[0]&0x0F)<<12 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F)
	}
	for len(s) > 0 {
		high := half(s)
		if high == 0 {
			b = append(b, s[0])
			s = s[1:]
			continue
		}
		r := utf16.DecodeRune(high, half(s[3:]))
		if r == utf8.RuneError {
			return "", l.fail(cim.ErrMofIllegalConstantValue, t, "half of a surrogate pair stands alone")
		}
		b = utf8.AppendRune(b, r)
		s = s[6:]
	}
	return string(b), nil
}

// escape reads an escape sequence: \b \t \n \f \r \" \' \\ and \x with one to
// four hexadecimal digits. A backslash in front of anything else stands for
// itself: texts that Windows compiles have "enable\disable".
func (l *lexer) escape() uint16 {
	l.pos++
	rest := l.src[l.pos:]
	if rest == "" {
		return '\\'
	}
	if i := strings.IndexByte(`btnfr"'\`, rest[0]); i >= 0 {
		l.pos++
		return uint16("\b\t\n\f\r\"'\\"[i])
	}
	if rest[0]|0x20 == 'x' {
		digits := 0
		for digits < 4 && 1+digits < len(rest) && isHexDigit(rest[1+digits]) {
			digits++
		}
		if n, err := strconv.ParseUint(rest[1:1+digits], 16, 16); err == nil {
			l.pos += 1 + digits
			return uint16(n)
		}
	}
	return '\\'
}

func isHexDigit(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// char reads a char16 literal: one UTF-16 character between single quotes.
func (l *lexer) char(t token) (token, error) {
	t.kind = constant
	l.pos++
	var unit uint16
	if rest := l.src[l.pos:]; strings.HasPrefix(rest, `\`) {
		unit = l.escape()
	} else {
		r, n := utf8.DecodeRuneInString(rest)
		if n == 0 || r == '\'' || r == '\n' || r > 0xFFFF {
			return t, l.fail(cim.ErrMofIllegalConstantValue, t, "single quotes hold one character")
		}
		unit = uint16(r)
		l.pos += n
	}
	if l.pos == len(l.src) || l.src[l.pos] != '\'' {
		return t, l.fail(cim.ErrMofIllegalConstantValue, t, "single quotes hold one character")
	}
	l.pos++
	t.text = l.src[t.at:l.pos]
	t.value = cim.Uint(cim.Char16, uint64(unit))
	return t, nil
}

// number reads an integer (decimal, 0x hexadecimal, octal with a leading zero,
// binary with a trailing b) or a real.
func (l *lexer) number(t token) (token, error) {
	t.kind = constant
	l.pos++ // a sign, a point or a digit
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		sign := (c == '-' || c == '+') && l.src[l.pos-1]|0x20 == 'e' && !isHexNumber(l.src[t.at:l.pos])
		if !isDigit(c) && !isLetter(c) && c != '.' && !sign {
			break
		}
		l.pos++
	}
	t.text = l.src[t.at:l.pos]
	var ok bool
	if t.value, ok = parseNumber(t.text); !ok {
		return t, l.fail(cim.ErrMofIllegalConstantValue, t, t.String()+" is not a number that MOF can hold")
	}
	return t, nil
}

func isHexNumber(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x'
}

func parseNumber(s string) (cim.Value, bool) {
	digits, negative := strings.CutPrefix(s, "-")
	if !negative {
		digits = strings.TrimPrefix(s, "+")
	}
	base := 10
	switch n := len(digits); {
	case n > 2 && isHexNumber(digits):
		digits, base = digits[2:], 16
	case n > 1 && digits[n-1]|0x20 == 'b':
		digits, base = digits[:n-1], 2
	case strings.ContainsAny(digits, ".eE"):
		f, err := strconv.ParseFloat(s, 64)
		return cim.Real(cim.Real64, f), err == nil && strings.Trim(s, "0123456789+-.eE") == ""
	case n > 1 && digits[0] == '0':
		digits, base = digits[1:], 8
	}
	u, err := strconv.ParseUint(digits, base, 64)
	switch {
	case err != nil || strings.ContainsAny(digits, "_+-"):
		return cim.Value{}, false
	case negative:
		return cim.S64(-int64(u)), u <= 1<<63
	case u > 1<<63-1:
		return cim.U64(u), true
	}
	return cim.S64(int64(u)), true
}

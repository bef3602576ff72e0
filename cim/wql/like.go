package wql

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Pattern is a LIKE pattern: % any run of characters, _ one, [a-f] or [a=f]
// one of a set, [^a-f] one outside of it, [^] a caret; anything in brackets is
// literal. Letters compare case-blind. See [MS-WMI] 2.2.1.1 and spec/wmi.md
// 3.2.
type Pattern []element

type elementKind uint8

const (
	literal elementKind = iota
	anyOne
	anyRun
	oneOf
	noneOf
)

type element struct {
	kind   elementKind
	char   rune // folded
	ranges []runeRange
}

type runeRange struct{ low, high rune }

func lower(r rune) rune {
	if r < utf8.RuneSelf {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(r)
}

// compilePattern reads a pattern.
func compilePattern(s string) (Pattern, error) {
	var p Pattern
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch r {
		case '%':
			if len(p) == 0 || p[len(p)-1].kind != anyRun {
				p = append(p, element{kind: anyRun})
			}
		case '_':
			p = append(p, element{kind: anyOne})
		case '[':
			e, n, err := compileSet(s[i:])
			if err != nil {
				return nil, err
			}
			p = append(p, e)
			i += n
		default:
			p = append(p, element{kind: literal, char: lower(r)})
		}
	}
	return p, nil
}

// compileSet reads a set after its bracket and tells its length.
func compileSet(s string) (e element, n int, err error) {
	e.kind = oneOf
	if strings.HasPrefix(s, "^") && !strings.HasPrefix(s, "^]") {
		e.kind = noneOf
		n++
	}
	for start := n; ; {
		if n == len(s) {
			return e, n, errors.New("a set in the LIKE pattern is not closed")
		}
		low, size := utf8.DecodeRuneInString(s[n:])
		n += size
		if low == ']' && n > start+1 {
			return e, n, nil
		}
		high := low
		if n+1 < len(s) && (s[n] == '-' || s[n] == '=') && s[n+1] != ']' {
			high, size = utf8.DecodeRuneInString(s[n+1:])
			n += 1 + size
		}
		e.ranges = append(e.ranges, runeRange{low, high})
	}
}

func (e *element) matches(r rune) bool {
	switch e.kind {
	case literal:
		return lower(r) == e.char
	case anyOne:
		return true
	}
	in := false
	for _, x := range e.ranges {
		l, u := lower(r), unicode.ToUpper(r)
		if r >= x.low && r <= x.high || l >= x.low && l <= x.high || u >= x.low && u <= x.high {
			in = true
			break
		}
	}
	return in == (e.kind == oneOf)
}

// Match tells whether the whole of s fits. It takes at most len(p)*len(s)
// steps and allocates nothing.
func (p Pattern) Match(s string) bool {
	at, i := 0, 0
	runAt, runFrom := -1, 0 // the last % and where its run ends for now
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case at < len(p) && p[at].kind == anyRun:
			runAt, runFrom = at, i
			at++
			continue
		case at < len(p) && p[at].matches(r):
			at++
			i += size
			continue
		case runAt < 0:
			return false
		}
		_, step := utf8.DecodeRuneInString(s[runFrom:])
		runFrom += step
		at, i = runAt+1, runFrom
	}
	for at < len(p) && p[at].kind == anyRun {
		at++
	}
	return at == len(p)
}

package security

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// compileCondition turns the text of a condition into the data of its entry, in postfix order and padded to a
// multiple of 4 bytes. See [MS-DTYP] 2.4.4.17, 2.5.1.1.
func compileCondition(text string, d Domains) ([]byte, error) {
	c := compiler{rest: text, domains: d, out: []byte(conditionSignature)}
	err := c.expression(0)
	if err == nil && c.peek() != "" {
		err = errors.New("it goes on after its end")
	}
	if err == nil && len(c.out) > maxACESize {
		err = errors.New("it is too long")
	}
	if err != nil {
		return nil, fmt.Errorf("condition %.60q, at %.20q: %w", text, c.rest, err)
	}
	for len(c.out)%4 != 0 {
		c.out = append(c.out, 0)
	}
	return c.out, nil
}

type compiler struct {
	rest    string
	domains Domains
	out     []byte
}

// peek skips white space and returns what is left.
func (c *compiler) peek() string {
	c.rest = strings.TrimLeft(c.rest, " \t\r\n\v\f")
	return c.rest
}

func (c *compiler) take(token string) bool {
	if strings.HasPrefix(c.peek(), token) {
		c.rest = c.rest[len(token):]
		return true
	}
	return false
}

// expression reads terms joined by ||, each of them terms joined by &&.
func (c *compiler) expression(depth int) error {
	if err := c.conjunction(depth); err != nil {
		return err
	}
	for c.take("||") {
		if err := c.conjunction(depth); err != nil {
			return err
		}
		c.out = append(c.out, codeOr)
	}
	return nil
}

func (c *compiler) conjunction(depth int) error {
	if err := c.factor(depth); err != nil {
		return err
	}
	for c.take("&&") {
		if err := c.factor(depth); err != nil {
			return err
		}
		c.out = append(c.out, codeAnd)
	}
	return nil
}

func (c *compiler) factor(depth int) error {
	if depth > maxConditionDepth {
		return fmt.Errorf("more than %d levels", maxConditionDepth)
	}
	switch {
	case c.take("!"):
		if err := c.factor(depth + 1); err != nil {
			return err
		}
		c.out = append(c.out, codeNot)
		return nil
	case c.take("("):
		if err := c.expression(depth + 1); err != nil {
			return err
		}
		if !c.take(")") {
			return errors.New("a closing parenthesis is missing")
		}
		return nil
	}
	return c.term()
}

func (c *compiler) term() error {
	word := c.word()
	if op := opByName(memberOps, word); op != 0 {
		if err := c.value(true); err != nil {
			return err
		}
		c.out = append(c.out, op)
		return nil
	}
	if op := opByName(existsOps, word); op != 0 {
		if err := c.attribute(c.word()); err != nil {
			return err
		}
		c.out = append(c.out, op)
		return nil
	}
	if err := c.attribute(word); err != nil {
		return err
	}
	op := c.operator()
	if op == 0 {
		return nil
	}
	if strings.HasPrefix(c.peek(), "@") {
		if err := c.attribute(c.word()); err != nil {
			return err
		}
	} else if err := c.value(false); err != nil {
		return err
	}
	c.out = append(c.out, op)
	return nil
}

// operator takes an operator between two operands; 0 when there is none.
func (c *compiler) operator() byte {
	for _, o := range signOps {
		if c.take(o.name) {
			return o.code
		}
	}
	before := c.peek()
	op := opByName(wordOps, c.word())
	if op == 0 {
		c.rest = before
	}
	return op
}

// word takes a name: everything up to a character that a name must write as %XXXX, or a brace, comma or quote.
func (c *compiler) word() string {
	s := c.peek()
	i := strings.IndexAny(s, " \t\r\n\v\f!&()><=|\"{},")
	if i < 0 {
		i = len(s)
	}
	c.rest = s[i:]
	return s[:i]
}

func (c *compiler) attribute(name string) error {
	code := byte(codeLocal)
	for _, k := range nameKinds {
		if hasPrefixFold(name, k.name) {
			code, name = k.code, name[len(k.name):]
		}
	}
	if name == "" || name[0] == '@' || name[0] == '#' {
		return fmt.Errorf("%q is not the name of an attribute", name)
	}
	var units []uint16
	for rest := name; rest != ""; {
		if rest[0] == '%' {
			v, err := strconv.ParseUint(rest[1:min(5, len(rest))], 16, 16)
			if err != nil || v == 0 || len(rest) < 5 {
				return fmt.Errorf("name %q has a %% without four hexadecimal digits", name)
			}
			units, rest = append(units, uint16(v)), rest[5:]
			continue
		}
		r, n := utf8.DecodeRuneInString(rest)
		units, rest = utf16.AppendRune(units, r), rest[n:]
	}
	c.text(code, units)
	return nil
}

// text writes a token with a string.
func (c *compiler) text(code byte, units []uint16) {
	c.length(code, 2*len(units))
	for _, u := range units {
		c.out = binary.LittleEndian.AppendUint16(c.out, u)
	}
}

func (c *compiler) length(code byte, n int) {
	c.out = binary.LittleEndian.AppendUint32(append(c.out, code), uint32(n))
}

// value reads one literal or a list of them in braces.
func (c *compiler) value(sidsOnly bool) error {
	if !c.take("{") {
		return c.literal(sidsOnly)
	}
	c.length(codeComposite, 0)
	start := len(c.out)
	for {
		if err := c.literal(sidsOnly); err != nil {
			return err
		}
		if c.take("}") {
			break
		}
		if !c.take(",") {
			return errors.New("a list needs , or }")
		}
	}
	binary.LittleEndian.PutUint32(c.out[start-4:], uint32(len(c.out)-start))
	return nil
}

func (c *compiler) literal(sidsOnly bool) error {
	s := c.peek()
	switch {
	case hasPrefixFold(s, "SID("):
		text, rest, ok := strings.Cut(s[4:], ")")
		sid, err := ParseSIDAlias(strings.TrimSpace(text), c.domains)
		if !ok || err != nil {
			return fmt.Errorf("%.40q is not SID(…)", s)
		}
		c.rest = rest
		c.length(codeSID, sid.Size())
		c.out, _ = sid.AppendBinary(c.out)
		return nil
	case sidsOnly:
		return errors.New("SID(…) is needed")
	case strings.HasPrefix(s, `"`):
		text, rest, ok := strings.Cut(s[1:], `"`)
		if !ok || !utf8.ValidString(text) {
			return errors.New("the string is not closed, or not UTF-8")
		}
		c.rest = rest
		c.text(codeString, utf16.Encode([]rune(text)))
		return nil
	}
	word := c.word()
	if strings.HasPrefix(word, "#") {
		b, err := hex.DecodeString(word[1:])
		if err != nil {
			return fmt.Errorf("%.40q is not # and hexadecimal digits", word)
		}
		c.length(codeOctets, len(b))
		c.out = append(c.out, b...)
		return nil
	}
	return c.integer(word)
}

// integer writes a number with the sign and the base in which it was written.
func (c *compiler) integer(word string) error {
	digits := strings.TrimLeft(word, "+-")
	sign, base := byte(3), byte(2)
	switch {
	case strings.HasPrefix(word, "+"):
		sign = 1
	case strings.HasPrefix(word, "-"):
		sign = 2
	}
	switch {
	case hasPrefixFold(digits, "0x"):
		base = 3
	case len(digits) > 1 && digits[0] == '0':
		base = 1
	}
	octal := base == 1 && strings.Trim(digits, "01234567") != ""
	v, err := strconv.ParseInt(word, 0, 64)
	if err != nil || octal || strings.Contains(word, "_") {
		return fmt.Errorf("%.40q is not a 64-bit number", word)
	}
	c.out = append(binary.LittleEndian.AppendUint64(append(c.out, codeInt64), uint64(v)), sign, base)
	return nil
}

package security

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Binding strengths of printed conditions.
const (
	bindOr = iota
	bindAnd
	bindTerm
	bindOperand // an attribute or literal, not yet a term
)

type printed struct {
	text string
	bind int
}

// printCondition turns the data of a conditional entry into text in parentheses. It reports false for data that
// is not a well-formed condition.
func printCondition(data []byte, d Domains) (string, bool) {
	if !strings.HasPrefix(string(data), conditionSignature) {
		return "", false
	}
	p := printer{rest: data[len(conditionSignature):], domains: d}
	for len(p.rest) > 0 && p.rest[0] != 0 {
		if !p.step() || p.size > MaxSDDLLength {
			return "", false
		}
	}
	if len(p.stack) != 1 || len(p.rest) > 3 || strings.Trim(string(p.rest), "\x00") != "" {
		return "", false
	}
	return "(" + p.stack[0].text + ")", true
}

type printer struct {
	rest    []byte
	domains Domains
	stack   []printed
	size    int // bytes of text made so far, to bound the work
}

func (p *printer) push(text string, bind int) bool {
	p.size += len(text)
	p.stack = append(p.stack, printed{text, bind})
	return true
}

func (p *printer) pop() (top printed) {
	if n := len(p.stack); n > 0 {
		top, p.stack = p.stack[n-1], p.stack[:n-1]
	}
	return top
}

// step prints one token.
func (p *printer) step() bool {
	code := p.rest[0]
	if code >= codeLocal || code <= codeSID {
		text, ok := p.operand(0)
		return ok && p.push(text, bindOperand)
	}
	p.rest = p.rest[1:]
	if code == codeNot {
		return len(p.stack) > 0 && p.push("!("+p.pop().text+")", bindTerm)
	}
	if name := opByCode(memberOps, code) + opByCode(existsOps, code); name != "" {
		return len(p.stack) > 0 && p.push(name+" "+p.pop().text, bindTerm)
	}
	if len(p.stack) < 2 {
		return false
	}
	right, left := p.pop(), p.pop()
	switch code {
	case codeAnd:
		return p.push(wrap(left, bindAnd)+" && "+wrap(right, bindAnd+1), bindAnd)
	case codeOr:
		return p.push(wrap(left, bindOr)+" || "+wrap(right, bindOr+1), bindOr)
	}
	name := opByCode(signOps, code) + opByCode(wordOps, code)
	return name != "" && p.push(left.text+" "+name+" "+right.text, bindTerm)
}

// wrap puts parentheses around what binds less than needed.
func wrap(x printed, need int) string {
	if x.bind < need {
		return "(" + x.text + ")"
	}
	return x.text
}

// operand prints an attribute or a literal and moves past it.
func (p *printer) operand(depth int) (string, bool) {
	if len(p.rest) == 0 || depth > 1 {
		return "", false
	}
	code := p.rest[0]
	if code == codeInt64 {
		return p.integer()
	}
	if len(p.rest) < 5 {
		return "", false
	}
	n := binary.LittleEndian.Uint32(p.rest[1:])
	if uint64(n) > uint64(len(p.rest)-5) {
		return "", false
	}
	body := p.rest[5 : 5+n]
	after := p.rest[5+n:]
	switch code {
	case codeString:
		p.rest = after
		return `"` + decodeUTF16(body) + `"`, true
	case codeOctets:
		p.rest = after
		return "#" + hex.EncodeToString(body), true
	case codeSID:
		p.rest = after
		sid, size, err := DecodeSID(body)
		return "SID(" + printSID(sid, p.domains) + ")", err == nil && size == len(body)
	case codeComposite:
		p.rest = body
		var parts []string
		for len(p.rest) > 0 {
			text, ok := p.operand(depth + 1)
			if !ok {
				return "", false
			}
			parts = append(parts, text)
		}
		p.rest = after
		return "{" + strings.Join(parts, ", ") + "}", true
	case codeLocal, codeUser, codeResource, codeDevice:
		p.rest = after
		return opByCode(nameKinds, code) + escapeName(decodeUTF16(body)), true
	}
	return "", false
}

func (p *printer) integer() (string, bool) {
	if len(p.rest) < 11 {
		return "", false
	}
	v := int64(binary.LittleEndian.Uint64(p.rest[1:]))
	sign, base := p.rest[9], p.rest[10]
	p.rest = p.rest[11:]
	prefix, radix := "", 10
	switch base {
	case 1:
		prefix, radix = "0", 8
	case 3:
		prefix, radix = "0x", 16
	}
	text := prefix + strings.TrimPrefix(strconv.FormatInt(v, radix), "-")
	switch sign {
	case 1:
		text = "+" + text
	case 2:
		text = "-" + text
	}
	return text, true
}

func decodeUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// escapeName writes as %XXXX what cannot stand in the name of an attribute. See [MS-DTYP] 2.5.1.1.
func escapeName(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r <= ' ' || strings.ContainsRune("!&()><=|%\"{},", r) {
			fmt.Fprintf(&b, "%%%04X", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

package registry

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxFile bounds what is read of a .reg or .pol file, in bytes.
const maxFile = 64 << 20

// regHeader is the first line of a .reg file.
const regHeader = "Windows Registry Editor Version 5.00"

// ParseError says in which line a .reg file is wrong.
type ParseError struct {
	Line int // counted from 1
	Msg  string
}

// Error implements error.
func (e *ParseError) Error() string {
	return fmt.Sprintf("registry: line %d of the .reg text: %s", e.Line, e.Msg)
}

// ParseReg reads a .reg file into a new tree. It accepts UTF-8 with or without a byte
// order mark, and UTF-16LE with one. A wrong line is a *ParseError.
func ParseReg(r io.Reader) (*Tree, error) {
	tx := newTx(&node{})
	if err := tx.Import(r); err != nil {
		return nil, err
	}
	return &Tree{root: tx.root, local: tx.root}, nil
}

// Import applies a .reg file to the transaction, as reg import does: keys and values
// are added, [-KEY] and "name"=- delete. A wrong line is a *ParseError; the caller
// then fails the whole Update.
func (tx *Tx) Import(r io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return fmt.Errorf("registry: reading the .reg text: %w", err)
	}
	if len(raw) > maxFile {
		return fmt.Errorf("registry: the .reg text is larger than %d bytes", maxFile)
	}
	raw = bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))
	if body, ok := bytes.CutPrefix(raw, []byte("\xFF\xFE")); ok {
		raw = []byte(utf16Text(body))
	}
	p := &regParser{tx: tx, sc: bufio.NewScanner(bytes.NewReader(raw))}
	p.sc.Buffer(make([]byte, 0, 4096), maxFile)
	if err := p.run(); err != nil {
		return &ParseError{Line: p.line, Msg: strings.TrimPrefix(err.Error(), "registry: ")}
	}
	return nil
}

type regParser struct {
	tx    *Tx
	sc    *bufio.Scanner
	line  int
	key   string
	inKey bool
	skip  bool // inside [-KEY]
}

func (p *regParser) run() error {
	header := false
	for p.sc.Scan() {
		p.line++
		line := strings.TrimSpace(p.sc.Text())
		switch {
		case line == "" || line[0] == ';':
			continue
		case !header:
			if line != regHeader {
				return fmt.Errorf("the first line is not %q", regHeader)
			}
			header = true
		case line[0] == '[':
			if err := p.section(line); err != nil {
				return err
			}
		default:
			if err := p.value(line); err != nil {
				return err
			}
		}
	}
	if err := p.sc.Err(); err != nil {
		return err
	}
	if !header {
		return fmt.Errorf("the line %q is missing", regHeader)
	}
	return nil
}

func (p *regParser) section(line string) error {
	end := strings.LastIndexByte(line, ']')
	if end < 0 {
		return errors.New("a key without its closing bracket")
	}
	if rest := strings.TrimSpace(line[end+1:]); rest != "" && rest[0] != ';' {
		return errors.New("text behind the closing bracket of a key")
	}
	key := line[1:end]
	p.inKey = true
	if del, ok := strings.CutPrefix(key, "-"); ok {
		p.skip = true
		return p.tx.DeleteKey(del)
	}
	p.skip, p.key = false, key
	return p.tx.CreateKey(key)
}

func (p *regParser) value(line string) error {
	if !p.inKey {
		return errors.New("a value before the first key")
	}
	name, rest := "", ""
	if at, ok := strings.CutPrefix(line, "@"); ok {
		rest = at
	} else {
		var err error
		if name, rest, err = unquote(line); err != nil {
			return err
		}
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(rest), "=")
	if !ok {
		return errors.New("a value without =")
	}
	rest = strings.TrimSpace(rest)
	if p.skip {
		return errors.New("a value below a key that is being deleted")
	}
	if rest == "-" {
		return p.tx.Delete(p.key, name)
	}
	v, err := p.data(rest)
	if err != nil {
		return err
	}
	return p.tx.Set(p.key, name, v)
}

func (p *regParser) data(s string) (Value, error) {
	if strings.HasPrefix(s, `"`) {
		text, rest, err := unquote(s)
		if err != nil {
			return Value{}, err
		}
		if rest = strings.TrimSpace(rest); rest != "" && rest[0] != ';' {
			return Value{}, errors.New("text behind the closing quote")
		}
		return SZ(text), nil
	}
	kind, body, ok := strings.Cut(s, ":")
	if !ok {
		return Value{}, errors.New(`data is neither "text", dword: nor hex:`)
	}
	kind = strings.ToLower(strings.TrimSpace(kind))
	if kind == "dword" {
		n, err := strconv.ParseUint(strings.TrimSpace(body), 16, 32)
		if err != nil {
			return Value{}, errors.New("dword: wants up to 8 hexadecimal digits")
		}
		return DWORD(uint32(n)), nil
	}
	typ := uint64(TypeBinary)
	if kind != "hex" {
		num, ok := strings.CutPrefix(kind, "hex(")
		num, ok2 := strings.CutSuffix(num, ")")
		var err error
		if typ, err = strconv.ParseUint(num, 16, 32); err != nil || !ok || !ok2 {
			return Value{}, fmt.Errorf("unknown data type %q", clip(kind))
		}
	}
	b, err := p.hexBytes(body)
	if err != nil {
		return Value{}, err
	}
	return FromBytes(Type(typ), b)
}

// hexBytes reads comma-separated pairs and follows lines that end in a backslash.
func (p *regParser) hexBytes(s string) ([]byte, error) {
	var out []byte
	for {
		line, more := strings.CutSuffix(strings.TrimSpace(s), `\`)
		for pair := range strings.SplitSeq(line, ",") {
			if pair = strings.TrimSpace(pair); pair == "" {
				continue
			}
			n, err := strconv.ParseUint(pair, 16, 8)
			if err != nil {
				return nil, fmt.Errorf("%q is not a hexadecimal byte", clip(pair))
			}
			out = append(out, byte(n))
		}
		if len(out) > 2*maxData+4 {
			return nil, fmt.Errorf("data above %d bytes", 2*maxData)
		}
		if !more {
			return out, nil
		}
		if !p.sc.Scan() {
			return nil, errors.New("the text ends inside hex data")
		}
		p.line++
		s = p.sc.Text()
	}
}

// unquote reads a quoted string at the start of s and returns what follows it.
func unquote(s string) (text, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", errors.New("a quoted name is missing")
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", "", errors.New(`a backslash that is neither \\ nor \"`)
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("a quote without its end")
}

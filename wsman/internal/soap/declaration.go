package soap

import (
	"bytes"
	"strings"
)

// declaration reads the XML declaration, if there is one. The version must be
// 1.x, and the encoding it names must be one that is supported: UTF-8 text
// may not claim to be something else, while transcoded text claims UTF-16.
// See XML 1.0 section 2.8.
func (r *Reader) declaration() error {
	const open = "<?xml"
	d := r.data
	if len(d) <= len(open) || string(d[:len(open)]) != open || class[d[len(open)]]&cSpace == 0 {
		return nil
	}
	n := bytes.Index(d, []byte("?>"))
	if n < 0 {
		return r.fail(0, "XML declaration without an end", nil)
	}
	rest := d[len(open):n]
	step := 0 // version, encoding, standalone: in this order
	for {
		name, value, tail, ok := pseudoAttr(rest)
		if !ok {
			return r.fail(0, "XML declaration is malformed", nil)
		}
		if name == "" {
			break
		}
		rest = tail
		switch {
		case name == "version" && step == 0:
			if len(value) < 3 || value[:2] != "1." || strings.Trim(value[2:], "0123456789") != "" {
				return r.fail(0, "XML version is not 1.0", nil)
			}
			step = 1
		case name == "encoding" && step == 1:
			if err := r.checkEncoding(value); err != nil {
				return err
			}
			step = 2
		case name == "standalone" && (step == 1 || step == 2) && (value == "yes" || value == "no"):
			step = 3
		default:
			return r.fail(0, "XML declaration is malformed", nil)
		}
	}
	if step == 0 {
		return r.fail(0, "XML declaration without a version", nil)
	}
	r.pos = n + 2
	return nil
}

func (r *Reader) checkEncoding(name string) error {
	switch strings.ToLower(name) {
	case "utf-8", "us-ascii":
		if r.enc == UTF8 {
			return nil
		}
	case "utf-16", "utf-16le", "utf-16be":
		if r.enc != UTF8 {
			return nil
		}
	}
	return r.fail(0, "the XML declaration names another encoding than the text has", ErrEncoding)
}

// pseudoAttr reads one name="value" of the XML declaration. At its end the
// name is empty.
func pseudoAttr(s []byte) (name, value string, rest []byte, ok bool) {
	t := TrimSpace(s)
	if len(t) == 0 {
		return "", "", nil, true
	}
	if class[s[0]]&cSpace == 0 {
		return "", "", nil, false
	}
	i := bytes.IndexByte(t, '=')
	if i < 0 {
		return "", "", nil, false
	}
	name = string(TrimSpace(t[:i]))
	t = TrimSpace(t[i+1:])
	if name == "" || len(t) < 2 || t[0] != '"' && t[0] != '\'' {
		return "", "", nil, false
	}
	j := bytes.IndexByte(t[1:], t[0])
	if j < 0 {
		return "", "", nil, false
	}
	return name, string(t[1 : 1+j]), t[1+j+1:], true
}

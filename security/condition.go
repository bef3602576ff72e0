package security

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// conditionSignature begins the data of an entry that holds a condition. See [MS-DTYP] 2.4.4.17.4.
const conditionSignature = "artx"

// maxConditionDepth bounds parentheses and negations within each other.
const maxConditionDepth = 64

// Byte codes of conditions. See [MS-DTYP] 2.4.4.17.5 to 2.4.4.17.8.
const (
	codeInt64     = 0x04
	codeString    = 0x10
	codeOctets    = 0x18
	codeComposite = 0x50
	codeSID       = 0x51
	codeAnd       = 0xa0
	codeOr        = 0xa1
	codeNot       = 0xa2
	codeLocal     = 0xf8
	codeUser      = 0xf9
	codeResource  = 0xfa
	codeDevice    = 0xfb
)

type conditionOp struct {
	name string
	code byte
}

// memberOps take SIDs, existsOps an attribute, wordOps and signOps an attribute and a value. signOps lists the
// longer sign first.
var (
	memberOps = []conditionOp{{"Member_of", 0x89}, {"Device_Member_of", 0x8a}, {"Member_of_Any", 0x8b},
		{"Device_Member_of_Any", 0x8c}, {"Not_Member_of", 0x90}, {"Not_Device_Member_of", 0x91},
		{"Not_Member_of_Any", 0x92}, {"Not_Device_Member_of_Any", 0x93}}
	existsOps = []conditionOp{{"Exists", 0x87}, {"Not_Exists", 0x8d}}
	wordOps   = []conditionOp{{"Contains", 0x86}, {"Any_of", 0x88}, {"Not_Contains", 0x8e}, {"Not_Any_of", 0x8f}}
	signOps   = []conditionOp{{"==", 0x80}, {"!=", 0x81}, {"<=", 0x83}, {">=", 0x85}, {"<", 0x82}, {">", 0x84}}
	nameKinds = []conditionOp{{"@User.", codeUser}, {"@Resource.", codeResource}, {"@Device.", codeDevice}}
)

func opByName(ops []conditionOp, name string) byte {
	for _, o := range ops {
		if strings.EqualFold(o.name, name) {
			return o.code
		}
	}
	return 0
}

func opByCode(ops []conditionOp, code byte) string {
	for _, o := range ops {
		if o.code == code {
			return o.name
		}
	}
	return ""
}

// conditional reports whether entries of this type have a condition that SDDL can write.
func (t ACEType) conditional() bool {
	switch t {
	case AccessAllowedCallback, AccessDeniedCallback, SystemAuditCallback, AccessAllowedCallbackObject:
		return true
	}
	return false
}

// parseACEData reads the seventh field of an entry: a condition in parentheses, or, also for resource
// attributes, the bytes of the field as #hexadecimal digits.
func parseACEData(t ACEType, text string, d Domains) ([]byte, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, nil
	case t.conditional() && text[0] == '(':
		return compileCondition(text, d)
	case !t.conditional() && t != SystemResourceAttribute:
		return nil, fmt.Errorf("a seventh field in an entry of type %s, which takes none", t)
	case text[0] != '#':
		return nil, fmt.Errorf("the field %.40q is not supported; give its bytes as #hexadecimal", text)
	}
	b, err := hex.DecodeString(text[1:])
	if err != nil || len(b)%4 != 0 || len(b) > maxACESize {
		return nil, fmt.Errorf("data %.40q is not # and a multiple of 4 hexadecimal bytes", text)
	}
	return b, nil
}

// formatACEData prints the seventh field of an entry: a condition as text when that text stands for exactly these
// bytes, else #hexadecimal digits. Data that an ordinary entry carries means nothing and is left out.
func formatACEData(t ACEType, data []byte, d Domains) (string, error) {
	if len(data) == 0 || !t.conditional() && t != SystemResourceAttribute {
		return "", nil
	}
	if t.conditional() {
		if text, ok := printCondition(data, d); ok {
			if back, err := compileCondition(text, d); err == nil && string(back) == string(data) {
				return text, nil
			}
		}
	}
	return "#" + hex.EncodeToString(data), nil
}

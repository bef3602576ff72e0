package security

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// carriesData reports whether entries of this type have a seventh SDDL field.
func (t ACEType) carriesData() bool {
	switch t {
	case AccessAllowedCallback, AccessDeniedCallback, SystemAuditCallback, AccessAllowedCallbackObject, SystemResourceAttribute:
		return true
	}
	return false
}

// parseACEData reads the seventh field of an entry: here only its bytes, as #hexadecimal digits, which is how
// formatACEData prints a condition or attribute.
func parseACEData(t ACEType, text string, _ Domains) ([]byte, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, nil
	case !t.carriesData():
		return nil, fmt.Errorf("a seventh field in an entry of type %s, which takes none", t)
	case text[0] != '#':
		return nil, fmt.Errorf("the expression %.40q is not supported; give the bytes of the entry as #hexadecimal", text)
	}
	b, err := hex.DecodeString(text[1:])
	if err != nil || len(b)%4 != 0 || len(b) > maxACESize {
		return nil, fmt.Errorf("data %.40q is not # and a multiple of 4 hexadecimal bytes", text)
	}
	return b, nil
}

// formatACEData prints the seventh field of an entry. Data that an ordinary entry carries means nothing and is
// left out.
func formatACEData(t ACEType, data []byte, _ Domains) (string, error) {
	if len(data) == 0 || !t.carriesData() {
		return "", nil
	}
	return "#" + hex.EncodeToString(data), nil
}

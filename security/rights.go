package security

import (
	"fmt"
	"strconv"
	"strings"
)

// Access rights that all objects share. See [MS-DTYP] 2.4.3.
const (
	GenericRead          uint32 = 0x80000000
	GenericWrite         uint32 = 0x40000000
	GenericExecute       uint32 = 0x20000000
	GenericAll           uint32 = 0x10000000
	MaximumAllowed       uint32 = 0x02000000
	AccessSystemSecurity uint32 = 0x01000000
	Synchronize          uint32 = 0x00100000
	WriteOwner           uint32 = 0x00080000
	WriteDAC             uint32 = 0x00040000
	ReadControl          uint32 = 0x00020000
	Delete               uint32 = 0x00010000
)

// Rights of files and registry keys as SDDL names them. See [MS-DTYP] 2.5.1.1.
const (
	FileAll     uint32 = 0x001F01FF
	FileExecute uint32 = 0x001200A0
	FileWrite   uint32 = 0x00120116
	FileRead    uint32 = 0x00120089
	KeyAll      uint32 = 0x000F003F
	KeyRead     uint32 = 0x00020019
	KeyExecute  uint32 = 0x00020019
	KeyWrite    uint32 = 0x00020006
)

const genericBits = GenericRead | GenericWrite | GenericExecute | GenericAll

type right struct {
	token string
	mask  uint32
}

// wholeRights are tokens that stand for a whole mask; they are printed only when the mask is exactly theirs.
var wholeRights = []right{
	{"FA", FileAll}, {"FX", FileExecute}, {"FW", FileWrite}, {"FR", FileRead},
	{"KA", KeyAll}, {"KR", KeyRead}, {"KW", KeyWrite}, {"KX", KeyExecute},
}

// bitRights are tokens of one bit, from the lowest bit up, which is also the order of printing.
var bitRights = []right{
	{"CC", 0x1}, {"DC", 0x2}, {"LC", 0x4}, {"SW", 0x8}, {"RP", 0x10}, {"WP", 0x20}, {"DT", 0x40}, {"LO", 0x80},
	{"CR", 0x100}, {"SD", Delete}, {"RC", ReadControl}, {"WD", WriteDAC}, {"WO", WriteOwner},
	{"GA", GenericAll}, {"GX", GenericExecute}, {"GW", GenericWrite}, {"GR", GenericRead},
}

// labelRights are the policy bits of a mandatory label. See [MS-DTYP] 2.4.4.13.
var labelRights = []right{{"NW", 0x1}, {"NR", 0x2}, {"NX", 0x4}}

var rightByToken = make(map[string]uint32)

func init() {
	for _, table := range [][]right{wholeRights, bitRights, labelRights} {
		for _, r := range table {
			rightByToken[r.token] = r.mask
		}
	}
}

// ParseRights reads the rights field of an SDDL entry: two-letter names in a row, or one number (0x hexadecimal,
// 0 octal, else decimal). An empty text is the empty mask. See [MS-DTYP] 2.5.1.1.
func ParseRights(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	if text[0] >= '0' && text[0] <= '9' {
		if strings.ContainsRune(text, '_') || (len(text) > 1 && text[0] == '0' && strings.ContainsAny(text[1:2], "bBoO")) {
			return 0, fmt.Errorf("access mask %.40q is not a number", text)
		}
		v, err := strconv.ParseUint(text, 0, 32)
		if err != nil {
			return 0, fmt.Errorf("access mask %.40q is not a 32-bit number", text)
		}
		return uint32(v), nil
	}
	var mask uint32
	for rest := text; rest != ""; rest = rest[2:] {
		if len(rest) < 2 {
			return 0, fmt.Errorf("access rights %.40q end in half a name", text)
		}
		m, ok := rightByToken[strings.ToUpper(rest[:2])]
		if !ok {
			return 0, fmt.Errorf("unknown access right %q in %.40q", rest[:2], text)
		}
		mask |= m
	}
	return mask, nil
}

// FormatRights prints an access mask as SDDL does: a file or key name that fits exactly, else names of single
// bits, else a hexadecimal number when a bit has no name. The empty mask prints as the empty string.
func FormatRights(mask uint32) string {
	for _, r := range wholeRights {
		if r.mask == mask {
			return r.token
		}
	}
	return formatBits(mask, bitRights)
}

// formatBits prints mask with one-bit tokens, or in hexadecimal when they do not cover it.
func formatBits(mask uint32, table []right) string {
	var b strings.Builder
	rest := mask
	for _, r := range table {
		if rest&r.mask != 0 {
			b.WriteString(r.token)
			rest &^= r.mask
		}
	}
	if rest != 0 {
		return fmt.Sprintf("0x%x", mask)
	}
	return b.String()
}

// GenericMapping says what the four generic rights mean for one kind of object. The zero value keeps them as
// they are, with GENERIC_ALL including the other three: right for objects whose own rights are the generic
// ones, such as the resources of WS-Management.
type GenericMapping struct {
	Read, Write, Execute, All uint32
}

// FileMapping and KeyMapping are the mappings of files and registry keys.
var (
	FileMapping = GenericMapping{Read: FileRead, Write: FileWrite, Execute: FileExecute, All: FileAll}
	KeyMapping  = GenericMapping{Read: KeyRead, Write: KeyWrite, Execute: KeyExecute, All: KeyAll}
)

// Map replaces the generic bits of mask by what they mean.
func (m GenericMapping) Map(mask uint32) uint32 {
	if mask&genericBits == 0 {
		return mask
	}
	m = m.orIdentity()
	out := mask &^ genericBits
	if mask&GenericRead != 0 {
		out |= m.Read
	}
	if mask&GenericWrite != 0 {
		out |= m.Write
	}
	if mask&GenericExecute != 0 {
		out |= m.Execute
	}
	if mask&GenericAll != 0 {
		out |= m.All
	}
	return out
}

// orIdentity gives the zero mapping its documented meaning.
func (m GenericMapping) orIdentity() GenericMapping {
	if m == (GenericMapping{}) {
		return GenericMapping{GenericRead, GenericWrite, GenericExecute, genericBits}
	}
	return m
}

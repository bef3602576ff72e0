package wmitool

import (
	"fmt"
	"slices"
	"strings"
)

// right is one right in a namespace with the label that WMI Control gives it.
type right struct {
	mask  uint32
	label string
}

// rights are in the order of WMI Control. Full Write includes the two kinds of
// writing below it: a descriptor with the one and without the others is
// refused. See spec/wmi.md 5.7 and the pages "Namespace Access Rights
// Constants" and "SetSD" of the WMI documentation.
var rights = []right{
	{0x2, "Execute Methods"},
	{0x4 | 0x8 | 0x10, "Full Write"},
	{0x8, "Partial Write"},
	{0x10, "Provider Write"},
	{0x1, "Enable Account"},
	{0x20, "Remote Enable"},
	{0x20000, "Read Security"},
	{0x40000, "Edit Security"},
}

// AllRights are all rights in a namespace.
const AllRights uint32 = 0x6003F

// ParseRights reads labels, which may be shortened to their letters
// ("RemoteEnable") and stand case-blind with commas between; "All" is all of
// them.
func ParseRights(text string) (uint32, error) {
	var mask uint32
	for word := range strings.SplitSeq(text, ",") {
		want := plain(word)
		n := slices.IndexFunc(rights, func(r right) bool { return plain(r.label) == want })
		switch {
		case want == "all":
			mask |= AllRights
		case n < 0:
			return 0, fmt.Errorf("%q is no right of a namespace; there are %s, and All", strings.TrimSpace(word), labels(AllRights))
		default:
			mask |= rights[n].mask
		}
	}
	return mask, nil
}

func plain(label string) string {
	label = strings.ToLower(strings.Trim(strings.TrimSpace(label), `"'`))
	return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(label)
}

// FormatRights lists the labels of a mask; bits without a label stand as a
// number at the end.
func FormatRights(mask uint32) string {
	text := labels(mask)
	if rest := mask &^ AllRights; rest != 0 {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("0x%X", rest)
	}
	return text
}

func labels(mask uint32) string {
	var list []string
	for _, r := range rights {
		if mask&r.mask == r.mask {
			list = append(list, r.label)
		}
	}
	return strings.Join(list, ", ")
}

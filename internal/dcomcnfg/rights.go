package dcomcnfg

import (
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
)

// right is one row of a page of permissions.
type right struct {
	word  string // as a command line has it
	label string // as the page has it
	mask  uint32 // what a tick grants or denies
	takes uint32 // what goes when the tick goes
}

// The rows of the three kinds of page. See "Access Control Lists for COM"; those of
// the configuration permission are rights of a registry key.
var (
	launchRights = []right{
		{"local-launch", "Local Launch", settings.COMExecuteLocal, settings.COMExecuteLocal},
		{"remote-launch", "Remote Launch", settings.COMExecuteRemote, settings.COMExecuteRemote},
		{"local-activation", "Local Activation", settings.COMActivateLocal, settings.COMActivateLocal},
		{"remote-activation", "Remote Activation", settings.COMActivateRemote, settings.COMActivateRemote},
	}
	accessRights = []right{
		{"local-access", "Local Access", settings.COMExecuteLocal, settings.COMExecuteLocal},
		{"remote-access", "Remote Access", settings.COMExecuteRemote, settings.COMExecuteRemote},
	}
	configRights = []right{
		{"full", "Full Control", security.KeyAll, security.KeyAll &^ security.KeyRead},
		{"read", "Read", security.KeyRead, security.KeyAll},
	}
)

func rightsOf(s settings.COMSetting) []right {
	switch {
	case s == settings.WMIConfigure:
		return configRights
	case s.IsAccess():
		return accessRights
	}
	return launchRights
}

// parseRights reads words with commas between: which bits their ticks set and take.
// COMExecute stands in every entry of COM beside them.
func parseRights(s settings.COMSetting, text string) (mask, takes uint32, err error) {
	rights := rightsOf(s)
	for word := range strings.SplitSeq(text, ",") {
		want := plain(word)
		n := slices.IndexFunc(rights, func(r right) bool { return plain(r.word) == want })
		if n < 0 {
			return 0, 0, fmt.Errorf("%w: %q is no right of %s; it has %s", ErrUsage, strings.TrimSpace(word), s.ValueName(), words(rights))
		}
		mask |= rights[n].mask
		takes |= rights[n].takes
	}
	if s != settings.WMIConfigure {
		mask |= settings.COMExecute
	}
	return mask, takes, nil
}

func plain(word string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(strings.TrimSpace(word)))
}

func words(rights []right) string {
	var list []string
	for _, r := range rights {
		list = append(list, r.word)
	}
	return strings.Join(list, ", ")
}

// all is what the rows of a page grant together.
func all(s settings.COMSetting) uint32 {
	var mask uint32
	for _, r := range rightsOf(s) {
		mask |= r.mask
	}
	if s != settings.WMIConfigure {
		mask |= settings.COMExecute
	}
	return mask
}

// formatRights lists the labels of an entry; what no row shows stands as a number.
func formatRights(s settings.COMSetting, mask uint32) string {
	rest, note := mask, ""
	if s == settings.WMIConfigure {
		rest = security.KeyMapping.Map(mask)
	} else {
		if oldFormat(mask) {
			mask, rest, note = mask|all(s), mask, " (old format)"
		}
		rest &^= settings.COMExecute
	}
	var list []string
	for _, r := range rightsOf(s) {
		if m := security.KeyMapping.Map(mask); m&r.mask == r.mask {
			if r.mask&^rest != 0 && s == settings.WMIConfigure {
				continue // Full Control says it already
			}
			list = append(list, r.label)
			rest &^= r.mask
		}
	}
	// The bits that launching and access do not share are common in access
	// descriptors that were written with all of them.
	if s.IsAccess() {
		rest &^= settings.COMActivateLocal | settings.COMActivateRemote
	}
	if rest != 0 {
		list = append(list, fmt.Sprintf("0x%X", rest))
	}
	return strings.Join(list, ", ") + note
}

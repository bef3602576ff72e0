package settings

import (
	"fmt"
	"strings"

	"github.com/casementhq/casement/registry"
)

// Defaults chooses a set of default values.
type Defaults uint8

// The sets: Current is that of present Windows versions and the default; Documented has
// the values that the Windows documentation printed in its installation guide.
const (
	Current Defaults = iota
	Documented
)

// String returns "current" or "documented".
func (d Defaults) String() string {
	if d == Documented {
		return "documented"
	}
	return "current"
}

// ParseDefaults reads "current" or "documented" in any case.
func ParseDefaults(s string) (Defaults, error) {
	switch strings.ToLower(s) {
	case "current":
		return Current, nil
	case "documented":
		return Documented, nil
	}
	return Current, fmt.Errorf("settings: defaults %q: want current or documented", clip(s))
}

// LoadDefaults reads the chosen set from the hive; absent or damaged is Current.
func LoadDefaults(r Reader) Defaults {
	v, _, _ := r.Value(KeyCasement, "Defaults")
	s, _ := v.Text()
	d, err := ParseDefaults(s)
	if err != nil {
		return Current
	}
	return d
}

// Change is the registry change that persists the choice.
func (d Defaults) Change() Change {
	return Change{Key: KeyCasement, Name: "Defaults", Value: registry.SZ(d.String())}
}

package machine

import (
	"fmt"
	"strconv"
	"strings"
)

// EventIDs is a filter of event IDs in Server Manager's grammar: numbers and
// ranges, divided by commas, where a minus before one leaves it out again:
// "1,3,5-99,-76". "" is every ID; one that only leaves out takes all others. See
// spec/winrm.md 9.
type EventIDs string

// maxEventIDs bounds the parts of a filter.
const maxEventIDs = 200

type idRange struct{ from, to uint64 }

// parse reads the filter.
func (f EventIDs) parse() (in, out []idRange, err error) {
	if strings.TrimSpace(string(f)) == "" {
		return nil, nil, nil
	}
	parts := strings.Split(string(f), ",")
	if len(parts) > maxEventIDs {
		return nil, nil, fmt.Errorf("event IDs: more than %d parts", maxEventIDs)
	}
	for _, part := range parts {
		text := strings.TrimSpace(part)
		list := &in
		if rest, leaves := strings.CutPrefix(text, "-"); leaves {
			text, list = strings.TrimSpace(rest), &out
		}
		from, to, isRange := strings.Cut(text, "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.ParseUint(strings.TrimSpace(from), 10, 32)
		b, errB := strconv.ParseUint(strings.TrimSpace(to), 10, 32)
		if errA != nil || errB != nil || a > b {
			return nil, nil, fmt.Errorf("event IDs: %q is not a number, a range such as 5-99, or one of these after a minus", part)
		}
		*list = append(*list, idRange{a, b})
	}
	return in, out, nil
}

// Check says what is wrong with the filter.
func (f EventIDs) Check() error {
	_, _, err := f.parse()
	return err
}

// Match tells whether an ID passes; a filter that is wrong lets nothing pass.
func (f EventIDs) Match(id uint64) bool { return f.Matcher()(id) }

// Matcher is Match for many IDs.
func (f EventIDs) Matcher() func(id uint64) bool {
	in, out, err := f.parse()
	within := func(list []idRange, id uint64) bool {
		for _, r := range list {
			if r.from <= id && id <= r.to {
				return true
			}
		}
		return false
	}
	return func(id uint64) bool {
		return err == nil && (len(in) == 0 || within(in, id)) && !within(out, id)
	}
}

package console

import (
	"strings"
	"time"
)

// parseFilter reads the filter of the table of servers: see spec/console.md 3.2.
func parseFilter(q string) (func(e Entry, now time.Time) bool, error) {
	words := strings.Fields(strings.ToLower(q))
	return func(e Entry, now time.Time) bool {
		for _, w := range words {
			if !matchesWord(e, w, now) {
				return false
			}
		}
		return true
	}, nil
}

// matchesWord tells whether a column that is shown at first has a word in it.
func matchesWord(e Entry, word string, now time.Time) bool {
	for _, col := range serverColumns {
		if strings.Contains(strings.ToLower(col.cell(e, now).Text), word) {
			return true
		}
	}
	return false
}

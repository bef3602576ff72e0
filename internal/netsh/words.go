package netsh

import (
	"fmt"
	"slices"
	"strings"
)

// words are what is left of a line.
type words []string

// next takes one of the keywords off the line. A keyword may be shortened as long as it stays the only one, and case does
// not count, as on Windows.
func (w *words) next(where string, keywords ...string) (string, error) {
	if len(*w) == 0 {
		return "", refuse("The command %s is not whole: %s is missing.\n%s", where, strings.Join(keywords, ", "), hint)
	}
	token := (*w)[0]
	found, ok := keyword(token, keywords)
	if !ok {
		return "", refuse("The following command was not found: %s.\nBehind %q stands one of: %s. %s", quoted(token), where, strings.Join(keywords, ", "), hint)
	}
	*w = (*w)[1:]
	return found, nil
}

const hint = "'netsh /?' shows the syntax."

// keyword finds the keyword that a token is, or is the beginning of.
func keyword(token string, keywords []string) (string, bool) {
	var found []string
	for _, k := range keywords {
		if strings.EqualFold(k, token) {
			return k, true
		}
		if token != "" && len(token) < len(k) && strings.EqualFold(k[:len(token)], token) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}

// done refuses what is left.
func (w words) done(where string) error {
	if len(w) > 0 {
		return invalid(w[0], "%q takes nothing more", where)
	}
	return nil
}

// quoted shows a token of a line, whatever is in it, shortened.
func quoted(token string) string {
	if r := []rune(token); len(r) > 100 {
		token = string(r[:100]) + "…"
	}
	return fmt.Sprintf("%q", token)
}

// invalid refuses a token, in the words of Windows with the reason behind.
func invalid(token, format string, args ...any) error {
	return refuse("A specified value is not valid: %s: %s.\n%s", quoted(token), fmt.Sprintf(format, args...), hint)
}

// pair is one name=value of a line, as the line has it.
type pair struct {
	name, value string
	token       string
}

// pairs reads name=value up to the end of the line, or to a word of stop.
func pairs(line words, known []string, stop ...string) (list []pair, rest words, err error) {
	line = joined(line, known, stop)
	for n, token := range line {
		if isOneOf(token, stop) {
			return list, line[n:], nil
		}
		name, value, ok := strings.Cut(token, "=")
		if !ok {
			return nil, nil, invalid(token, "want name=value; a value with blanks stands in double quotes")
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(known, name) {
			return nil, nil, invalid(token, "%s is not one of %s", quoted(name), strings.Join(known, ", "))
		}
		if slices.ContainsFunc(list, func(p pair) bool { return p.name == name }) {
			return nil, nil, invalid(token, "%s stands twice", name)
		}
		list = append(list, pair{name, value, token})
	}
	return list, nil, nil
}

// joined joins what blanks around a sign of equality tear apart, as the documents have it: name ="WMI", action = allow.
func joined(line words, known, stop []string) words {
	var out words
	for len(line) > 0 {
		token := line[0]
		line = line[1:]
		if !strings.Contains(token, "=") && len(line) > 0 && strings.HasPrefix(line[0], "=") {
			token += line[0]
			line = line[1:]
		}
		if name, value, ok := strings.Cut(token, "="); ok && value == "" && isOneOf(name, known) && len(line) > 0 && !begins(line[0], known, stop) {
			token += line[0]
			line = line[1:]
		}
		out = append(out, token)
	}
	return out
}

// begins tells whether a word is the beginning of something else than the value before it.
func begins(word string, known, stop []string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && isOneOf(name, known) || isOneOf(word, stop)
}

func isOneOf(word string, list []string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, word) })
}

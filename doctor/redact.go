package doctor

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// Redacted is a copy without names of machines and accounts, addresses and
// thumbprints, to be shown to others. Words stand in their places, the same for
// the same.
func (r *Report) Redacted() *Report {
	c := *r
	b, err := json.Marshal(r)
	if err != nil || json.Unmarshal(b, &c) != nil {
		return &Report{Schema: Schema, Verdict: r.Verdict} // cannot be: it was made of what JSON has
	}
	words := r.secretWords()
	hide := func(s string) string { return hideWords(s, words) }
	c.walk(hide)
	return &c
}

// secretWords are the names that a report must not show, and what stands for each.
func (r *Report) secretWords() map[string]string {
	words := map[string]string{}
	add := func(name, word string) {
		if len(name) > 1 {
			words[name] = word
		}
	}
	host := r.Target.Input
	add(host, "HOST")
	if _, err := netip.ParseAddr(host); err != nil {
		label, _, _ := strings.Cut(host, ".")
		add(label, "HOST")
		if _, domain, ok := strings.Cut(host, "."); ok {
			add(domain, "DOMAIN")
		}
	}
	add(r.From, "CONSOLE")
	domain, user := splitAccount(r.Account)
	add(r.Account, "ACCOUNT")
	add(user, "ACCOUNT")
	add(domain, "DOMAIN")
	return words
}

var (
	ipv4Text   = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	ipv6Text   = regexp.MustCompile(`[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*`)
	thumbText  = regexp.MustCompile(`\b[0-9A-Fa-f]{40}(?:[0-9A-Fa-f]{24})?\b`)
	sidText    = regexp.MustCompile(`\bS-1-5-21(?:-\d+)+\b`)
	domainText = regexp.MustCompile(`(?i)\b[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.(?:example|local|corp|lan|internal|com|net|org|test)\b`)
)

func hideWords(s string, words map[string]string) string {
	var names []string
	for n := range words {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool { return len(names[i]) > len(names[j]) })
	for _, n := range names {
		s = regexp.MustCompile(`(?i)(^|[^A-Za-z0-9])`+regexp.QuoteMeta(n)+`($|[^A-Za-z0-9])`).ReplaceAllString(s, "${1}"+words[n]+"${2}")
	}
	for _, text := range []*regexp.Regexp{ipv4Text, ipv6Text} {
		s = text.ReplaceAllStringFunc(s, func(a string) string {
			if _, err := netip.ParseAddr(a); err != nil {
				return a // a version, a time
			}
			return "ADDRESS"
		})
	}
	s = thumbText.ReplaceAllString(s, "THUMBPRINT")
	s = sidText.ReplaceAllString(s, "SID")
	return domainText.ReplaceAllString(s, "NAME")
}

// walk changes every text that may name something. Lists are made anew: those of
// remedies may be shared by reports.
func (r *Report) walk(f func(string) string) {
	each := func(list []string) []string {
		list = slices.Clone(list)
		for n := range list {
			list[n] = f(list[n])
		}
		return list
	}
	r.Target.Input, r.From, r.Account, r.Command = f(r.Target.Input), f(r.From), f(r.Account), f(r.Command)
	r.Target.Addresses = each(r.Target.Addresses)
	for t, s := range r.Summary {
		r.Summary[t] = f(s)
	}
	cause := func(c *Cause) {
		c.Title, c.Test = f(c.Title), f(c.Test)
		c.For, c.Against = each(c.For), each(c.Against)
	}
	if r.Cause != nil {
		cause(r.Cause)
	}
	for n := range r.Also {
		cause(&r.Also[n])
	}
	for n := range r.Checks {
		c := &r.Checks[n]
		c.Detail = f(c.Detail)
		for e := range c.Seen {
			c.Seen[e].Saw = f(c.Seen[e].Saw)
		}
	}
	for n := range r.Remedies {
		m := &r.Remedies[n]
		m.Effect, m.Verify = f(m.Effect), f(m.Verify)
		m.Commands, m.Undo = each(m.Commands), each(m.Undo)
	}
}

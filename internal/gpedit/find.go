package gpedit

import (
	"fmt"
	"slices"
	"strings"
)

// fold makes paths compare: without case, blanks and separators, so that a path from
// which a shell has eaten the backslashes is still that path.
func fold(s string) string { return strings.ToLower(separators.Replace(s)) }

var separators = strings.NewReplacer(" ", "", "\t", "", `\`, "", "/", "")

// endings are the folded ways to name a path: the whole of it, and without the parts at
// its begin.
func endings(path string) []string {
	parts := strings.Split(path, `\`)
	list := make([]string, len(parts))
	for i := range parts {
		list[i] = fold(strings.Join(parts[i:], ""))
	}
	return list
}

// Find returns the one policy of a name or path; parts at the begin of the path may be
// left out, and older names serve. The error says which ones a name may stand for.
func Find(arg string) (*Policy, error) {
	want := fold(arg)
	all := Policies()
	var found []*Policy
	for i := range all {
		p := &all[i]
		names := endings(p.Path())
		for _, older := range p.Older {
			names = append(names, endings(Root+`\`+p.Folder+`\`+older)...)
		}
		if slices.Contains(names, want) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("gpedit: there is no policy %q; 'gpedit list' shows all, a path or the name is wanted", clip(arg))
	}
	var paths strings.Builder
	for _, p := range found {
		paths.WriteString("\n  " + p.Path())
	}
	return nil, fmt.Errorf("gpedit: %q stands for more than one policy, name one of them with more of its path:%s", clip(arg), &paths)
}

// In returns the policies in a folder of the tree and below it, in the order of the tree.
// Parts at the begin of the path may be left out; "" is the whole tree.
func In(folder string) ([]Policy, error) {
	want := fold(folder)
	var found []Policy
	for _, p := range Policies() {
		parts := strings.Split(Root+`\`+p.Folder, `\`)
		for end := len(parts); end > 0; end-- {
			if want == "" || slices.Contains(endings(strings.Join(parts[:end], `\`)), want) {
				found = append(found, p)
				break
			}
		}
	}
	if found == nil {
		return nil, fmt.Errorf("gpedit: there is no folder %q in the tree; 'gpedit list' shows it", clip(folder))
	}
	return found, nil
}

func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}

package doctor

import (
	_ "embed"
	"strings"
)

//go:embed explain.txt
var explainText string

// Topics are what Explain knows, in order.
func Topics() []string {
	var list []string
	for line := range strings.Lines(explainText) {
		if head, ok := strings.CutPrefix(line, "# "); ok {
			name, _, _ := strings.Cut(head, ":")
			list = append(list, name)
		}
	}
	return list
}

// Explain gives the text of a topic, with a head line.
func Explain(topic string) (string, bool) {
	for section := range strings.SplitSeq("\n"+explainText, "\n# ") {
		head, body, _ := strings.Cut(section, "\n")
		name, title, _ := strings.Cut(head, ": ")
		if name != "" && strings.EqualFold(name, topic) {
			return name + ": " + title + "\n" + strings.TrimRight(body, "\n") + "\n", true
		}
	}
	return "", false
}

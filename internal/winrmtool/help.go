package winrmtool

import (
	"embed"
	"sort"
	"strings"
)

//go:embed help/*.txt
var helpFiles embed.FS

// helpText is a topic's text, "" for none.
func helpText(topic string) string {
	data, err := helpFiles.ReadFile("help/" + strings.ToLower(topic) + ".txt")
	if err != nil {
		return ""
	}
	return string(data)
}

// helpFor is the text of "winrm VERB -?", and of "winrm -?" for no verb.
func helpFor(verb string) string {
	if verb == "" || verb == "help" {
		return helpText("winrm")
	}
	return helpText("verb-" + verb)
}

// topics lists what "winrm help" knows beside the operations.
func topics() []string {
	files, _ := helpFiles.ReadDir("help")
	var list []string
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".txt")
		if name != "winrm" && !strings.HasPrefix(name, "verb-") {
			list = append(list, name)
		}
	}
	sort.Strings(list)
	return list
}

func (t *Tool) help(args []string) error {
	if len(args) == 0 {
		return t.print(helpText("winrm"))
	}
	topic := strings.ToLower(args[0])
	if verb := verbs[topic]; verb != "" {
		return t.print(helpFor(verb))
	}
	if strings.ContainsAny(topic, "/.") || strings.HasPrefix(topic, "verb-") || helpText(topic) == "" {
		return usage("there is no help on %q; the topics are %s", clip(args[0]), strings.Join(topics(), ", "))
	}
	return t.print(helpText(topic))
}

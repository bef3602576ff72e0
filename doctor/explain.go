package doctor

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/casementhq/casement/wsman"
)

//go:embed explain.txt
var explainText string

// codesText is the decision table of spec/wmi.md 1.9: row, codes, layer, cause,
// what answers it, what to do.
//
//go:embed codes.txt
var codesText string

// Topics are what Explain knows beside codes, in order.
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

// Explain gives the text of a topic, or of a code such as 0x80041003, with a head
// line.
func Explain(topic string) (string, bool) {
	for section := range strings.SplitSeq("\n"+explainText, "\n# ") {
		head, body, _ := strings.Cut(section, "\n")
		name, title, _ := strings.Cut(head, ": ")
		if name != "" && strings.EqualFold(name, topic) {
			return name + ": " + title + "\n" + strings.TrimRight(body, "\n") + "\n", true
		}
	}
	n, err := strconv.ParseUint(topic, 0, 32)
	if err != nil {
		return "", false
	}
	return explainCode(wsman.Code(n)) //nolint:gosec // of 32 bits
}

// row is one of the decision table.
type row struct {
	number                   int
	codes                    []string
	layer, cause, answer, do string
}

// rows are the decision table.
func rows() []row {
	var list []row
	for line := range strings.Lines(codesText) {
		f := strings.Split(strings.TrimSpace(line), "|")
		n, err := strconv.Atoi(f[0])
		if err != nil || len(f) != 6 {
			continue
		}
		list = append(list, row{n, strings.Fields(f[1]), f[2], f[3], f[4], f[5]})
	}
	return list
}

// explainCode lists what a code may come from; the codes of WinRM have a text of
// their own beside.
func explainCode(c wsman.Code) (string, bool) {
	code := hresult(c)
	var b strings.Builder
	fmt.Fprintln(&b, strings.TrimSpace(code+" "+winrmCodeName(c)))
	known := c.Known()
	if known {
		fmt.Fprintf(&b, "  %s\n", c.Text())
	}
	for _, r := range rows() {
		for _, own := range r.codes {
			if own == code {
				known = true
				fmt.Fprintf(&b, "  %s: %s\n      do: %s\n", r.layer, r.cause, r.do)
			}
		}
	}
	return b.String(), known
}

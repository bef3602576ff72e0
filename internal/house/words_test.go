package house

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Words that have no place in the tree. They are put together here so that this file does not hold them.
var forbidden = []struct {
	why string
	re  *regexp.Regexp
}{
	{"unfinished work", regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "X" + "XX"}, "|") + `)\b`)},
	{"unfinished work", regexp.MustCompile(`panic\("(not ` + `implemented|un` + `implemented)`)},
	{"a path of one machine", regexp.MustCompile(`(^|[^\w.~-])/(` + strings.Join([]string{"wo" + "rk", "fa" + "rm", "tm" + "p/c"}, "|") + `)/`)},
	{"a path of one machine", regexp.MustCompile(`/home/[a-z]+/|/Users/[A-Za-z]+/`)},
	{"a host of the workplace", regexp.MustCompile(`\b(files\.python` + `hosted|pypi|registry\.npm` + `js|proxy\.go` + `lang)\.org\b`)},
	{"words about who wrote it", regexp.MustCompile(`(?i)\b(chat` + `gpt|clau` + `de|anthro` + `pic|copi` + `lot|language ` + `model|` + `LL` + `M)\b`)},
}

func TestForbiddenWords(t *testing.T) {
	for _, name := range tracked(t) {
		data, err := os.ReadFile(filepath.Join(root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
			continue
		}
		for i, line := range strings.Split(string(data), "\n") {
			for _, f := range forbidden {
				if word := f.re.FindString(line); word != "" {
					t.Errorf("%s:%d: %q: %s", name, i+1, word, f.why)
				}
			}
		}
	}
}

func TestForbiddenWordsFire(t *testing.T) {
	for _, line := range []string{"// TO" + "DO later", "see /wo" + "rk/main", `panic("not ` + `implemented")`} {
		found := false
		for _, f := range forbidden {
			found = found || f.re.MatchString(line)
		}
		if !found {
			t.Errorf("nothing finds %q", line)
		}
	}
}

// Recorded traffic is read from CASEMENT_FIXTURES and never copied here.
func TestNoRecordings(t *testing.T) {
	for _, name := range tracked(t) {
		switch strings.ToLower(filepath.Ext(name)) {
		case ".pcap", ".pcapng", ".exe", ".dll", ".so", ".a", ".o", ".test":
			t.Errorf("%s does not belong in the tree", name)
		}
		if info, err := os.Stat(filepath.Join(root(t), name)); err == nil && info.Size() > 1<<20 {
			t.Errorf("%s has %d bytes; nothing in the tree is that large", name, info.Size())
		}
	}
}

package script

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var metricsURL = regexp.MustCompile(`url=(http://\S+/metrics)`)

// scrape reads the metrics of the service, or of who wrote the log that is named, as Prometheus does: into metrics.txt. With a pattern it does so until
// a line matches.
func scrape(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 2 {
		ts.Fatalf("usage: scrape [LOG [PATTERN]]")
	}
	log, pattern := "service.log", ""
	if len(args) > 0 {
		log = args[0]
	}
	if len(args) > 1 {
		pattern = args[1]
	}
	want, err := regexp.Compile("(?m)" + pattern)
	ts.Check(err)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		found := metricsURL.FindStringSubmatch(ts.ReadFile(log))
		if found == nil {
			ts.Fatalf("nobody tells where metrics are served: %s", ts.ReadFile(log))
		}
		answer, err := http.Get(found[1])
		ts.Check(err)
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		ts.Check(err)
		if answer.StatusCode != http.StatusOK {
			ts.Fatalf("%s: %s", answer.Status, text)
		}
		ts.Check(os.WriteFile(ts.MkAbs("metrics.txt"), text, 0o600))
		if want.Match(text) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no %s in %s\n%s", pattern, text, ts.ReadFile(log))
		}
	}
}

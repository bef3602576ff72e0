package script

import (
	"io"
	"net/http"
	"os"
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"
)

var metricsURL = regexp.MustCompile(`url=(http://\S+/metrics)`)

// scrape reads the metrics of the service, or of who wrote the log that is named, as Prometheus does: into metrics.txt.
func scrape(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: scrape [LOG]")
	}
	log := "service.log"
	if len(args) == 1 {
		log = args[0]
	}
	found := metricsURL.FindStringSubmatch(ts.ReadFile(log))
	if found == nil {
		ts.Fatalf("nobody tells where metrics are served: %s", ts.ReadFile(log))
	}
	answer, err := http.Get(found[1])
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if answer.StatusCode != http.StatusOK {
		ts.Fatalf("%s: %s", answer.Status, text)
	}
	ts.Check(os.WriteFile(ts.MkAbs("metrics.txt"), text, 0o600))
}

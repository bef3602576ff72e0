package cli

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/casementhq/casement/casementtest"
)

// On a terminal a work shows how far it is on one line, which is gone when it has
// ended; what failed is a table after it. Into a file goes no line of progress.
func TestPoolProgress(t *testing.T) {
	host := casementtest.New(t, casementtest.Options{})
	t.Setenv("CASEMENT_STATE", filepath.Join(t.TempDir(), "state"))
	pool := func(stdin string, args ...string) run {
		return cli(t, stdin, append([]string{"casement", "pool"}, args...)...)
	}
	pool(host.Password+"\n", "credential", "add", "ops", "--user", host.User, "--for", "all", "--password-stdin").want(t, 0)
	for _, name := range []string{"one", "two"} {
		pool("", "add", name, "--address", "127.0.0.1", "--endpoint", host.HTTP).want(t, 0)
	}
	pool("", "add", "dead", "--address", "127.0.0.1", "--endpoint", "http://127.0.0.1:9/wsman").want(t, 0)

	master, slave := pty(t)
	screen := shown(master)
	var out bytes.Buffer
	if code := Main([]string{"casement", "pool", "run", "all", "--", "sleep 0.3; echo hello"}, Streams{In: slave, Out: &out, Err: slave}); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if code := Main([]string{"casement", "pool", "refresh", "one,two"}, Streams{In: slave, Out: &out, Err: slave}); code != 0 {
		t.Errorf("exit code %d of a refresh", code)
	}
	if _, err := slave.WriteString("END OF TEST"); err != nil {
		t.Fatal(err)
	}
	text := <-screen
	for _, want := range []string{
		`\r\x1b\[K0 of 3( · \d running)?( · \d waiting)? · 0 s`,                                          // it began
		`\r\x1b\[K[012] of 3 .*running.* s`,                                                              // it went on
		`(?s)\d+ s\r\x1b\[K\r\n1 of 3 servers are not done:.*Server +State +Code +Words.*dead +failed +`, // the line is gone
		`\r\x1b\[K0 of 2( · \d running)?( · \d waiting)? · 0 s`,
		`\d+ s\r\x1b\[KEND OF TEST`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("the terminal does not show %q:\n%q", want, text)
		}
	}
	if text := out.String(); !strings.Contains(text, "one: hello") || !strings.Contains(text, "2 of 2 answer.") || strings.Contains(text, "\x1b") {
		t.Errorf("the output: %q", text)
	}
	if r := pool("", "run", "one,two", "--", "echo hello"); strings.Contains(r.err, " of 2") {
		t.Errorf("without a terminal: %q", r.err)
	}
}

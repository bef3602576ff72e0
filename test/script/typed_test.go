package script

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// typed types a line at the prompt of casement cmd, as it stands in a document, and
// checks the exit code: typed N LINE. What the script set with stdin answers its
// questions.
func typed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: typed N LINE")
	}
	file := ts.MkAbs("typed.cmd")
	ts.Check(os.WriteFile(file, []byte(strings.Join(args[1:], " ")+"\r\n"), 0o600))
	code(ts, false, []string{args[0], "casement", "cmd", file})
}

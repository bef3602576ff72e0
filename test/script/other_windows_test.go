package script

import "github.com/rogpeppe/go-internal/testscript"

func other(ts *testscript.TestScript, _ bool, _ []string) { ts.Fatalf("not on this system") }

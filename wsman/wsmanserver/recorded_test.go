package wsmanserver_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	requestLine  = regexp.MustCompile(`(?m)^- request: ('(?:[^']|'')*'|.*)$`)
	responseLine = regexp.MustCompile(`(?m)^  response: ('(?:[^']|'')*'|.*)$`)
	recordedIDs  = regexp.MustCompile(`(?:Name="ShellId">|<rsp:CommandId>)([-0-9A-F]{36})`)
)

func unquote(s string) string {
	if strings.HasPrefix(s, "'") {
		s = strings.ReplaceAll(strings.Trim(s, "'"), "''", "'")
		s = regexp.MustCompile(`\n\n +`).ReplaceAllString(s, "\n")
	}
	return s
}

// The requests of a client that real Windows answered, with the identifiers of
// this service in the place of the recorded ones, get answers of the same kind:
// the same action, or the same fault.
func TestRecordedShellRequests(t *testing.T) {
	dir := os.Getenv("CASEMENT_FIXTURES")
	if dir == "" {
		t.Skip("CASEMENT_FIXTURES does not name the folder of the recordings")
	}
	files, err := filepath.Glob(filepath.Join(dir, "pypsrp-recordings", "test_winrs_*.yml"))
	if err != nil || len(files) < 12 {
		t.Fatalf("%d recordings: %v", len(files), err)
	}
	_, w := serve(t)
	// Where this host must answer otherwise, and why.
	others := map[string]string{
		"test_winrs_no_cmd_shell.yml":      "powershell.exe is looked up differently, and C: is no path here",
		"test_winrs_operation_timeout.yml": "without PowerShell the command ends before the first timeout",
		"test_winrs_extra_opts.yml":        "the working directory is one of Windows",
	}
	played := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		requests, responses := requestLine.FindAllStringSubmatch(string(b), -1), responseLine.FindAllStringSubmatch(string(b), -1)
		if len(requests) == 0 || len(requests) != len(responses) {
			t.Fatalf("%s: %d requests, %d responses", file, len(requests), len(responses))
		}
		ids := map[string]string{}
		for n := range requests {
			text := unquote(requests[n][1])
			for old, now := range ids {
				text = strings.ReplaceAll(text, old, now)
			}
			recorded := reply{t: t, body: unquote(responses[n][1])}
			got := w.post(soapUTF8, strings.NewReader(text))
			played++
			want := recorded.text("Action")
			if a := got.text("Action"); a != want || strings.HasSuffix(want, "/fault") && got.fault().Detail.Fault.Code != recorded.fault().Detail.Fault.Code {
				if others[filepath.Base(file)] == "" {
					t.Errorf("%s, message %d: %s, want %s\n%s\n%s", filepath.Base(file), n, a, want, text, got.body)
				}
				if strings.HasSuffix(a, "/fault") && got.fault().Detail.Fault.Code == 0 {
					t.Errorf("%s, message %d: a fault without a code\n%s", filepath.Base(file), n, got.body)
				}
			}
			mine := recordedIDs.FindAllStringSubmatch(got.body, -1)
			for i, m := range recordedIDs.FindAllStringSubmatch(recorded.body, -1) {
				if i < len(mine) {
					ids[m[1]] = mine[i][1]
				}
			}
		}
	}
	if played < 18 {
		t.Errorf("only %d requests were played", played)
	}
}

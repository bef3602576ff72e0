package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// event is one line of `go test -json`.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// goTest runs `go test -json` with args and counts each test and subtest; with benchmarks, each benchmark that ran.
// A package that fails without a failing test (it does not build, it panics) counts as one failure.
func goTest(ctx context.Context, r *run, env []string, args ...string) {
	goTestIn(ctx, r, "", env, args...)
}

// goTestIn does the same in a folder, which may be that of another module.
func goTestIn(ctx context.Context, r *run, dir string, env []string, args ...string) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.fail("go test "+strings.Join(args, " "), err.Error())
		return
	}
	c := counter{run: r, output: map[string]*strings.Builder{}, packageFailures: map[string]int{}}
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text())
			continue
		}
		c.take(e)
	}
	err = cmd.Wait()
	if err != nil && c.failures == 0 {
		r.fail("go test "+strings.Join(args, " "), errOut.String()+err.Error())
	}
}

type counter struct {
	run             *run
	output          map[string]*strings.Builder
	packageFailures map[string]int
	failures        int
}

// benchLine is the line that a benchmark ends with; test2json may cut it after the name.
var benchLine = regexp.MustCompile(`^(Benchmark\S+)?\s+(\d+\s+[\d.]+ ns/op.*)`)

func (c *counter) take(e event) {
	name := e.Package + e.ImportPath
	if e.Test != "" {
		name += " " + e.Test
	}
	switch e.Action {
	case "output", "build-output":
		c.add(name, e.Output)
		if m := benchLine.FindStringSubmatch(e.Output); m != nil && strings.HasPrefix(e.Test+m[1], "Benchmark") {
			c.run.pass()
			fmt.Printf("%s %s\n", cmp.Or(e.Test, m[1]), m[2])
		}
	case "pass":
		if e.Test != "" && !strings.HasPrefix(e.Test, "Benchmark") {
			c.run.pass()
		} else if e.Test == "" {
			fmt.Printf("ok   %s %.1fs\n", e.Package, e.Elapsed)
		}
		delete(c.output, name)
	case "skip":
		if e.Test != "" {
			c.run.skip(name, reason(c.text(name)))
		}
		delete(c.output, name)
	case "build-fail":
		c.failures++
		c.run.fail(name+" does not build", c.text(name))
	case "fail":
		c.fail(e, name)
	}
}

func (c *counter) fail(e event, name string) {
	if e.Test != "" {
		c.failures++
		c.packageFailures[e.Package]++
		c.run.fail(name, c.text(name))
		return
	}
	if text := c.text(name); strings.Contains(text, "[build failed]") || strings.Contains(text, "[setup failed]") {
		return // the event build-fail has told it
	}
	if c.packageFailures[e.Package] == 0 {
		c.failures++
		c.run.fail(name, c.text(name))
		return
	}
	fmt.Print(c.text(name))
}

func (c *counter) add(name, s string) {
	b := c.output[name]
	if b == nil {
		b = &strings.Builder{}
		c.output[name] = b
	}
	if b.Len() < 4<<20 {
		b.WriteString(s)
	}
}

func (c *counter) text(name string) string {
	if b := c.output[name]; b != nil {
		return b.String()
	}
	return ""
}

var position = regexp.MustCompile(`^\S+\.go:\d+: `)

// reason takes the words given to t.Skip out of a test's output.
func reason(output string) string {
	var words []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "===") || strings.HasPrefix(line, "---") {
			continue
		}
		words = append(words, position.ReplaceAllString(line, ""))
	}
	if len(words) == 0 {
		return "no reason given"
	}
	return strings.Join(words, " ")
}

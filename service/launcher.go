package service

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/shell"
)

// The return values of Win32_Process.Create.
const (
	createOK           = 0
	createAccessDenied = 2
	createUnknown      = 8
	createPathNotFound = 9
)

// maxLaunched bounds the living processes that Win32_Process.Create started as
// one Unix user. They outlive every connection and shell, whose quotas do not
// count them, and each takes descriptors here and one of the jobs that the
// privilege helper has for all users.
const maxLaunched = 256

// launcher starts processes for Win32_Process.Create. They live on after the
// call; nobody reads what they print.
type launcher struct {
	starter shell.Starter
	tools   Tools
	people  *people
	log     *slog.Logger

	mu     sync.Mutex
	living map[string]int // by Unix user
}

// take counts one more process of a Unix user, or refuses.
func (l *launcher) take(unixUser string) (gone func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.living[unixUser] >= maxLaunched {
		return nil, false
	}
	if l.living == nil {
		l.living = map[string]int{}
	}
	l.living[unixUser]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.living[unixUser]--; l.living[unixUser] == 0 {
			delete(l.living, unixUser)
		}
	}, true
}

func (l *launcher) start(ctx context.Context, caller cim.Caller, commandLine, dir string, startup *cim.Instance) (pid, returnValue uint32, err error) {
	id, err := l.people.unixIdentity(caller)
	if err != nil {
		l.log.Info("Win32_Process.Create is refused", "error", err)
		return 0, createAccessDenied, nil
	}
	if !programExists(commandLine, dir, l.tools.searchPath(id)) {
		return 0, createPathNotFound, nil
	}
	env, err := environment(id, startup)
	if err != nil {
		return 0, createUnknown, err
	}
	gone, ok := l.take(id.UnixUser)
	if !ok {
		l.log.Warn("Win32_Process.Create is refused: too many of its processes are alive", "user", id.UnixUser, "limit", maxLaunched)
		return 0, createUnknown, nil
	}
	job, err := l.starter.Start(context.WithoutCancel(ctx), shell.Spec{Command: direct(commandLine), Dir: dir, Env: env, Identity: id})
	if err != nil {
		gone()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, createPathNotFound, nil
	case errors.Is(err, fs.ErrPermission):
		return 0, createAccessDenied, nil
	case err != nil:
		return 0, createUnknown, err
	}
	go outlive(context.WithoutCancel(ctx), job, gone)
	return uint32(job.PID()), createOK, nil
}

// outlive stays with a process that nobody waits for, until its end.
func outlive(ctx context.Context, job *shell.Job, gone func()) {
	defer gone()
	defer job.Close()
	job.Stdin().Close()
	go io.Copy(io.Discard, job.Stderr()) //nolint:errcheck // nobody reads it
	_, _ = io.Copy(io.Discard, job.Stdout())
	_, _ = job.Wait(ctx)
}

// environment adds the variables of Win32_ProcessStartup to a clean one.
func environment(id shell.Identity, startup *cim.Instance) ([]string, error) {
	if startup == nil {
		return nil, nil
	}
	var vars []shell.Variable
	for _, e := range startup.Get("EnvironmentVariables").Elems() {
		text, _ := e.Str()
		name, value, _ := strings.Cut(text, "=")
		vars = append(vars, shell.Variable{Name: name, Value: value})
	}
	return shell.MergeEnv(id, vars)
}

// shellSyntax are the characters by which a word means something to the shell.
const shellSyntax = "\"'`$\\|&;<>(){}[]*?~#!="

// direct makes the program the process that is started, where a command line is
// no more than a program and its arguments. A shell that waits for it would be
// the one that ProcessId names and that Terminate ends, and the program would
// live on.
func direct(commandLine string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(commandLine), " ")
	if builtins[word] || strings.ContainsAny(word, shellSyntax) || strings.ContainsAny(commandLine, "|&;(){}`\n") {
		return commandLine
	}
	return "exec " + commandLine
}

// programExists tells whether the first word of a command line is a program,
// as far as that can be told without a shell: a word with characters that mean
// something to the shell is left to it.
func programExists(commandLine, dir, searchPath string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(commandLine), " ")
	if word == "" || strings.ContainsAny(word, shellSyntax) {
		return true
	}
	candidates := []string{word}
	if !strings.Contains(word, "/") {
		if builtins[word] {
			return true
		}
		candidates = nil
		for _, d := range filepath.SplitList(searchPath) {
			candidates = append(candidates, filepath.Join(d, word))
		}
	}
	for _, c := range candidates {
		if !filepath.IsAbs(c) {
			c = filepath.Join(dir, c)
		}
		if info, err := os.Stat(c); err == nil && !info.IsDir() || errors.Is(err, fs.ErrPermission) {
			return true
		}
	}
	return false
}

// builtins are commands of /bin/sh that are no programs everywhere.
var builtins = map[string]bool{
	".": true, ":": true, "cd": true, "command": true, "eval": true, "exec": true, "exit": true, "export": true,
	"powershell": true, "powershell.exe": true, "read": true, "set": true, "trap": true, "ulimit": true, "umask": true,
	"unset": true, "wait": true, "if": true, "for": true, "while": true, "until": true, "case": true,
}

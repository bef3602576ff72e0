package shell

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoPowerShell says that the command wants PowerShell and there is none on
// this host. Starters turn it into a job that says so on stderr.
var ErrNoPowerShell = errors.New("PowerShell is not installed on this host (no pwsh in PATH)")

// argv returns the program and argument vector of s in the environment env.
func argv(s Spec, env []string) (program string, args []string, err error) {
	for _, a := range append([]string{s.Command}, s.Args...) {
		if strings.ContainsRune(a, 0) {
			return "", nil, errors.New("shell: the command line holds a NUL byte")
		}
	}
	if strings.TrimSpace(s.Command) == "" {
		return "", nil, errors.New("shell: the command is empty")
	}
	if s.SkipShell {
		name := s.Command
		if _, ok := powershell(name); ok {
			name = "pwsh"
		}
		program, err = lookPath(name, lookupEnv(env, "PATH"))
		if err != nil && name == "pwsh" {
			err = ErrNoPowerShell
		}
		return program, append([]string{name}, s.Args...), err
	}
	line := strings.Join(append([]string{s.Command}, s.Args...), " ")
	if rest, ok := powershell(line); ok {
		if _, err := lookPath("pwsh", lookupEnv(env, "PATH")); err != nil {
			return "", nil, ErrNoPowerShell
		}
		line = "pwsh" + rest
	}
	program, args = interpreter(line)
	return program, args, nil
}

// powershell reports whether the first word of line names Windows PowerShell
// or PowerShell, in any case, with or without a Windows path and quotes, and
// returns what follows the word.
func powershell(line string) (rest string, ok bool) {
	line = strings.TrimLeft(line, " \t")
	var word string
	if strings.HasPrefix(line, `"`) {
		word, rest, ok = strings.Cut(line[1:], `"`)
		if !ok {
			return "", false
		}
	} else if i := strings.IndexAny(line, " \t"); i >= 0 {
		word, rest = line[:i], line[i:]
	} else {
		word = line
	}
	word = strings.ToLower(word[strings.LastIndexByte(word, '\\')+1:])
	switch word {
	case "powershell", "powershell.exe", "pwsh", "pwsh.exe":
		return rest, true
	}
	return "", false
}

// lookPath finds an executable in the search path of the started process, not
// of this one.
func lookPath(name, searchPath string) (string, error) {
	notFound := &fs.PathError{Op: "find program", Path: name, Err: fs.ErrNotExist}
	if strings.ContainsRune(name, '/') {
		return name, nil
	}
	for _, dir := range filepath.SplitList(searchPath) {
		if !filepath.IsAbs(dir) {
			continue
		}
		p := filepath.Join(dir, name)
		if st, err := os.Stat(p); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", notFound
}

// startDir returns the starting directory of s.
func startDir(s Spec) (string, error) {
	if s.Dir != "" {
		if !filepath.IsAbs(s.Dir) || strings.ContainsRune(s.Dir, 0) {
			return "", fmt.Errorf("shell: the working directory %q is not an absolute path of this host: %w", s.Dir, fs.ErrNotExist)
		}
		return s.Dir, nil
	}
	if st, err := os.Stat(s.Identity.Home); err == nil && st.IsDir() {
		return s.Identity.Home, nil
	}
	return rootDir, nil
}

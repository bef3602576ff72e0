package shell

import (
	"fmt"
	"os"
	"path"
	"strings"
)

// DefaultPath is the search path of a started process.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// BaseEnv returns the clean environment of id: HOME, USER, LOGNAME, PATH,
// SHELL, LANG and, where this process has one, TZ. Nothing else of the
// environment of this process is handed on.
func BaseEnv(id Identity) []string {
	home := id.Home
	if home == "" {
		home = "/"
	}
	sh := id.Shell
	switch path.Base(sh) {
	case ".", "nologin", "false", "sync":
		sh = "/bin/sh"
	}
	env := []string{
		"HOME=" + home, "USER=" + id.UnixUser, "LOGNAME=" + id.UnixUser,
		"PATH=" + DefaultPath, "SHELL=" + sh, "LANG=C.UTF-8",
	}
	if tz := os.Getenv("TZ"); tz != "" {
		env = append(env, "TZ="+tz)
	}
	return env
}

// Variable is one environment variable of a remote shell.
type Variable struct{ Name, Value string }

// MergeEnv returns BaseEnv(id) with vars laid over it, in order. It refuses a
// name that is empty or holds "=" and a NUL byte anywhere.
func MergeEnv(id Identity, vars []Variable) ([]string, error) {
	env := BaseEnv(id)
	at := make(map[string]int, len(env)+len(vars))
	for i, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		at[name] = i
	}
	for _, v := range vars {
		if v.Name == "" || strings.ContainsAny(v.Name, "=\x00") || strings.ContainsRune(v.Value, 0) {
			return nil, fmt.Errorf("shell: %q cannot be the name of an environment variable, or its value holds a NUL byte", v.Name)
		}
		kv := v.Name + "=" + v.Value
		if i, ok := at[v.Name]; ok {
			env[i] = kv
			continue
		}
		at[v.Name] = len(env)
		env = append(env, kv)
	}
	return env, nil
}

func lookupEnv(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if n, v, ok := strings.Cut(env[i], "="); ok && n == name {
			return v
		}
	}
	return ""
}

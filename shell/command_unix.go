//go:build !windows

package shell

const rootDir = "/"

func interpreter(line string) (string, []string) { return "/bin/sh", []string{"sh", "-c", line} }

package shell

import "os"

const rootDir = `C:\`

func interpreter(line string) (string, []string) {
	return os.Getenv("COMSPEC"), []string{"cmd.exe", "/d", "/s", "/c", line}
}

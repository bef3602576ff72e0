// Command casement is WMI and WinRM, both ends, in one binary. By the name
// that it is called with it also answers as winrm, winrs, reg and the other
// tools of Windows that it stands for.
package main

import (
	"os"

	"github.com/casementhq/casement/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

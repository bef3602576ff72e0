package cli

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf16"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/wsman/wsmanclient"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newPS) }

// maxCommandLine is the longest command line that the shell of Windows takes, in
// characters.
const maxCommandLine = 8191

// psCommand is what stands before the encoded script.
const psCommand = "powershell.exe -NoProfile -NonInteractive -EncodedCommand "

func newPS(s Streams) *cobra.Command {
	var f shellFlags
	var file string
	c := &cobra.Command{
		Use: "ps HOST -- SCRIPT...", Short: "Run a PowerShell script on a host",
		Long: "Run PowerShell on a host with a script that no shell reads: it travels as UTF-16LE in base64\n" +
			"(-EncodedCommand). What PowerShell writes to its error stream as CLIXML is shown as text. A\n" +
			"host other than Windows needs pwsh; without it the command fails and says so." + remoteHelp + `

Exit codes: that of PowerShell (exit N; 1 where the script failed), 1 where it could not be
run, 2 wrong command line.`,
		Example: "  casement ps web1 -- 'Get-Service | Where-Object Status -eq Stopped'\n" +
			"  casement ps web1 --file check.ps1\n  casement ps web1 -- 'exit 3'; echo $?",
		Args: operands(1, -1, "a host and a script"),
	}
	f.flags(c)
	c.Flags().StringVarP(&file, "file", "f", "", "take the script from this local file; - is the standard input")
	c.RunE = func(c *cobra.Command, args []string) error {
		in := s.In
		script, err := psScript(s, args[1:], file)
		if err != nil {
			return err
		}
		if file == "-" {
			in = nil
		}
		line, err := psLine(script)
		if err != nil {
			return err
		}
		o, err := f.options()
		if err != nil {
			return err
		}
		return f.single(c.Context(), s, args[0], func(ctx context.Context, conn *casement.Connection) error {
			errs := &clixmlWriter{w: s.Err}
			err := runCommand(ctx, conn, o, wsmanclient.CommandOptions{Command: line, Stdout: s.Out, Stderr: errs}, in)
			if cerr := errs.Close(); err == nil {
				err = cerr
			}
			return err
		})
	}
	return c
}

func psScript(s Streams, words []string, file string) (string, error) {
	if file == "" {
		if len(words) == 0 {
			return "", usageError("the script is missing: casement ps HOST -- SCRIPT, or --file")
		}
		return strings.Join(words, " "), nil
	}
	if len(words) > 0 {
		return "", usageError("--file and a script exclude each other")
	}
	in := s.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("--file: %w", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return "", fmt.Errorf("--file %s: %w", file, err)
	}
	return strings.TrimPrefix(string(b), "\uFEFF"), nil
}

// psLine is the command line that runs a script.
func psLine(script string) (string, error) {
	units := utf16.Encode([]rune(script))
	b := make([]byte, 0, 2*len(units))
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	line := psCommand + base64.StdEncoding.EncodeToString(b)
	if len(line) > maxCommandLine {
		room := (maxCommandLine - len(psCommand)) / 4 * 3 / 2
		return "", fmt.Errorf("the script has %d characters and a command line has room for %d: copy it there with 'casement cp SCRIPT HOST:PATH' and run '& PATH'", len(units), room)
	}
	return line, nil
}

package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newCP) }

func newCP(s Streams) *cobra.Command {
	var r remote
	var recursive, resume, quiet bool
	c := &cobra.Command{
		Use: "cp SOURCE DESTINATION", Short: "Copy a file or folder to a host or from it",
		Long: "Copy a file, or with -r a folder, to a host or from it: one side is HOST:PATH. Each file is\n" +
			"compared by its SHA-256 when it is there and takes its name only then. --resume goes on with\n" +
			"what an earlier copy left. A path such as C:\\x is local where a host of one letter is not in\n" +
			"the hosts file." + remoteHelp + `

Exit codes: 0 everything is there and compared, 1 something is not, 2 wrong command line.`,
		Example: "  casement cp README.md here:/tmp/\n  casement cp -r web1:C:\\logs ./logs\n  casement cp --resume disk.img here:/var/tmp/disk.img",
		Args:    operands(2, 2, "a source and a destination"),
	}
	r.flags(c)
	c.Flags().BoolVarP(&recursive, "recursive", "r", false, "copy folders")
	c.Flags().BoolVar(&resume, "resume", false, "go on with files of which a part is there")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing but errors")
	c.RunE = func(c *cobra.Command, args []string) error {
		fromHost, from, remoteFrom := splitRemote(args[0])
		toHost, to, remoteTo := splitRemote(args[1])
		switch {
		case isDCOMTarget(args[0]) || isDCOMTarget(args[1]):
			return usageError("copying belongs to WinRM, not to WMI over DCOM: name the host as HOST:PATH or winrm://HOST/wsman:PATH")
		case remoteFrom && remoteTo:
			return usageError("both sides are hosts: copy to this machine first, then from it")
		case !remoteFrom && !remoteTo:
			return usageError("neither side is HOST:PATH (a local path with a colon is written ./a:b)")
		}
		host := fromHost + toHost
		if remoteTo && !recursive {
			if fi, err := os.Stat(from); err == nil && fi.IsDir() {
				return usageError("%s is a folder: -r copies it", from)
			}
		}
		return r.single(c.Context(), s, host, func(ctx context.Context, conn *casement.Connection) error {
			bar := newBar(s, quiet)
			o := casement.CopyOptions{Resume: resume, Progress: bar.update}
			var result casement.CopyResult
			var err error
			if remoteTo {
				result, err = conn.CopyTo(ctx, from, to, o)
			} else {
				result, err = conn.CopyFrom(ctx, from, to, o)
			}
			bar.end(err)
			if err != nil || quiet {
				return err
			}
			_, err = fmt.Fprintln(s.Out, summary(result))
			return err
		})
	}
	return c
}

// splitRemote takes HOST:PATH apart. A single letter before the colon is a drive,
// unless the hosts file has it; a URL keeps its scheme and port.
func splitRemote(arg string) (host, path string, isRemote bool) {
	if strings.HasPrefix(arg, ".") && !strings.HasPrefix(arg, ".:") || strings.HasPrefix(arg, "/") {
		return "", arg, false
	}
	start := 0
	if i := strings.Index(arg, "://"); i > 0 {
		start = i + 3
		// The path of the file begins after the colon behind the endpoint: //host:port/wsman:/tmp
		slash := strings.IndexByte(arg[start:], '/')
		if slash < 0 {
			return "", arg, false
		}
		start += slash
	} else if strings.HasPrefix(arg, "[") {
		end := strings.IndexByte(arg, ']')
		if end < 0 {
			return "", arg, false
		}
		start = end
	}
	i := strings.IndexByte(arg[start:], ':')
	if i < 0 || start+i == 0 {
		return "", arg, false
	}
	host, path = arg[:start+i], arg[start+i+1:]
	if len(host) == 1 && host != "." {
		if e, err := hostEntry(host); err != nil || e.Name == "" {
			return "", arg, false
		}
	}
	return host, path, true
}

func summary(r casement.CopyResult) string {
	text := fmt.Sprintf("%s, %s", plural(r.Files, "file"), size(float64(r.Bytes)))
	if r.Folders > 0 {
		text = fmt.Sprintf("%s, %s", plural(r.Folders, "folder"), text)
	}
	if r.Resumed > 0 {
		text += fmt.Sprintf(" (and %s that were there)", size(float64(r.Resumed)))
	}
	if sec := r.Elapsed.Seconds(); sec > 0 {
		text += fmt.Sprintf(" in %s, %s/s", r.Elapsed.Round(10*time.Millisecond), size(float64(r.Bytes)/sec))
	}
	return text + ", checksums equal"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// size is a number of bytes for people.
func size(n float64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	u := 0
	for n >= 1000 && u < len(units)-1 {
		n /= 1000
		u++
	}
	if u == 0 {
		return fmt.Sprintf("%.0f %s", n, units[u])
	}
	return fmt.Sprintf("%.1f %s", n, units[u])
}

// bar shows how far a copy is, on a terminal only.
type bar struct {
	w       progress.Writer
	file    string
	tracker *progress.Tracker
}

func newBar(s Streams, quiet bool) *bar {
	if _, ok := terminal(s.Err); !ok || quiet {
		return &bar{}
	}
	w := progress.NewWriter()
	w.SetOutputWriter(s.Err)
	w.SetUpdateFrequency(100 * time.Millisecond)
	w.SetTrackerPosition(progress.PositionRight)
	go w.Render()
	return &bar{w: w}
}

func (b *bar) update(p casement.Progress) {
	if b.w == nil {
		return
	}
	if b.tracker == nil || p.File != b.file {
		if b.tracker != nil {
			b.tracker.MarkAsDone()
		}
		b.file = p.File
		b.tracker = &progress.Tracker{Message: printable(p.File), Total: max(p.Total, 0), Units: progress.UnitsBytes}
		b.w.AppendTracker(b.tracker)
	}
	b.tracker.SetValue(p.Done)
}

func (b *bar) end(err error) {
	if b.w == nil {
		return
	}
	if b.tracker != nil {
		if err != nil {
			b.tracker.MarkAsErrored()
		} else {
			b.tracker.MarkAsDone()
		}
	}
	b.w.Stop()
	for b.w.IsRenderInProgress() {
		time.Sleep(5 * time.Millisecond)
	}
}

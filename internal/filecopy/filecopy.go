// Package filecopy copies files and folders over the streams of a remote
// shell. The far end is a small program that is sent along with each command:
// one for POSIX shells with dd's relatives cat, head, tail and a SHA-256 tool,
// one for PowerShell on Windows. Every file is compared by its SHA-256 and
// takes its name only when it is whole.
package filecopy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/casementhq/casement/wsman/wsmanclient"
)

// ErrFar is in the error where the program at the other side ended with one of its own.
var ErrFar = errors.New("the far end failed")

// Suffix marks a file that is not yet whole.
const Suffix = ".casement-part"

// Shell is where the far end runs; *wsmanclient.Shell is one.
type Shell interface {
	Run(ctx context.Context, o wsmanclient.CommandOptions, stdin io.Reader) (exitCode uint32, err error)
}

// Options are the options of To and From; see casement.CopyOptions.
type Options struct {
	Resume     bool
	PowerShell *bool
	Progress   func(file string, done, total int64, files int)
}

// Result says what was copied.
type Result struct {
	Files, Folders int
	Bytes          int64 // that went over the wire, before encoding
	Resumed        int64 // that were there already
	Elapsed        time.Duration
}

// Errors of a copy.
var (
	// ErrChecksum says that what arrived is not what was sent, or that the
	// source changed meanwhile. The part is left for inspection.
	ErrChecksum = errors.New("the copy's SHA-256 differs from the original's")
	// ErrNotFound says that the source is not there.
	ErrNotFound = errors.New("no such file or folder")
	// ErrUnsafeName says that the far end named a file outside of the folder.
	ErrUnsafeName = errors.New("the far end sent a file name that leads out of the folder")
)

// kind is what a path names.
type kind byte

const (
	missing kind = '-'
	file    kind = 'f'
	folder  kind = 'd'
)

// header is what the far end says before it sends a file.
type header struct {
	size, offset int64
	sum          string
}

// farEnd is the other side of a copy.
type farEnd interface {
	stat(ctx context.Context, path string) (kind, error)
	// part tells of a file that arrived partly: its size and SHA-256, or 0.
	part(ctx context.Context, path string) (size int64, sum string, err error)
	// put receives a file from offset on, checks it and gives it its name.
	put(ctx context.Context, path string, p putOptions, data io.Reader) error
	// get sends a file from where the part of have bytes ends, if its sum is
	// that of haveSum, else from the beginning; begin is told first.
	get(ctx context.Context, path string, have int64, haveSum string, begin func(header) (io.Writer, error)) error
	list(ctx context.Context, path string) (folders, files []string, err error)
	mkdir(ctx context.Context, paths []string) error
	join(folder, name string) string
	base(path string) string
	isFolderName(path string) bool
}

type putOptions struct {
	offset     int64
	sum        string
	executable bool
}

// detect asks which of the two far ends the host needs: only cmd.exe knows the
// variable.
func detect(ctx context.Context, s Shell, o *Options) (farEnd, error) {
	if o.PowerShell != nil {
		if *o.PowerShell {
			return &powershell{runner{s}}, nil
		}
		return &posix{runner{s}}, nil
	}
	out, err := (&runner{s}).text(ctx, wsmanclient.CommandOptions{Command: "echo %OS%"}, nil)
	if err != nil {
		return nil, err
	}
	if strings.Contains(out, "Windows_NT") {
		return &powershell{runner{s}}, nil
	}
	return &posix{runner{s}}, nil
}

// runner runs the far end's commands.
type runner struct{ shell Shell }

// maxText bounds what a command may say, file names apart, in bytes.
const maxText = 1 << 20

// run runs a command; what it writes to stderr becomes the error.
func (r *runner) run(ctx context.Context, o wsmanclient.CommandOptions, stdin io.Reader) error {
	said := &bounded{limit: 4 << 10, drop: true}
	if o.Stderr == nil {
		o.Stderr = said
	}
	code, err := r.shell.Run(ctx, o, stdin)
	switch {
	case err != nil:
		return err
	case code == exitChecksum:
		return ErrChecksum
	case code == exitMissing:
		return ErrNotFound
	case code != 0:
		return fmt.Errorf("%w with exit code %d: %s", ErrFar, code, strings.TrimSpace(string(said.b)))
	}
	return nil
}

func (r *runner) text(ctx context.Context, o wsmanclient.CommandOptions, stdin io.Reader) (string, error) {
	out := &bounded{limit: maxText}
	o.Stdout = out
	err := r.run(ctx, o, stdin)
	return string(out.b), err
}

// Exit codes of the far ends.
const (
	exitChecksum = 73
	exitMissing  = 74
)

// bounded keeps the beginning of what is written to it.
type bounded struct {
	b     []byte
	limit int
	drop  bool // the rest is dropped; else it is an error
}

// Write implements io.Writer.
func (w *bounded) Write(b []byte) (int, error) {
	room := w.limit - len(w.b)
	if len(b) > room && !w.drop {
		return 0, fmt.Errorf("the far end says more than %d bytes", w.limit)
	}
	w.b = append(w.b, b[:min(len(b), room)]...)
	return len(b), nil
}

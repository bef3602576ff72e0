package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"path/filepath"

	"github.com/casementhq/casement/cim"
)

// The further return values of the methods of Win32_NTEventlogFile.
const (
	logPrivilege    = 8
	logArchiveThere = 183
)

// clearEventLog removes nothing: journald keeps the entries of all logs in the same files and removes the oldest of
// all of them only. No privilege is enough for more.
func clearEventLog(context.Context, *Provider, *call) (uint32, cim.NamedArray, error) {
	return logPrivilege, nil, nil
}

// backupEventLog writes the entries of a log into a new file of the caller, each as a line of JSON in the form that
// journalctl prints.
func backupEventLog(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	log := path.Base(c.key("Name"))
	archive := c.text("ArchiveFileName")
	a, ok := actor(p, p.o.Writer, c.caller)
	switch {
	case !filepath.IsAbs(archive) || filepath.Clean(archive) != archive:
		return returnInvalidParameter, nil, nil
	case !ok, log == logSecurity && !maySeeSecurity(c.caller):
		return logPrivilege, nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	read := make(chan error, 1)
	go func() {
		err := p.journal(ctx, func(line []byte) error {
			var raw rawEntry
			if !raw.parse(line) || !raw.whole() || raw.log() != log {
				return nil
			}
			_, err := w.Write(append(bytes.Clone(line), '\n'))
			return err
		}, append([]string{"--output=json", "--all"}, logMatches(log)...)...)
		w.CloseWithError(err)
		read <- err
	}()
	err := a.Write(ctx, filepath.Join(p.root, archive), r)
	r.CloseWithError(errors.Join(err, io.ErrClosedPipe))
	<-read
	if errors.Is(err, fs.ErrExist) {
		return logArchiveThere, nil, nil
	}
	switch v := p.fileReturn("BackupEventLog", archive, err); v {
	case returnOK, returnInvalidParameter:
		return v, nil, nil
	}
	return logPrivilege, nil, nil
}

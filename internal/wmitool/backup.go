package wmitool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/casementhq/casement/cim"
)

func (w *Winmgmt) backup(ctx context.Context, file string) error {
	name := "backup-" + rand.Text()
	code, out, err := w.call(ctx, "Backup", cim.Arguments{{Name: "Name", Value: cim.Str(name)}})
	if err == nil {
		err = failed("Backup", "root", cim.U32(uint32(code))) // #nosec G115 -- a status is 32 bits
	}
	if err != nil {
		return err
	}
	if path, _ := out.Get("Path").Str(); filepath.Base(path) != name {
		return fmt.Errorf("the service says that the backup is in %q", path)
	}
	if err := w.Take(name, file); err != nil {
		return fmt.Errorf("copy the backup: %w", err)
	}
	fmt.Fprintf(w.Out, "WMI repository has been copied to %s\n", file)
	return nil
}

func (w *Winmgmt) restore(ctx context.Context, file string, force bool) error {
	// The session comes first: without a service it makes the folder.
	session, err := w.Connector.Session(ctx, Target{}, "root")
	if err != nil {
		return err
	}
	defer session.Close()
	name, remove, err := w.Place(file)
	if err != nil {
		return fmt.Errorf("copy the backup: %w", err)
	}
	defer remove() //nolint:errcheck // a copy that nobody needs any more
	result, err := session.Invoke(ctx, repositoryClass, "Restore", cim.Arguments{{Name: "Name", Value: cim.Str(name)}, {Name: "Force", Value: cim.Bool(force)}}, cim.OperationOptions{})
	if err == nil {
		err = failed("Restore", "root", result.ReturnValue)
	}
	if errors.Is(err, cim.ErrBackupRestoreWinmgmtRunning) {
		return fmt.Errorf("%w; 'winmgmt /restore %s 1' ends the sessions of others", err, file)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w.Out, "WMI repository has been restored from %s\n", file)
	return nil
}

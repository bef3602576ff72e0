package service

import (
	"context"
	"strings"

	"github.com/casementhq/casement/cim"
)

// repositoryFiles are the backups that clients of WMI over DCOM make and restore.
// They are those of 'winmgmt /backup': of the path that a client names the last
// part counts, in the folder for backups.
type repositoryFiles struct{ objects *objects }

// Backup implements wmiserver.Repository.
func (r repositoryFiles) Backup(ctx context.Context, caller cim.Caller, file string) error {
	return r.call(ctx, caller, "Backup", cim.Arguments{{Name: "Name", Value: cim.Str(lastPart(file))}})
}

// Restore implements wmiserver.Repository.
func (r repositoryFiles) Restore(ctx context.Context, caller cim.Caller, file string) error {
	return r.call(ctx, caller, "Restore", cim.Arguments{{Name: "Name", Value: cim.Str(lastPart(file))}, {Name: "Force", Value: cim.Bool(true)}})
}

func lastPart(path string) string { return path[strings.LastIndexAny(path, `/\:`)+1:] }

// call runs a method of Casement_Repository, which asks what the caller may.
func (r repositoryFiles) call(ctx context.Context, caller cim.Caller, method string, in cim.Arguments) error {
	session, err := r.objects.Open(ctx, caller, "root", cim.OpenOptions{})
	if err != nil {
		return err
	}
	defer session.Close() //nolint:errcheck // the result tells
	result, err := session.Invoke(ctx, cim.ObjectPath{Class: "Casement_Repository"}, method, in, cim.OperationOptions{})
	if err != nil {
		return err
	}
	if code, _ := result.ReturnValue.Uint(); code != 0 {
		return &cim.Error{Status: cim.Status(uint32(code)), Operation: method} // #nosec G115 -- a status is 32 bits
	}
	return nil
}

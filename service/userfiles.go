package service

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/decoupled"
	"github.com/casementhq/casement/providers/consumers"
	"github.com/casementhq/casement/providers/host"
)

// userFilesName is the provider that writes files in provider hosts. It is
// known to the service alone, and so is its class.
const userFilesName = "CasementUserFiles"

// userFileClass has what a host does for its user. Content is base64; what the
// methods return is the number of an error of the system, 0 for none.
func userFileClass() *cim.Class {
	name, content := cim.In("Name", cim.String), cim.In("Content", cim.String)
	return cim.NewClass("Casement_UserFile", nil).
		StaticMethod("AppendLine", cim.Uint32, name, content, cim.In("Limit", cim.Uint64), cim.In("Unicode", cim.Boolean)).
		StaticMethod("Write", cim.Uint32, name, content, cim.In("Last", cim.Boolean)).
		StaticMethod("Remove", cim.Uint32, name).
		Build(host.Namespace)
}

// userFiles writes files as the Unix user of a caller: in this process where
// that is the service's own, else in a provider host of that user. The hosts
// are others than those of fileClasses, so that a file system that hangs while
// it is written keeps nobody from looking at files. See docs/providers.md.
type userFiles struct {
	people  *people
	perUser *decoupled.PerUser
	class   *cim.Class
}

func newUserFiles(p *people, hosts *providerHosts) *userFiles {
	u := &userFiles{people: p, class: userFileClass()}
	u.perUser = hosts.perUser(userFilesName, []*cim.Class{u.class}, p)
	return u
}

// writer is who writes files for a caller.
func (u *userFiles) writer(c cim.Caller) (host.FileWriter, error) {
	own, err := u.people.isOwn(c)
	if err != nil || own {
		return host.OwnFiles{}, err
	}
	return &hostedFiles{u, c}, nil
}

// appendLine appends a line to the log file of a consumer as its creator.
func (u *userFiles) appendLine(ctx context.Context, creator cim.Caller, l consumers.Line) error {
	own, err := u.people.isOwn(creator)
	if err != nil {
		return &cim.Error{Status: cim.ErrAccessDenied, Detail: "the creator of the consumer has no Unix user to write files as: " + err.Error(), Err: err}
	}
	if own {
		return consumers.AppendLine(l)
	}
	return u.call(ctx, u.perUser, creator, "AppendLine", l.File, []byte(l.Text),
		cim.NamedValue{Name: "Limit", Value: cim.U64(l.Limit)}, cim.NamedValue{Name: "Unicode", Value: cim.Bool(l.Unicode)})
}

// call runs one method in a host.
func (u *userFiles) call(ctx context.Context, h cimom.MethodInvoker, c cim.Caller, method, name string, content []byte, more ...cim.NamedValue) error {
	in := append(cim.Arguments{
		{Name: "Name", Value: cim.Str(name)}, {Name: "Content", Value: cim.Str(base64.StdEncoding.EncodeToString(content))},
	}, more...)
	r := &cimom.Request{Namespace: host.Namespace, Class: u.class, Caller: c}
	result, err := h.Invoke(ctx, r, cim.ObjectPath{Class: u.class.Name}, method, in)
	if err != nil {
		return err
	}
	if n, _ := result.ReturnValue.Uint(); n != 0 {
		return &fs.PathError{Op: method, Path: name, Err: syscall.Errno(n)}
	}
	return nil
}

// hostedFiles is the [host.FileWriter] of a caller who is another Unix user
// than the service.
type hostedFiles struct {
	*userFiles
	caller cim.Caller
}

// pieceSize is how much of a file goes to a host at once, in bytes.
const pieceSize = 256 << 10

// Write sends the file in pieces to one host, which removes it again where the
// last one does not come.
func (f *hostedFiles) Write(ctx context.Context, name string, content io.Reader) error {
	h, release, err := f.perUser.Hold(ctx, f.caller)
	if err != nil {
		return err
	}
	last := false
	defer func() { release(last) }()
	for b := make([]byte, pieceSize); !last; {
		n, err := io.ReadFull(content, b)
		if last = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !last {
			return err
		}
		if err := f.call(ctx, h, f.caller, "Write", name, b[:n], cim.NamedValue{Name: "Last", Value: cim.Bool(last)}); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes a file.
func (f *hostedFiles) Remove(ctx context.Context, name string) error {
	return f.call(ctx, f.perUser, f.caller, "Remove", name, nil)
}

// isOwn tells whether the Unix user of a caller is the service's own. It fails
// for who has none, and for who runs as that one but may not have its files,
// the state of the service among them.
func (p *people) isOwn(c cim.Caller) (bool, error) {
	id, err := p.creatorIdentity(c)
	switch {
	case err != nil:
		return false, err
	case int64(id.UID) != int64(os.Geteuid()):
		return false, nil
	case !p.hasOwnFiles(c.Token):
		return false, fmt.Errorf("the account %s is mapped to no Unix user, and what the service keeps is its own", c.Token.UserName)
	}
	return true, nil
}

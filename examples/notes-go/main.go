// Notes-go is a decoupled provider: the notes in a folder as instances of
// Example_Note, whose definition is examples/notes.mof. docs/providers.md says
// how providers work; notes.py does the same in Python.
//
//	go run ./examples/notes-go SOCKET FOLDER
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/decoupled"
)

var note = cim.NewClass("Example_Note", nil).Dynamic().
	Key("Name", cim.String).
	Property("Text", cim.String, cim.Writable()).
	Property("Size", cim.Uint64).
	Property("LastModified", cim.Datetime).
	Method("CountWords", cim.Uint32, cim.Out("Words", cim.Uint32)).
	Build(`root\cimv2`)

// errNoNote is an answer whose text the caller sees.
var errNoNote = &cim.Error{Status: cim.ErrNotFound, Detail: "there is no such note"}

// notes serves the notes of a folder, which it cannot leave.
type notes struct{ folder *os.Root }

func (notes) Classes() []*cim.Class { return []*cim.Class{note} }

func (n notes) List(ctx context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	entries, err := fs.ReadDir(n.folder.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".txt")
		if !ok {
			continue
		}
		i, err := n.read(r, name)
		if err != nil {
			return err
		}
		if err := yield(i); err != nil {
			return err
		}
	}
	return nil
}

func (n notes) Get(_ context.Context, r *cimom.Request, path cim.ObjectPath) (*cim.Instance, error) {
	return n.read(r, nameIn(path))
}

// nameIn is the name of the note that a path names.
func nameIn(path cim.ObjectPath) string {
	v, _ := path.Key("Name")
	name, _ := v.Str()
	return name
}

// read reads one note; its text only where that is wanted.
func (n notes) read(r *cimom.Request, name string) (*cim.Instance, error) {
	info, err := n.folder.Stat(name + ".txt")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoNote
	}
	if err != nil {
		return nil, err
	}
	i := cim.NewInstance(note)
	err = errors.Join(
		i.Set("Name", cim.Str(name)),
		i.Set("Size", cim.U64(uint64(info.Size()))), // #nosec G115 -- a size is not negative
		i.Set("LastModified", cim.Time(cim.AtTime(info.ModTime()))))
	if err == nil && r.Wants("Text") {
		var text []byte
		if text, err = n.folder.ReadFile(name + ".txt"); err == nil {
			err = i.Set("Text", cim.Str(string(text)))
		}
	}
	return i, err
}

func (n notes) Create(_ context.Context, _ *cimom.Request, i *cim.Instance) error {
	return n.write(i, os.O_CREATE|os.O_EXCL)
}

func (n notes) Put(_ context.Context, r *cimom.Request, i *cim.Instance) error {
	if !r.Wants("Text") {
		return nil
	}
	return n.write(i, os.O_TRUNC)
}

func (n notes) write(i *cim.Instance, flags int) error {
	name, _ := i.Get("Name").Str()
	text, _ := i.Get("Text").Str()
	f, err := n.folder.OpenFile(name+".txt", os.O_WRONLY|flags, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return cim.ErrAlreadyExists
	case errors.Is(err, fs.ErrNotExist):
		return errNoNote
	case err != nil:
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func (n notes) Delete(_ context.Context, _ *cimom.Request, path cim.ObjectPath) error {
	err := n.folder.Remove(nameIn(path) + ".txt")
	if errors.Is(err, fs.ErrNotExist) {
		return errNoNote
	}
	return err
}

func (n notes) Invoke(_ context.Context, r *cimom.Request, path cim.ObjectPath, _ string, _ cim.Arguments) (cim.Result, error) {
	i, err := n.read(r, nameIn(path))
	if err != nil {
		return cim.Result{}, err
	}
	text, _ := i.Get("Text").Str()
	words := uint32(len(strings.Fields(text))) // #nosec G115 -- fewer than the bytes of a file
	return cim.Result{ReturnValue: cim.U32(0), Out: cim.NamedArray{{Name: "Words", Value: cim.U32(words)}}}, nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: notes-go SOCKET FOLDER")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, socket, folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	return decoupled.Serve(ctx, decoupled.ServeOptions{
		Name: "ExampleNotes", Provider: notes{root},
		Dial: func(ctx context.Context) (io.ReadWriteCloser, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	})
}

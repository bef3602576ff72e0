package service

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"syscall"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/consumers"
	"github.com/casementhq/casement/providers/host"
)

// userFileHost is the other end of userFiles: the provider in a host. It writes
// files with the rights of its process, one at a time.
type userFileHost struct {
	pieces  *io.PipeWriter // of the file that is being written; nil: none is
	written chan error
}

// Classes are those that userFiles asks for.
func (h *userFileHost) Classes() []*cim.Class { return []*cim.Class{userFileClass()} }

// Invoke runs a method of the class.
func (h *userFileHost) Invoke(ctx context.Context, _ *cimom.Request, _ cim.ObjectPath, method string, in cim.Arguments) (cim.Result, error) {
	name, _ := in.Get("Name").Str()
	text, _ := in.Get("Content").Str()
	content, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return cim.Result{}, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "the content is no base64", Err: err}
	}
	switch method {
	case "AppendLine":
		l := consumers.Line{File: name, Text: string(content)}
		l.Limit, _ = in.Get("Limit").Uint()
		l.Unicode, _ = in.Get("Unicode").Bool()
		if err := consumers.AppendLine(l); err != nil { // it says what a user can read
			return cim.Result{}, err
		}
	case "Write":
		last, _ := in.Get("Last").Bool()
		err = h.write(name, content, last)
	case "Remove":
		err = host.OwnFiles{}.Remove(ctx, name)
	}
	var number syscall.Errno
	if err != nil && !errors.As(err, &number) {
		return cim.Result{}, err
	}
	return cim.Result{ReturnValue: cim.U32(uint32(number))}, nil
}

// write takes one piece of a new file. The first names it, and with the last,
// or with one that fails, it is done.
func (h *userFileHost) write(name string, piece []byte, last bool) error {
	if h.pieces == nil {
		var r *io.PipeReader
		r, h.pieces = io.Pipe()
		h.written = make(chan error, 1)
		go func() {
			err := host.OwnFiles{}.Write(context.Background(), name, r)
			_ = r.CloseWithError(err)
			h.written <- err
		}()
	}
	if _, err := h.pieces.Write(piece); err == nil && !last {
		return nil
	}
	return h.end(io.EOF)
}

// end ends the file that is being written: with io.EOF it is whole, with
// another error it goes.
func (h *userFileHost) end(why error) error {
	if h.pieces == nil {
		return nil
	}
	_ = h.pieces.CloseWithError(why)
	h.pieces = nil
	return <-h.written
}

// Close removes a file whose last piece did not come.
func (h *userFileHost) Close() error {
	_ = h.end(io.ErrUnexpectedEOF)
	return nil
}

package mof

import (
	"io/fs"
	"testing/fstest"
)

// oneFile is a file system with one file.
type oneFile struct {
	name string
	data []byte
}

func (f oneFile) Open(name string) (fs.File, error) {
	return fstest.MapFS{f.name: {Data: f.data}}.Open(name)
}

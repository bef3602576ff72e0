package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
)

func regExport(c *regCall) error {
	if len(c.operands) < 2 {
		return regUsage("export needs a key and a file")
	}
	last := len(c.operands) - 1
	key, err := c.key(c.operands[:last])
	if err != nil {
		return err
	}
	file := c.operands[last]
	return withState(c.state, func(st *service.State) error {
		tree := st.Hive.Snapshot()
		if !tree.Local().Exists(key) {
			return noKey(key)
		}
		var text bytes.Buffer
		if err := registry.WriteRegKey(&text, tree, key); err != nil {
			return err
		}
		if file == "-" {
			_, err := c.s.Out.Write(text.Bytes())
			return err
		}
		if err := c.writeNew(file, text.Bytes()); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.s.Out, "Done: %s was written.\n", file)
		return err
	})
}

// writeNew writes a file; one that is there is replaced with /y or after a question.
func (c *regCall) writeNew(file string, b []byte) error {
	if !c.has("y") {
		if _, err := os.Lstat(file); err == nil {
			if yes, err := confirm(c.s, "The file "+file+" is there already. Replace it", "/f"); err != nil || !yes {
				return regKept(err)
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reg: %w", err)
		}
	}
	// Only its owner reads it: a hive may hold what others shall not know.
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return fmt.Errorf("reg: export: %w", err)
	}
	return nil
}

func regImport(c *regCall) error {
	if len(c.operands) != 1 {
		return regUsage("import needs one file")
	}
	in, name := c.s.In, "the standard input"
	if c.operands[0] != "-" {
		f, err := os.Open(c.operands[0])
		if err != nil {
			return fmt.Errorf("reg: import: %w", err)
		}
		defer f.Close()
		in, name = io.Reader(f), c.operands[0]
	}
	return withState(c.state, func(st *service.State) error {
		if err := st.Hive.Update(func(tx *registry.Tx) error { return tx.Import(in) }); err != nil {
			return fmt.Errorf("reg: import of %s: %w", name, err)
		}
		_, err := fmt.Fprintf(c.s.Out, "Done: %s was imported.\n", name)
		return err
	})
}

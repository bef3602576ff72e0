package host

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// read is a whole small file below the root, without blanks at its end; "" where it cannot be read.
func (p *Provider) read(path string) string {
	b, err := os.ReadFile(filepath.Join(p.root, path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// exists tells whether there is such a path below the root.
func (p *Provider) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(p.root, path))
	return err == nil
}

// folder lists the names below a folder that begin with prefix; none where it is absent.
func (p *Provider) folder(path, prefix string) []string {
	entries, err := os.ReadDir(filepath.Join(p.root, path))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			out = append(out, e.Name())
		}
	}
	return out
}

// strOrNull is s as a string, NULL where it is empty.
func strOrNull(s string) cim.Value {
	if s == "" {
		return cim.Null(cim.String)
	}
	return cim.Str(s)
}

// strsOrNull is s as an array of strings, NULL where it is empty.
func strsOrNull(s []string) cim.Value {
	if len(s) == 0 {
		return cim.Null(cim.String.Array())
	}
	return cim.Strs(s)
}

// kilobytes is a number of bytes in units of 1024, NULL where unknown.
func kilobytes(bytes *uint64) cim.Value {
	if bytes == nil {
		return cim.Null(cim.Uint64)
	}
	return cim.U64(*bytes >> 10)
}

// number reads a decimal number of type t, NULL where s is none.
func number(t cim.Type, s string) cim.Value {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, t.Bits())
	if err != nil {
		return cim.Null(t)
	}
	return cim.Uint(t, n)
}

// fixedStr is a column function that gives the same text for every row.
func fixedStr[T any](s string) func(*T) cim.Value {
	v := cim.Str(s)
	return func(*T) cim.Value { return v }
}

// fixedValue is a column function that gives the same value for every row.
func fixedValue[T any](v cim.Value) func(*T) cim.Value {
	return func(*T) cim.Value { return v }
}

// timeOrNull is t in the zone l, NULL where it is zero.
func timeOrNull(t time.Time, l *time.Location) cim.Value {
	if t.IsZero() {
		return cim.Value{}
	}
	return cim.Time(cim.AtTime(t.In(l)))
}

// positive is a count, NULL where it is none.
func positive(n int) cim.Value {
	if n <= 0 {
		return cim.Value{}
	}
	return cim.U32(uint32(n))
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

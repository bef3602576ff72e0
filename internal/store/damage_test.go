package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// deep makes a closed store whose tree has branches, and returns its bytes.
func deep(t *testing.T) (path string, b []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	s := open(t, path, Options{NoSync: true})
	for at := range 20 {
		update(t, s, func(tx *Tx) error {
			for i := range 500 {
				if err := tx.Put(fmt.Appendf(nil, "key %05d", at*500+i), bytes.Repeat([]byte("v"), 100)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	s.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, b
}

// branches are the places of the pages in the tree that are branches.
func branches(t *testing.T, b []byte) (at []int, size int) {
	t.Helper()
	p, err := openPages(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	w := &walk{pages: p, seen: make(bitmap, p.end), used: make(bitmap, p.end)}
	if err := w.tree(context.Background(), p.root, nil, nil, 0, func(e element) error { return w.bucket(context.Background(), e) }); err != nil || len(w.problems) > 0 {
		t.Fatal(err, w.problems)
	}
	for id := range p.end {
		if n := int(id) * p.pageSize; w.seen.has(id) && order.Uint16(b[n+8:]) == flagBranch {
			at = append(at, n)
		}
	}
	return at, p.pageSize
}

// A branch that leads to itself would be read for ever: the file is refused, and
// what hung on other branches can be found.
func TestCycle(t *testing.T) {
	path, good := deep(t)
	at, size := branches(t, good)
	if len(at) == 0 {
		t.Fatal("the tree has no branches")
	}
	for _, page := range at {
		b := bytes.Clone(good)
		child := page + pageHeader + 3*elementSize + 8
		order.PutUint64(b[child:], uint64(page/size))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, path, Options{})
		err := s.View(context.Background(), func(*Tx) error { return nil })
		if !errors.Is(err, ErrDamaged) || !errors.Is(s.Damage(), ErrDamaged) || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%v, %v", err, s.Damage())
		}
		if err := s.Update(context.Background(), func(*Tx) error { return nil }); !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
		keys := map[string]bool{}
		err = s.Replace(context.Background(), "", func(fresh *Store, remains Remains) error {
			_, err := remains(context.Background(), func(k, _ []byte) error { keys[string(k)] = true; return nil })
			return err
		})
		if err != nil || len(keys) != 20*500 { // those below the lost branch belong to nothing, and are found
			t.Errorf("%d keys remain, %v", len(keys), err)
		}
		if s.Damage() != nil {
			t.Error(s.Damage())
		}
		s.Close()
	}
}

// A file that changes or ends while it is open fails what meets that.
func TestDamageWhileOpen(t *testing.T) {
	for name, harm := range map[string]func(path string, b []byte) error{
		"cut":    func(path string, _ []byte) error { return os.Truncate(path, 3*4096) },
		"zeroed": func(path string, b []byte) error { return overwrite(path, 2*4096, make([]byte, len(b)-2*4096)) },
		"filled": func(path string, b []byte) error {
			return overwrite(path, 2*4096, bytes.Repeat([]byte{0xFF}, len(b)-2*4096))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, b := deep(t)
			s := open(t, path, Options{})
			if err := harm(path, b); err != nil {
				t.Fatal(err)
			}
			err := s.View(context.Background(), func(tx *Tx) error {
				_, err := tx.Get([]byte("key 05000"))
				return err
			})
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("reading: %v", err)
			}
			for range 2 {
				err = s.Update(context.Background(), func(tx *Tx) error { return tx.Put([]byte("key 05000"), nil) })
				if !errors.Is(err, ErrDamaged) {
					t.Errorf("writing: %v", err)
				}
			}
			if err := s.Replace(context.Background(), "", func(fresh *Store, _ Remains) error { return nil }); err != nil {
				t.Error(err)
			}
			update(t, s, func(tx *Tx) error { return tx.Put([]byte("a"), nil) })
		})
	}
}

func overwrite(path string, at int64, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(b, at)
	return err
}

// A mistake of the program is not taken for damage, and the store goes on.
func TestPanicOfCaller(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		for _, do := range []func(context.Context, func(*Tx) error) error{s.View, s.Update} {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("the panic was swallowed")
					}
				}()
				_ = do(context.Background(), func(*Tx) error {
					var p *int
					*p = 1
					return nil
				})
			}()
		}
		update(t, s, func(tx *Tx) error { return tx.Put([]byte("a"), nil) })
		if s.Damage() != nil {
			t.Error(s.Damage())
		}
	})
}

// bbolt looks at a header and not at the mark of the page around it, so a header behind a wrong mark counts as much as it does there:
// what can be read can be salvaged.
func TestHeaderBehindAWrongMark(t *testing.T) {
	path, good := deep(t)
	_, size := branches(t, good)
	for _, header := range []int{0, size} {
		b := bytes.Clone(good)
		b[header+8] ^= 2
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, path, Options{})
		if !errors.Is(s.Damage(), ErrDamaged) {
			t.Errorf("header at %d: %v", header, s.Damage())
		}
		found := 0
		err := s.Replace(context.Background(), "", func(_ *Store, remains Remains) error {
			_, err := remains(context.Background(), func([]byte, []byte) error { found++; return nil })
			return err
		})
		if err != nil || found != 10000 {
			t.Errorf("header at %d: %d pairs of 10000, %v", header, found, err)
		}
		s.Close()
	}
}

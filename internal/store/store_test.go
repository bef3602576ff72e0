package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func open(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// both runs a test on a file and in memory.
func both(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Run("file", func(t *testing.T) { f(t, open(t, filepath.Join(t.TempDir(), "s"), Options{NoSync: true})) })
	t.Run("memory", func(t *testing.T) { f(t, Memory()) })
}

func update(t testing.TB, s *Store, f func(*Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

// list is every pair of a prefix, "k=v".
func list(t testing.TB, s *Store, prefix string) (pairs []string) {
	t.Helper()
	err := s.View(context.Background(), func(tx *Tx) error {
		c := tx.Cursor([]byte(prefix))
		for ok := c.Seek(nil); ok; ok = c.Next() {
			pairs = append(pairs, string(c.Key())+"="+string(c.Value()))
		}
		return c.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

// TestAgainstMap makes random changes and compares with a plain map.
func TestAgainstMap(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		want := map[string]string{}
		r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
		for round := range 60 {
			before := strings.Join(list(t, s, ""), ";")
			next := map[string]string{}
			for k, v := range want {
				next[k] = v
			}
			fail := round%7 == 3
			err := s.Update(context.Background(), func(tx *Tx) error {
				for range r.IntN(60) {
					k := fmt.Sprintf("%c%03d", 'a'+r.IntN(3), r.IntN(300))
					if r.IntN(3) == 0 {
						if err := tx.Delete([]byte(k)); err != nil {
							t.Fatal(err)
						}
						delete(next, k)
						continue
					}
					v := strings.Repeat("v", r.IntN(200))
					if err := tx.Put([]byte(k), []byte(v)); err != nil {
						t.Fatal(err)
					}
					next[k] = v
					if got, err := tx.Get([]byte(k)); err != nil || string(got) != v {
						t.Fatalf("%s is %q, %v", k, got, err)
					}
				}
				if round%10 == 9 {
					n, err := tx.DeletePrefix([]byte("b"))
					if err != nil {
						t.Fatal(err)
					}
					for k := range next {
						if k[0] == 'b' {
							delete(next, k)
							n--
						}
					}
					if n != 0 {
						t.Fatalf("the number of deleted keys is off by %d", n)
					}
				}
				if fail {
					return errors.New("no")
				}
				return nil
			})
			if fail {
				if err == nil || strings.Join(list(t, s, ""), ";") != before {
					t.Fatal("a failed update left something")
				}
				continue
			}
			if want = next; err != nil {
				t.Fatal(err)
			}
			var pairs []string
			for k, v := range want {
				pairs = append(pairs, k+"="+v)
			}
			slices.Sort(pairs)
			if got := list(t, s, ""); !slices.Equal(got, pairs) {
				t.Fatalf("round %d: %d pairs, want %d", round, len(got), len(pairs))
			}
			checkNeighbours(t, s, pairs)
		}
		if p, err := s.Check(context.Background()); err != nil || len(p) > 0 {
			t.Errorf("%v %v", p, err)
		}
	})
}

func checkNeighbours(t *testing.T, s *Store, pairs []string) {
	t.Helper()
	at := []byte("b150")
	i, _ := slices.BinarySearch(pairs, string(at))
	err := s.View(context.Background(), func(tx *Tx) error {
		before, _, after, _, err := tx.Cursor(nil).Neighbours(at)
		if i > 0 != (before != nil) || i > 0 && !strings.HasPrefix(pairs[i-1], string(before)+"=") {
			t.Fatalf("before is %s", before)
		}
		if i < len(pairs) != (after != nil) || i < len(pairs) && !strings.HasPrefix(pairs[i], string(after)+"=") {
			t.Fatalf("after is %s", after)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSnapshot(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		update(t, s, func(tx *Tx) error { return tx.Put([]byte("a"), []byte("1")) })
		err := s.View(context.Background(), func(tx *Tx) error {
			done := make(chan error)
			go func() {
				done <- s.Update(context.Background(), func(tx *Tx) error { return tx.Put([]byte("a"), []byte("2")) })
			}()
			if err := <-done; err != nil {
				return err
			}
			if v, _ := tx.Get([]byte("a")); string(v) != "1" {
				t.Errorf("the snapshot has %s", v)
			}
			if err := tx.Put([]byte("a"), nil); !errors.Is(err, ErrReadOnly) {
				t.Errorf("a reader wrote: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := list(t, s, ""); got[0] != "a=2" {
			t.Error(got)
		}
	})
}

func TestReplace(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		update(t, s, func(tx *Tx) error { return tx.Put([]byte("a"), []byte("1")) })
		no := errors.New("no")
		if err := s.Replace(ctx, "", func(*Store, Remains) error { return no }); !errors.Is(err, no) {
			t.Fatal(err)
		}
		if got := list(t, s, ""); len(got) != 1 {
			t.Fatal("a failed exchange changed something")
		}
		aside := ""
		if s.path != "" {
			aside = s.path + ".aside"
		}
		err := s.Replace(ctx, aside, func(fresh *Store, remains Remains) error {
			problems, err := remains(ctx, func(k, v []byte) error {
				if string(k) != "a" || string(v) != "1" {
					t.Errorf("%s=%s remains", k, v)
				}
				return nil
			})
			if err != nil || len(problems) > 0 {
				t.Error(problems, err)
			}
			return fresh.Update(ctx, func(tx *Tx) error { return tx.Put([]byte("b"), []byte("2")) })
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := list(t, s, ""); len(got) != 1 || got[0] != "b=2" {
			t.Fatal(got)
		}
		update(t, s, func(tx *Tx) error { return tx.Put([]byte("c"), []byte("3")) })
		if aside != "" {
			if got := list(t, open(t, aside, Options{}), ""); len(got) != 1 || got[0] != "a=1" {
				t.Fatal(got)
			}
		}
	})
}

func TestClosed(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		s.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		none := func(*Tx) error { t.Error("called"); return nil }
		if err := s.View(context.Background(), none); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if err := s.Update(context.Background(), none); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := open(t, path, Options{})
	_, err := Open(path, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d (", os.Getpid())) {
		t.Errorf("the second open: %v", err)
	}
	s.Close()
	open(t, path, Options{})
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
}

// A writer gives up its turn with its context.
func TestTurn(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		update(t, s, func(*Tx) error {
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- s.Update(ctx, func(*Tx) error { return nil }) }()
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			return nil
		})
	})
}

func TestLimits(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		update(t, s, func(tx *Tx) error {
			if tx.Put(nil, nil) == nil || tx.Put(make([]byte, MaxKey+1), nil) == nil {
				t.Error("a key without or with too many bytes")
			}
			return tx.Put(bytes.Repeat([]byte("k"), MaxKey), nil)
		})
	})
}

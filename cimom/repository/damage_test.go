package repository

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// damagedFile is a repository of n things, closed, with its bytes.
func damagedFile(t testing.TB, n int) (path string, b []byte, class *cim.Class) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "r")
	r := open(t, path)
	class = fill(t, r, n)
	r.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, b, class
}

// One flipped bit in one record fails what meets it, by name, and nothing else.
func TestOneFlippedBit(t *testing.T) {
	path, b, class := damagedFile(t, 300)
	at := bytes.LastIndex(b, []byte("text of 123"))
	for n := bytes.Index(b, []byte("text of 123")); n >= 0 && n <= at; { // in old pages too
		b[n+3] ^= 0x10
		next := bytes.Index(b[n+1:], []byte("text of 123"))
		if next < 0 {
			break
		}
		n += 1 + next
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, path)
	if r.Damage() != nil {
		t.Fatal(r.Damage())
	}
	for id := range uint32(300) {
		p, _ := newThing(class, id, "n", "", "").Path()
		i, err := r.Get(ctx, class, p)
		switch {
		case id != 123:
			if err != nil || i.Get("Text").String() != fmt.Sprint("text of ", id) {
				t.Fatalf("%d: %v, %v", id, i, err)
			}
		case !IsDamaged(err) || cim.StatusOf(err) != cim.ErrCriticalError || !strings.Contains(err.Error(), `my_thing.id=123,name=n in root\test`) || !strings.Contains(err.Error(), "1358"):
			t.Errorf("the damaged one: %v", err)
		}
	}
	// A scan names it and can go on behind it.
	seen, failed := 0, 0
	for at := (Position{}); !at.End(); {
		var err error
		at, err = r.Scan(ctx, class, at, 50, func(*cim.Instance) bool { seen++; return true })
		if err != nil {
			failed++
		}
		if failed > 1 {
			t.Fatal(err)
		}
	}
	if seen != 299 || failed != 1 {
		t.Errorf("%d seen, %d failed", seen, failed)
	}
	problems, err := r.Verify(ctx)
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0].String(), "1358") || !strings.Contains(problems[0].Object, "id=123") {
		t.Errorf("%v %v", problems, err)
	}
	if err := r.Backup(ctx, path+".backup"); !IsDamaged(err) {
		t.Errorf("a backup of it: %v", err)
	}
	// Others can be written, those beside it too.
	update(t, r, func(tx *Tx) error { return tx.Create(newThing(class, 1235, "n", "", "")) })
	s, err := r.Salvage(ctx)
	if err != nil || len(s.Lost) != 1 || !strings.Contains(s.Lost[0].Object, "id=123") {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := os.Stat(s.Aside); err != nil {
		t.Error(err)
	}
	if problems, err := r.Verify(ctx); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if n, _ := r.Count(ctx, class); n != 300 {
		t.Errorf("%d instances", n)
	}
	update(t, r, func(tx *Tx) error { return tx.Create(newThing(class, 123, "n", "", "")) })

	// The damaged one can be removed or written over instead.
	for _, put := range []bool{false, true} {
		if err := os.WriteFile(path+".2", b, 0o600); err != nil {
			t.Fatal(err)
		}
		r := open(t, path+".2")
		i := newThing(class, 123, "n", "new", "Group3")
		p, _ := i.Path()
		update(t, r, func(tx *Tx) error {
			if put {
				return tx.Put(i)
			}
			return tx.Delete(class, p)
		})
		if problems, err := r.Verify(ctx); err != nil || len(problems) > 0 {
			t.Errorf("%v %v", problems, err)
		}
		n := 0
		if _, err := r.Lookup(ctx, class, class.PropertyIndex("Group"), cim.Str("group3"), Position{}, 0, func(*cim.Instance) bool { n++; return true }); err != nil {
			t.Error(err)
		}
		if want := map[bool]int{false: 29, true: 30}[put]; n != want {
			t.Errorf("%d found, want %d", n, want)
		}
		r.Close()
	}
}

// A key with a flipped bit is damage and not a missing instance.
func TestFlippedKey(t *testing.T) {
	path, b, class := damagedFile(t, 50)
	b = bytes.ReplaceAll(b, []byte("id=33\x00\x01name=n"), []byte("id=33\x00\x01name=o"))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, path)
	p, _ := newThing(class, 33, "n", "", "").Path()
	if _, err := r.Get(ctx, class, p); !IsDamaged(err) {
		t.Errorf("%v", err)
	}
	if err := r.Update(ctx, func(tx *Tx) error { return tx.Create(newThing(class, 33, "n", "", "")) }); !IsDamaged(err) {
		t.Errorf("it could be created: %v", err)
	}
}

// flips is how many damaged files are tried.
func flips() int {
	if os.Getenv("CASEMENT_SOAK") != "" {
		return 5000
	}
	return 200
}

// Files with random damage: nothing panics or hangs, whatever can be read is
// right, and what Salvage leaves is whole.
func TestFlippedBytes(t *testing.T) {
	path, good, class := damagedFile(t, 400)
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)) //nolint:gosec // a test
	kept, refused := 0, 0
	for round := range flips() {
		b := bytes.Clone(good)
		size := len(b)
		if i := bytes.LastIndexFunc(b, func(r rune) bool { return r != 0 }); i > 0 {
			size = i // what is behind it is a hole
		}
		switch round % 4 {
		case 0: // one bit
			b[r.IntN(size)] ^= 1 << r.IntN(8)
		case 1: // some bytes
			for range 1 + r.IntN(20) {
				b[r.IntN(size)] = byte(r.Uint32())
			}
		case 2: // a header of a page
			p := r.IntN(size/os.Getpagesize()) * os.Getpagesize()
			b[p+r.IntN(48)] ^= 1 << r.IntN(8)
		case 3: // the end is missing, or a page is
			if r.IntN(2) == 0 {
				b = b[:r.IntN(size)]
				break
			}
			p := r.IntN(size/os.Getpagesize()) * os.Getpagesize()
			clear(b[p : p+os.Getpagesize()])
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		k, damaged := useDamaged(t, path, class)
		kept += k
		if damaged {
			refused++
		}
	}
	if kept == 0 || refused == 0 {
		t.Errorf("%d instances kept, %d files refused writes", kept, refused)
	}
	t.Logf("%d of %d instances kept; %d of %d files took no writes before", kept, flips()*400, refused, flips())
}

func useDamaged(t *testing.T, path string, class *cim.Class) (kept int, damaged bool) {
	t.Helper()
	r, err := Open(path, Options{NoSync: true})
	if err != nil {
		if len(err.Error()) > 0 && fileSize(t, path) > 0 {
			t.Fatal(err) // damage is no reason not to open
		}
		return 0, true
	}
	defer r.Close()
	damaged = r.Damage() != nil
	readable := 0
	for at, n := (Position{}), 0; !at.End(); n++ {
		var err error
		at, err = r.Scan(ctx, class, at, 100, func(i *cim.Instance) bool {
			readable++
			if want := "text of " + i.Get("Id").String(); i.Get("Text").String() != want {
				t.Fatalf("%s reads %s", i.Get("Id"), i.Get("Text"))
			}
			return true
		})
		if err != nil && !IsDamaged(err) || n > 1000 {
			t.Fatal(err)
		}
	}
	for _, id := range []uint32{0, 200, 399} {
		p, _ := newThing(class, id, "n", "", "").Path()
		if i, err := r.Get(ctx, class, p); err == nil && i.Get("Text").String() != fmt.Sprint("text of ", id) {
			t.Fatalf("%d reads %s", id, i.Get("Text"))
		}
		_ = r.Update(ctx, func(tx *Tx) error { return tx.Put(newThing(class, id, "n", fmt.Sprint("text of ", id), "g")) })
	}
	if _, err := r.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := r.Salvage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.Aside); err != nil {
		t.Fatal(err)
	}
	if p, err := r.Verify(ctx); err != nil || len(p) > 0 {
		t.Fatalf("after salvage: %v %v", p, err)
	}
	n := 0
	for _, i := range scan(t, r, class, 100) {
		if want := "text of " + i.Get("Id").String(); i.Get("Text").String() != want {
			t.Fatalf("%s was salvaged as %s", i.Get("Id"), i.Get("Text"))
		}
		n++
	}
	if n < readable {
		t.Fatalf("%d instances could be read, %d were salvaged", readable, n)
	}
	update(t, r, func(tx *Tx) error { return tx.Create(newThing(class, 1000, "n", "", "")) })
	return n, damaged
}

func fileSize(t *testing.T, path string) int64 {
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}

// A namespace whose records are both lost admits administrators only.
func TestLostNamespace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	r := open(t, path)
	class := fill(t, r, 5)
	if err := r.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Delete(namespaceKey(kindNamespace, testNamespace)); err != nil {
			return err
		}
		return tx.Delete(namespaceKey(kindNamespace2, testNamespace))
	}); err != nil {
		t.Fatal(err)
	}
	if p, _ := r.Verify(ctx); len(p) == 0 {
		t.Error("the check found nothing")
	}
	s, err := r.Salvage(ctx)
	if err != nil || len(s.Lost) != 1 || !strings.Contains(s.Lost[0].Detail, "administrators") {
		t.Fatalf("%+v %v", s, err)
	}
	list, _, _ := r.Namespaces(ctx)
	if len(list) != 1 || len(list[0].Security) == 0 || !list[0].Created {
		t.Errorf("%+v", list)
	}
	if n, _ := r.Count(ctx, class); n != 5 {
		t.Errorf("%d instances", n)
	}
}

// FuzzOpen opens files with any bytes at any place.
func FuzzOpen(f *testing.F) {
	path, good, class := damagedFile(f, 100)
	f.Add(uint32(20), []byte{1, 2, 3})
	f.Add(uint32(8192+8), []byte{0x10})
	f.Add(uint32(3*4096+16), bytes.Repeat([]byte{0xFF}, 16))
	f.Fuzz(func(t *testing.T, at uint32, with []byte) {
		b := bytes.Clone(good)
		copy(b[int(at)%len(b):], with)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, Options{NoSync: true})
		if err != nil {
			return
		}
		defer r.Close()
		for at := (Position{}); !at.End(); {
			at, _ = r.Scan(ctx, class, at, 10, func(*cim.Instance) bool { return true })
		}
		_ = r.Update(ctx, func(tx *Tx) error { return tx.Put(newThing(class, 50, "n", "", "")) })
		_, _ = r.Verify(ctx)
	})
}

package repository

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/casementhq/casement/cim"
)

// sizes are the repositories that are measured; the greatest ones when
// CASEMENT_SOAK is set, because they take long to fill.
func sizes() []int {
	if os.Getenv("CASEMENT_SOAK") != "" {
		return []int{1e3, 1e4, 1e5, 1e6}
	}
	return []int{1e3, 1e4}
}

// filled is a repository of n instances of about 100 bytes, without an index.
func filled(b *testing.B, n int, sync bool) (*Repository, *cim.Class, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "r")
	class := cim.NewClass("My_Thing", nil).Key("Id", cim.Uint32).Property("Name", cim.String).Property("Text", cim.String).
		Property("Number", cim.Uint64).Property("When", cim.Datetime).Build(testNamespace)
	r := open(b, path)
	for at := 0; at < n; {
		update(b, r, func(tx *Tx) error {
			for end := min(n, at+20000); at < end; at++ {
				if err := tx.Create(benchInstance(class, uint32(at))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	r.Close()
	r, err := Open(path, Options{NoSync: !sync})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close() })
	return r, class, path
}

func benchInstance(class *cim.Class, id uint32) *cim.Instance {
	return cim.MakeInstance(class, []cim.Value{
		cim.U32(id), cim.Str("name " + strconv.Itoa(int(id))), cim.Str("a text of some length, as they are"), cim.U64(uint64(id) << 20),
		cim.Time("20261121133000.123456-060"),
	})
}

func BenchmarkGet(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, class, _ := filled(b, n, false)
			paths := make([]cim.ObjectPath, 1000)
			for i := range paths {
				paths[i], _ = benchInstance(class, uint32(i*(n/1000))).Path()
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := r.Get(ctx, class, paths[i%1000]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkScan measures one rejected instance.
func BenchmarkScan(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, class, _ := filled(b, n, false)
			number := class.PropertyIndex("Number")
			b.ReportAllocs()
			b.ResetTimer()
			for seen := 0; seen < b.N; {
				for at := (Position{}); !at.End() && seen < b.N; {
					var err error
					if at, err = r.Scan(ctx, class, at, 0, func(i *cim.Instance) bool {
						seen++
						if v, _ := i.At(number).Uint(); v == 1 {
							b.Error("it matches")
						}
						return seen < b.N
					}); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkCreate(b *testing.B) {
	for _, n := range sizes() {
		for _, sync := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/sync=%v", n, sync), func(b *testing.B) {
				r, class, _ := filled(b, n, sync)
				b.ReportAllocs()
				for id := uint32(1 << 30); b.Loop(); id++ {
					update(b, r, func(tx *Tx) error { return tx.Create(benchInstance(class, id)) })
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, _, path := filled(b, n, false)
			r.Close()
			b.ReportAllocs()
			for b.Loop() {
				r, err := Open(path, Options{})
				if err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
			if fi, err := os.Stat(path); err == nil {
				b.ReportMetric(float64(fi.Size())/1e6, "MB")
			}
		})
	}
}

func BenchmarkBackup(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, _, path := filled(b, n, false)
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Backup(ctx, path+".backup"); err != nil {
					b.Fatal(err)
				}
			}
			if fi, err := os.Stat(path + ".backup"); err == nil {
				b.ReportMetric(float64(fi.Size())/1e6, "MB")
			}
		})
	}
}

// BenchmarkWriters has 16 writers at once, each with its own durable change.
func BenchmarkWriters(b *testing.B) {
	r, class, _ := filled(b, 1000, true)
	b.SetParallelism(8)
	b.ResetTimer()
	ids := make(chan uint32, 1)
	ids <- 1 << 30
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			id := <-ids
			ids <- id + 1
			if err := r.Update(ctx, func(tx *Tx) error { return tx.Create(benchInstance(class, id)) }); err != nil {
				b.Error(err)
			}
		}
	})
}

// TestScanAllocates proves that a rejected instance costs no memory.
func TestScanAllocates(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "r"))
	class := fill(t, r, 1000)
	scan := func(n int) float64 {
		return testing.AllocsPerRun(20, func() {
			if _, err := r.Scan(ctx, class, Position{}, n, func(*cim.Instance) bool { return true }); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := scan(10), scan(1000); many > few+5 {
		t.Errorf("%v allocations for 10 instances, %v for 1000", few, many)
	}
}

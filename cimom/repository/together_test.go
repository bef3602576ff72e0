package repository

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/casementhq/casement/cim"
)

// Readers and writers go on while the file is exchanged under them.
func TestTogether(t *testing.T) {
	both(t, func(t *testing.T, r *Repository) {
		class := fill(t, r, 300)
		backup := filepath.Join(t.TempDir(), "b")
		if err := r.Backup(ctx, backup); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var all sync.WaitGroup
		for worker := range uint32(4) {
			all.Go(func() {
				for n := uint32(0); ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					at, err := r.Scan(ctx, class, Position{}, 200, func(i *cim.Instance) bool {
						if id := i.Get("Id").String(); i.Get("Text").String() != "text of "+id {
							t.Errorf("%s reads %s", id, i.Get("Text"))
						}
						return true
					})
					if err != nil || at.End() {
						t.Errorf("%v, %v", at, err)
					}
					id := 1000 + worker*1000000 + n
					if err := r.Update(ctx, func(tx *Tx) error { return tx.Create(newThing(class, id, "n", fmt.Sprint("text of ", id), "g")) }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 5 {
			if err := r.Restore(ctx, backup); err != nil {
				t.Error(err)
			}
			if s, err := r.Salvage(ctx); err != nil || len(s.Lost) > 0 || s.Kept < 300 {
				t.Errorf("%+v, %v", s, err)
			}
			if p, err := r.Verify(ctx); err != nil || len(p) > 0 {
				t.Error(p, err)
			}
		}
		close(stop)
		all.Wait()
	})
}

package repository

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

// killRounds is how many processes are killed.
func killRounds() int {
	if os.Getenv("CASEMENT_SOAK") != "" {
		return 200
	}
	return 20
}

// TestKilled kills a process that writes at random moments: what it had
// acknowledged is there, all of each change or nothing, and the file is whole.
func TestKilled(t *testing.T) {
	if path := os.Getenv("CASEMENT_TEST_KILLED"); path != "" {
		writeForever(t, path)
		return
	}
	if testing.Short() {
		t.Skip("-short: kills processes for seconds")
	}
	path := filepath.Join(t.TempDir(), "r")
	class := thing()
	acknowledged, total := uint32(0), 0
	for round := range killRounds() {
		acknowledged = max(acknowledged, runAndKill(t, path))
		r, err := Open(path, Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if p, err := r.Verify(ctx); err != nil || len(p) > 0 || r.Damage() != nil {
			t.Fatalf("round %d: %v %v %v", round, p, err, r.Damage())
		}
		checkWritten(t, round, r, class, acknowledged)
		total, _ = r.Count(ctx, class)
		r.Close()
	}
	if acknowledged < uint32(killRounds()) {
		t.Errorf("only %d changes were acknowledged", acknowledged)
	}
	t.Logf("%d changes acknowledged in %d rounds, %d instances", acknowledged, killRounds(), total)
}

// Each change n adds the instances n and n+half in one transaction, changes
// number 0 to n, and removes what change n-50 added.
const (
	half = 1 << 30
	span = 50
)

func writeForever(t *testing.T, path string) {
	r, err := Open(path, Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	class := thing()
	zero, _ := newThing(class, 0, "", "", "").Path()
	n := uint32(0)
	if i, err := r.Get(ctx, class, zero); err == nil {
		last, _ := strconv.Atoi(i.Get("Text").String())
		n = uint32(last)
	} else if !errors.Is(err, cim.ErrNotFound) {
		t.Fatal(err)
	} else {
		update(t, r, func(tx *Tx) error { return tx.Create(newThing(class, 0, "", "0", "")) })
	}
	for n++; ; n++ {
		update(t, r, func(tx *Tx) error {
			for _, id := range []uint32{n, n + half} {
				if err := tx.Create(newThing(class, id, "", strings.Repeat("text", int(n%500)), fmt.Sprint(n%7))); err != nil {
					return err
				}
			}
			if n > span {
				for _, id := range []uint32{n - span, n - span + half} {
					p, _ := newThing(class, id, "", "", "").Path()
					if err := tx.Delete(class, p); err != nil {
						return err
					}
				}
			}
			return tx.Put(newThing(class, 0, "", fmt.Sprint(n), ""))
		})
		fmt.Printf("done %d\n", n)
	}
}

// runAndKill runs a writer for a random time and returns the last change that
// it acknowledged.
func runAndKill(t *testing.T, path string) (last uint32) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestKilled$") //nolint:gosec // this program itself
	c.Env = append(os.Environ(), "CASEMENT_TEST_KILLED="+path)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Duration(rand.IntN(300))*time.Millisecond, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	for s := bufio.NewScanner(out); s.Scan(); {
		text, ok := strings.CutPrefix(s.Text(), "done ")
		if !ok {
			t.Errorf("the writer says %s", s.Text())
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			continue // cut short by the kill
		}
		last = max(last, uint32(n))
	}
	_ = c.Wait()
	return last
}

func checkWritten(t *testing.T, round int, r *Repository, class *cim.Class, acknowledged uint32) {
	t.Helper()
	ids := map[uint32]bool{}
	last := uint32(0)
	for _, i := range scan(t, r, class, 1000) {
		id, _ := i.Get("Id").Uint()
		ids[uint32(id)] = true
		if id == 0 {
			n, _ := strconv.Atoi(i.Get("Text").String())
			last = uint32(n)
		}
	}
	if last < acknowledged {
		t.Fatalf("round %d: change %d was acknowledged, the last one is %d", round, acknowledged, last)
	}
	want := 0
	if ids[0] {
		want = 1
	}
	for n := last; n > 0 && n+span > last; n-- {
		if !ids[n] || !ids[n+half] {
			t.Fatalf("round %d: of change %d of %d there is %v and %v", round, n, last, ids[n], ids[n+half])
		}
		want += 2
	}
	if len(ids) != want {
		t.Fatalf("round %d: %d instances, want %d", round, len(ids), want)
	}
}
